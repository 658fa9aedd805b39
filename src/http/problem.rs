//! Problem details (RFC 9457) and the only place where causes become status codes.

use std::borrow::Cow;
use std::fmt;

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::JobId;

/// The media type of every error.
pub const CONTENT_TYPE: &str = "application/problem+json";

/// Seconds after which a client may try again when a part of the service did not answer.
const RETRY_AFTER_SECONDS: u16 = 2;

/// Declares each problem with its status, stable code and title, so that none can lack one.
macro_rules! problem_kinds {
    ($( $variant:ident = $status:literal, $code:literal, $title:literal; )*) => {
        /// What went wrong, as far as a client can tell cases apart.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ProblemKind { $( $variant, )* }

        impl ProblemKind {
            /// Every kind, in the order of declaration.
            #[cfg(test)]
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )* ];

            pub const fn status(self) -> u16 {
                match self { $( Self::$variant => $status, )* }
            }

            /// The stable word that programs may rely on.
            pub const fn code(self) -> &'static str {
                match self { $( Self::$variant => $code, )* }
            }

            pub const fn title(self) -> &'static str {
                match self { $( Self::$variant => $title, )* }
            }

            const fn type_uri(self) -> &'static str {
                match self { $( Self::$variant => concat!("urn:thumbforge:problem:", $code), )* }
            }
        }
    };
}

problem_kinds! {
    BadRequest = 400, "bad_request", "The request can't be read";
    MalformedJson = 400, "malformed_json", "The body is not JSON";
    Unauthorized = 401, "unauthorized", "A valid API key is required";
    NotFound = 404, "not_found", "There is nothing at this path";
    JobNotFound = 404, "job_not_found", "There is no such job";
    ThumbnailNotFound = 404, "thumbnail_not_found", "There is no thumbnail yet";
    MethodNotAllowed = 405, "method_not_allowed", "This path does not know the method";
    RequestTimeout = 408, "request_timeout", "The request took too long to arrive";
    DuplicateActive = 409, "duplicate_active", "A job of this URL is pending or processing";
    PreconditionFailed = 412, "precondition_failed", "A condition of the request does not hold";
    BodyTooLarge = 413, "body_too_large", "The body is too large";
    UriTooLong = 414, "uri_too_long", "The request target is too long";
    UnsupportedMediaType = 415, "unsupported_media_type", "The body must be application/json";
    RangeNotSatisfiable = 416, "range_not_satisfiable", "The range lies outside the thumbnail";
    InvalidBody = 422, "invalid_body", "The body does not have the expected fields";
    InvalidUrl = 422, "invalid_url", "The URL is not acceptable";
    ForbiddenSource = 422, "forbidden_source", "The URL leads where nothing may be fetched";
    InvalidJobId = 422, "invalid_job_id", "The job id is not a UUID";
    InvalidQuery = 422, "invalid_query", "The query has invalid parameters";
    TooManyPending = 429, "too_many_pending", "Too many jobs are pending";
    HeadersTooLarge = 431, "headers_too_large", "The request headers are too large";
    Internal = 500, "internal", "The service failed";
    Unavailable = 503, "unavailable", "A part of the service does not answer";
}

impl ProblemKind {
    /// The kind for a status that was set outside of our handlers (by the framework).
    pub fn of_status(status: StatusCode) -> Self {
        match status.as_u16() {
            404 => Self::NotFound,
            405 => Self::MethodNotAllowed,
            408 => Self::RequestTimeout,
            412 => Self::PreconditionFailed,
            413 => Self::BodyTooLarge,
            416 => Self::RangeNotSatisfiable,
            _ if status.is_client_error() => Self::BadRequest,
            _ => Self::Internal,
        }
    }

    const fn retry_after_seconds(self) -> Option<u16> {
        match self {
            Self::TooManyPending | Self::Unavailable => Some(RETRY_AFTER_SECONDS),
            _ => None,
        }
    }
}

/// One fault of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RequestFault {
    /// JSON pointer (RFC 6901) into the body, as URI fragment; absent for other faults.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "#/url")]
    pub pointer: Option<String>,
    /// Name of the query or path parameter; absent for faults of the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// What is wrong with it, for humans.
    #[schema(example = "is required")]
    pub detail: String,
}

impl RequestFault {
    pub fn in_body(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            pointer: Some(pointer.into()),
            parameter: None,
            detail: detail.into(),
        }
    }

    pub fn in_parameter(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            pointer: None,
            parameter: Some(name.into()),
            detail: detail.into(),
        }
    }
}

/// An error as the client reads it. Never holds anything internal.
#[derive(Debug, Clone)]
pub struct Problem {
    pub kind: ProblemKind,
    pub detail: Cow<'static, str>,
    pub errors: Vec<RequestFault>,
    /// The active job that a submission collided with.
    pub job_id: Option<JobId>,
    /// The parts of the service that failed a health check.
    pub failing: Vec<&'static str>,
}

