//! Why a download failed, and what its caller learns.

use std::time::Duration;

use crate::domain::{Failure, FailureCode, SourceUrlError};
use crate::tls::TlsFault;
use thumbforge_intake::Forbidden;

/// The messages contain no address and nothing that the source sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum FetchError {
    #[error("the URL is forbidden: {0}")]
    Forbidden(Forbidden),
    #[error("the source redirects to a forbidden URL: {0}")]
    RedirectForbidden(Forbidden),
    #[error("the source redirects to a URL that is not accepted: {0}")]
    RedirectRefused(SourceUrlError),
    #[error("the source redirects from https to http")]
    Downgrade,
    #[error("the source redirects more than {0} times")]
    TooManyRedirects(u32),
    #[error("the source redirects in a circle")]
    RedirectLoop,
    #[error(
        "the source redirects in a circle and sets a cookie: it needs cookies, which are not kept"
    )]
    CookieLoop,
    #[error("the host name does not exist")]
    NoSuchName,
    #[error("the host name could not be resolved")]
    Dns,
    #[error("the host name could not be resolved in time")]
    DnsTimeout,
    #[error("the connection to the source could not be opened in time")]
    ConnectTimeout,
    #[error("the connection to the source could not be opened")]
    Connect,
    #[error("the TLS handshake with the source failed: {0}")]
    Tls(TlsFault),
    #[error("the source did not answer in time")]
    HeadTimeout,
    #[error("the source stopped sending")]
    Idle,
    #[error("the source sends too slowly")]
    TooSlow,
    #[error("the download took longer than {} seconds", .0.as_secs_f32())]
    TotalTimeout(Duration),
    #[error("the connection to the source broke")]
    Broken,
    #[error("the source closed the connection before the end")]
    EndedEarly,
    #[error("the source answered with status {0}")]
    ServerError(u16, Option<Duration>),
    #[error("the source answered with status 408: the request took too long")]
    RequestTimeout(Option<Duration>),
    #[error("the source answered with status 429: too many requests")]
    RateLimited(Option<Duration>),
    #[error("the source answered with status {0}")]
    ClientError(u16),
    #[error("the source's answer is not valid: {0}")]
    InvalidResponse(&'static str),
    #[error("the source is larger than {0} bytes")]
    TooLarge(u64),
    #[error("the source is empty")]
    Empty,
}

impl FetchError {
    fn code(&self) -> FailureCode {
        match self {
            Self::Forbidden(_)
            | Self::RedirectForbidden(_)
            | Self::RedirectRefused(_)
            | Self::Downgrade => FailureCode::ForbiddenSource,
            Self::TooManyRedirects(_) | Self::RedirectLoop | Self::CookieLoop => {
                FailureCode::TooManyRedirects
            }
            Self::NoSuchName | Self::Dns | Self::DnsTimeout => FailureCode::DnsFailed,
            Self::Connect | Self::Tls(_) | Self::Broken | Self::EndedEarly => {
                FailureCode::ConnectionFailed
            }
            Self::ConnectTimeout
            | Self::HeadTimeout
            | Self::Idle
            | Self::TooSlow
            | Self::TotalTimeout(_)
            | Self::RequestTimeout(_) => FailureCode::SourceTimeout,
            Self::ServerError(..) => FailureCode::SourceServerError,
            Self::RateLimited(_) => FailureCode::RateLimited,
            Self::ClientError(_) => FailureCode::SourceClientError,
            Self::InvalidResponse(_) => FailureCode::InvalidResponse,
            Self::TooLarge(_) => FailureCode::SourceTooLarge,
            Self::Empty => FailureCode::EmptySource,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::ServerError(_, delay)
            | Self::RequestTimeout(delay)
            | Self::RateLimited(delay) => *delay,
            _ => None,
        }
    }

    /// True if the server may simply have closed a kept connection meanwhile; or if a body broke
    /// off, but the part that came may be useful.
    pub(super) fn is_closed_connection(&self) -> bool {
        matches!(self, Self::Broken | Self::EndedEarly)
    }

    /// True if the origin as a whole is to blame, not just this answer.
    pub(super) fn is_failure_of_origin(&self) -> bool {
        matches!(
            self,
            // Names are looked up at our own resolver: if it is slow, that says nothing about the
            // origin.
            Self::ConnectTimeout
                | Self::Connect
                | Self::Tls(_)
                | Self::HeadTimeout
                | Self::Idle
                | Self::TooSlow
                | Self::TotalTimeout(_)
                | Self::Broken
                | Self::EndedEarly
        )
    }

    /// True if the failure won't pass, although its code may.
    fn is_permanent(&self) -> bool {
        match self {
            Self::NoSuchName => true,
            Self::Tls(fault) => fault.is_permanent(),
            _ => false,
        }
    }
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        Self::new(error.code(), error.to_string())
            .with_retry_after(error.retry_after())
            .permanent(error.is_permanent())
    }
}
