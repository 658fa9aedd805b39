//! What the client's errors come to. They are told apart by the types in their chain of sources.

use std::error::Error;
use std::io::{self, ErrorKind};

use super::error::FetchError;
use super::tls_fault::TlsFault;

/// Of an answer whose head did not come.
pub(super) fn before_head(error: &reqwest::Error) -> FetchError {
    let told = causes(error).find_map(|cause| {
        cause
            .fetch_error()
            .or_else(|| cause.tls().map(|error| FetchError::Tls(TlsFault::of(error))))
            .or_else(|| cause.hyper().and_then(of_head))
    });
    let fault = told.unwrap_or_else(|| {
        let is_late = error.is_timeout() || io_kind(error) == Some(ErrorKind::TimedOut);
        match (error.is_connect(), io_kind(error)) {
            (true, _) if is_late => FetchError::ConnectTimeout,
            (true, _) => FetchError::Connect,
            (false, Some(ErrorKind::UnexpectedEof)) => FetchError::EndedEarly,
            (false, _) => FetchError::Broken,
        }
    });
    tracing::debug!(error = error as &dyn Error, %fault, "a source did not answer");
    fault
}

fn of_head(error: &hyper::Error) -> Option<FetchError> {
    if error.is_parse() {
        Some(FetchError::InvalidResponse(
            "its head can't be read, is too long or has too many fields",
        ))
    } else if error.is_incomplete_message() {
        Some(FetchError::EndedEarly)
    } else {
        None
    }
}

/// Of a body that did not come to its end.
pub(super) fn in_body(error: &reqwest::Error) -> FetchError {
    let has_tls = causes(error).any(|cause| cause.tls().is_some());
    let is_cut = causes(error).any(|cause| {
        cause.hyper().is_some_and(hyper::Error::is_incomplete_message)
    });
    let fault = match io_kind(error) {
        Some(ErrorKind::UnexpectedEof) => FetchError::EndedEarly,
        Some(ErrorKind::InvalidData | ErrorKind::InvalidInput) if !has_tls => {
            FetchError::InvalidResponse("its chunked body can't be read")
        }
        _ if is_cut => FetchError::EndedEarly,
        _ => FetchError::Broken,
    };
    tracing::debug!(error = error as &dyn Error, %fault, "a source's body broke off");
    fault
}

fn io_kind(error: &reqwest::Error) -> Option<ErrorKind> {
    causes(error).find_map(|cause| Some(cause.0.downcast_ref::<io::Error>()?.kind()))
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = Cause<'_>> {
    let first: &dyn Error = error;
    std::iter::successors(Some(Cause(first)), |cause| cause.0.source().map(Cause))
}

/// One error of the chain. An `io::Error` hides what it wraps: its source is that one's source.
struct Cause<'a>(&'a (dyn Error + 'static));

impl<'a> Cause<'a> {
    fn is<T: Error + 'static>(&self) -> Option<&'a T> {
        self.0.downcast_ref::<T>().or_else(|| {
            let wrapper = self.0.downcast_ref::<io::Error>()?;
            wrapper.get_ref()?.downcast_ref::<T>()
        })
    }

    fn fetch_error(&self) -> Option<FetchError> {
        self.is::<FetchError>().cloned()
    }

    fn tls(&self) -> Option<&'a rustls::Error> {
        self.is::<rustls::Error>()
    }

    fn hyper(&self) -> Option<&'a hyper::Error> {
        self.is::<hyper::Error>()
    }
}
