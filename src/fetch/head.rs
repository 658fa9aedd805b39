//! The head of an answer, reduced to the parts that are used.

use std::time::{Duration, SystemTime};

use reqwest::Response;
use reqwest::header::{
    CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, HeaderName, LOCATION, RETRY_AFTER, SET_COOKIE,
    TRANSFER_ENCODING,
};

use super::coding::Coding;
use super::error::FetchError;
use super::retry_after;

/// A longer content type counts as none.
const MAX_CONTENT_TYPE_BYTES: usize = 255;

#[derive(Debug)]
pub(super) struct Head {
    pub(super) coding: Coding,
    /// As declared, unless the body itself marks its end.
    pub(super) length: Option<u64>,
    pub(super) content_type: Option<String>,
}

/// The parts of a head that decide what becomes of the answer.
pub(super) struct Fields<'a>(pub(super) &'a Response);

impl Fields<'_> {
    /// Where the answer redirects to, if it does.
    pub(super) fn redirect(&self) -> Result<Option<String>, FetchError> {
        let status = self.0.status().as_u16();
        if !matches!(status, 301 | 302 | 303 | 307 | 308) {
            return Ok(None);
        }
        let mut values = self.0.headers().get_all(LOCATION).iter();
        let first = values
            .next()
            .ok_or(FetchError::InvalidResponse("it redirects to nowhere"))?;
        if values.any(|other| other != first) {
            return Err(FetchError::InvalidResponse("it has two Locations"));
        }
        let text = std::str::from_utf8(first.as_bytes())
            .map_err(|_| FetchError::InvalidResponse("its Location is not text"))?;
        Ok(Some(text.to_owned()))
    }

    pub(super) fn sets_cookie(&self) -> bool {
        self.0.headers().contains_key(SET_COOKIE)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a date in Retry-After is one of the source, not of a job"
    )]
    pub(super) fn retry_after(&self) -> Option<Duration> {
        retry_after::parse(self.text(&RETRY_AFTER)?, SystemTime::now())
    }

    /// The head of an answer that has the source as its body; an error for any other answer.
    pub(super) fn of_source(&self) -> Result<Head, FetchError> {
        self.check_framing()?;
        self.check_status()?;
        let tokens = self.tokens(&CONTENT_ENCODING);
        Ok(Head {
            coding: Coding::of(tokens.iter().map(String::as_str))?,
            length: self.0.content_length(),
            content_type: self
                .text(&CONTENT_TYPE)
                .filter(|value| !value.is_empty() && value.len() <= MAX_CONTENT_TYPE_BYTES)
                .map(str::to_owned),
        })
    }

    fn check_status(&self) -> Result<(), FetchError> {
        match self.0.status().as_u16() {
            200 | 201 | 203 => Ok(()),
            206 if self.is_whole_range() => Ok(()),
            status @ (101 | 600..) => Err(FetchError::InvalidResponse(match status {
                101 => "it switches protocols",
                _ => "its status is not an HTTP status",
            })),
            408 => Err(FetchError::RequestTimeout(self.retry_after())),
            429 => Err(FetchError::RateLimited(self.retry_after())),
            status @ 500.. => Err(FetchError::ServerError(status, self.retry_after())),
            status => Err(FetchError::ClientError(status)),
        }
    }

    /// True if an unrequested part is the whole.
    fn is_whole_range(&self) -> bool {
        let Some(value) = self.0.headers().get(CONTENT_RANGE) else {
            return true;
        };
        let range = value.to_str().ok().and_then(|text| {
            let (last, length) = text.trim().strip_prefix("bytes 0-")?.split_once('/')?;
            Some((last.parse::<u64>().ok()?, length.parse::<u64>().ok()?))
        });
        range.is_some_and(|(last, length)| last.checked_add(1) == Some(length))
    }

    /// The client takes a body for chunked, whatever else is done to it.
    fn check_framing(&self) -> Result<(), FetchError> {
        let codings = self.tokens(&TRANSFER_ENCODING);
        if codings.is_empty() || codings == ["chunked"] {
            return Ok(());
        }
        Err(FetchError::InvalidResponse(
            "its Transfer-Encoding is not chunked",
        ))
    }

    fn text(&self, name: &HeaderName) -> Option<&str> {
        self.0.headers().get(name)?.to_str().ok().map(str::trim)
    }

    /// The parts between commas of all fields of this name, in lower case.
    fn tokens(&self, name: &HeaderName) -> Vec<String> {
        let values = self.0.headers().get_all(name).iter();
        values
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .map(|token| String::from_utf8_lossy(token).trim().to_ascii_lowercase())
            .collect()
    }
}