impl Problem {
    pub fn new(kind: ProblemKind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            errors: Vec::new(),
            job_id: None,
            failing: Vec::new(),
        }
    }

    #[must_use]
    pub fn with_errors(mut self, errors: Vec<RequestFault>) -> Self {
        self.errors = errors;
        self
    }

    #[must_use]
    pub fn with_failing(mut self, failing: Vec<&'static str>) -> Self {
        self.failing = failing;
        self
    }

    pub fn duplicate_active(active: JobId) -> Self {
        let mut problem = Self::new(
            ProblemKind::DuplicateActive,
            "Wait until the job named in job_id has ended.",
        );
        problem.job_id = Some(active);
        problem
    }

    /// For faults of ours; the cause must have been logged by the caller.
    pub fn internal() -> Self {
        Self::new(
            ProblemKind::Internal,
            "The fault is ours; it has been logged.",
        )
    }

    pub fn document(&self) -> ProblemDocument<'_> {
        ProblemDocument {
            type_uri: self.kind.type_uri(),
            title: self.kind.title(),
            status: self.kind.status(),
            detail: &self.detail,
            code: self.kind.code(),
            errors: &self.errors,
            job_id: self.job_id.map(|id| id.0),
            failing: &self.failing,
        }
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string(&self.document()).unwrap_or_else(|error| {
            tracing::error!(%error, "a problem document could not be written");
            String::from("{}")
        })
    }
}

/// The body of every error (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDocument<'a> {
    /// Identifies the kind of problem; carries the same word as `code`.
    #[serde(rename = "type")]
    #[schema(example = "urn:thumbforge:problem:job_not_found")]
    type_uri: &'a str,
    /// The kind of problem in words; the same for every occurrence.
    #[schema(example = "There is no such job")]
    title: &'a str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599, example = 404)]
    status: u16,
    /// This occurrence in words, for humans.
    #[schema(example = "No job has this id.")]
    detail: &'a str,
    /// A stable word for programs.
    #[schema(example = "job_not_found")]
    code: &'a str,
    /// Each fault of the request, where several or precise ones are known.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    errors: &'a [RequestFault],
    /// With `duplicate_active`: the job that is pending or processing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    job_id: Option<uuid::Uuid>,
    /// With a failed health check: the failing parts.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    failing: &'a [&'a str],
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.code(), self.detail)
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let mut response = HttpResponse::build(self.status_code());
        response.content_type(CONTENT_TYPE);
        if let Some(seconds) = self.kind.retry_after_seconds() {
            response.insert_header((header::RETRY_AFTER, HeaderValue::from(seconds)));
        }
        if self.kind == ProblemKind::Unauthorized {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"thumbforge\""));
        }
        response.body(self.to_json())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_codes_are_these() {
        let codes: Vec<_> = ProblemKind::ALL
            .iter()
            .map(|kind| format!("{} {}", kind.status(), kind.code()))
            .collect();
        assert_eq!(
            codes,
            [
                "400 bad_request",
                "400 malformed_json",
                "401 unauthorized",
                "404 not_found",
                "404 job_not_found",
                "404 thumbnail_not_found",
                "405 method_not_allowed",
                "408 request_timeout",
                "409 duplicate_active",
                "412 precondition_failed",
                "413 body_too_large",
                "414 uri_too_long",
                "415 unsupported_media_type",
                "416 range_not_satisfiable",
                "422 invalid_body",
                "422 invalid_url",
                "422 forbidden_source",
                "422 invalid_job_id",
                "422 invalid_query",
                "429 too_many_pending",
                "431 headers_too_large",
                "500 internal",
                "503 unavailable",
            ]
        );
    }

    #[test]
    fn every_code_is_documented_with_its_status() {
        let page = include_str!("../../docs/API.md");
        for kind in ProblemKind::ALL {
            let row = format!("| {} | `{}` |", kind.status(), kind.code());
            assert!(page.contains(&row), "{row}");
        }
    }

    #[test]
    fn a_document_has_no_empty_members() {
        let problem = Problem::new(ProblemKind::JobNotFound, "No job has this id.");
        let document: serde_json::Value = serde_json::from_str(&problem.to_json()).unwrap();
        assert_eq!(
            document,
            serde_json::json!({
                "type": "urn:thumbforge:problem:job_not_found",
                "title": "There is no such job",
                "status": 404,
                "detail": "No job has this id.",
                "code": "job_not_found",
            })
        );
    }

    #[test]
    fn what_may_pass_later_says_when_to_retry() {
        for kind in ProblemKind::ALL {
            let response = Problem::new(*kind, "").error_response();
            let told = response.headers().contains_key(header::RETRY_AFTER);
            assert_eq!(told, matches!(kind.status(), 429 | 503), "{kind:?}");
        }
    }
}
