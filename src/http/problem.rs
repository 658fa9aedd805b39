//! Problem details (RFC 9457): the one form of every error.

use std::borrow::Cow;
use std::fmt;

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use thumbforge_intake::RequestFault;
use thumbforge_intake::members::BodyRefusal;
use thumbforge_intake::query::InvalidQuery;
use utoipa::ToSchema;

use super::problem_kind::ProblemKind;
use crate::domain::JobId;

/// The media type of every error.
pub const CONTENT_TYPE: &str = "application/problem+json";

/// The most faults that an answer lists: a request of a few kilobytes can hold thousands, and the
/// answer would be a hundred times its size.
pub const MAX_FAULTS: usize = 20;

/// An error as the client reads it. Never contains anything internal.
#[derive(Debug, Clone)]
pub struct Problem {
    pub kind: ProblemKind,
    pub detail: Cow<'static, str>,
    pub errors: Vec<RequestFault>,
    /// The active job that a submission collided with.
    pub job_id: Option<JobId>,
    /// The parts of the service that failed a health check.
    pub failing: Vec<&'static str>,
    /// Seconds to wait, where it is not the same for all of the kind.
    pub retry_after: Option<u64>,
}

impl Problem {
    pub fn new(kind: ProblemKind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            errors: Vec::new(),
            job_id: None,
            failing: Vec::new(),
            retry_after: None,
        }
    }

    #[must_use]
    pub fn with_retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    #[must_use]
    pub fn with_errors(mut self, mut errors: Vec<RequestFault>) -> Self {
        errors.truncate(MAX_FAULTS);
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

    /// For faults of the service; the caller must have logged the cause.
    pub fn internal() -> Self {
        Self::new(
            ProblemKind::Internal,
            "The error is in the service; it has been logged.",
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

impl From<BodyRefusal> for Problem {
    fn from(refusal: BodyRefusal) -> Self {
        match refusal {
            BodyRefusal::NoJson(sentence) => Self::new(ProblemKind::MalformedJson, sentence),
            BodyRefusal::Faults { shape, faults } => {
                Self::new(ProblemKind::InvalidBody, shape).with_errors(faults)
            }
        }
    }
}

impl From<InvalidQuery> for Problem {
    fn from(InvalidQuery(faults): InvalidQuery) -> Self {
        let detail = "Correct the parameters named in errors.";
        Self::new(ProblemKind::InvalidQuery, detail).with_errors(faults)
    }
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
        let usual = self.kind.retry_after_seconds().map(u64::from);
        if let Some(seconds) = self.retry_after.or(usual) {
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
            let may_pass =
                matches!(kind.status(), 429 | 503) || *kind == ProblemKind::IdempotencyKeyInUse;
            assert_eq!(told, may_pass, "{kind:?}");
        }
    }
}
