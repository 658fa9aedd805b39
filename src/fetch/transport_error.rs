//! Sorts the client's errors, by the types in their chain of sources.

use std::error::Error;
use std::io::{self, ErrorKind};

use super::error::FetchError;
use crate::tls::TlsFault;

/// The error of an answer whose head did not come.
pub(super) fn before_head(error: &reqwest::Error) -> FetchError {
    let told = causes(error).find_map(|cause| {
        if let Some(error) = cause.downcast_ref::<FetchError>() {
            Some(error.clone())
        } else if let Some(error) = cause.downcast_ref::<rustls::Error>() {
            Some(FetchError::Tls(TlsFault::of(error)))
        } else {
            cause.downcast_ref().and_then(of_head)
        }
    });
    let fault = told.unwrap_or_else(|| {
        let kind = io_kind(error);
        let is_late = error.is_timeout() || kind == Some(ErrorKind::TimedOut);
        match (error.is_connect(), kind) {
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
    if error.is_parse_too_large() {
        Some(FetchError::InvalidResponse(
            "its head is too long or has too many fields",
        ))
    } else if error.is_parse() {
        Some(FetchError::InvalidResponse("its head can't be read"))
    } else if error.is_incomplete_message() {
        Some(FetchError::EndedEarly)
    } else {
        None
    }
}

/// The error of a body that did not come to its end.
pub(super) fn in_body(error: &reqwest::Error) -> FetchError {
    let has = |is: fn(&(dyn Error + 'static)) -> bool| causes(error).any(is);
    let is_of_tls = has(<dyn Error>::is::<rustls::Error>);
    let is_cut = has(|cause| {
        let error = cause.downcast_ref();
        error.is_some_and(hyper::Error::is_incomplete_message)
    });
    let fault = match io_kind(error) {
        Some(ErrorKind::UnexpectedEof) => FetchError::EndedEarly,
        Some(ErrorKind::InvalidData | ErrorKind::InvalidInput) if !is_of_tls => {
            FetchError::InvalidResponse("a line of its chunked body can't be read or is too long")
        }
        _ if is_cut => FetchError::EndedEarly,
        _ => FetchError::Broken,
    };
    tracing::debug!(error = error as &dyn Error, %fault, "a source's body broke off");
    fault
}

/// The kind of the first error that has one of its own.
fn io_kind(error: &reqwest::Error) -> Option<ErrorKind> {
    causes(error)
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .map(io::Error::kind)
        .find(|kind| *kind != ErrorKind::Other)
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    let first: &(dyn Error + 'static) = error;
    std::iter::successors(Some(first), |cause| next_cause(*cause))
}

/// An `io::Error` hides what it wraps: its source is that one's source.
fn next_cause<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match cause
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
    {
        Some(wrapped) => Some(wrapped),
        None => cause.source(),
    }
}
