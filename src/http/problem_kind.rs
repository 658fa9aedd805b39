//! The kinds of problems, and the only place where causes become status codes.

use actix_web::http::StatusCode;

/// Seconds after which a client may try again when a part of the service did not answer.
const RETRY_AFTER_SECONDS: u16 = 2;

/// Declares each problem with its status, stable code and title, so that none can lack one.
macro_rules! problem_kinds {
    ($( $variant:ident = $status:literal, $code:literal, $title:literal; )*) => {
        /// What went wrong, as far as a client can distinguish cases.
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

            pub const fn type_uri(self) -> &'static str {
                match self { $( Self::$variant => concat!("urn:thumbforge:problem:", $code), )* }
            }
        }
    };
}

problem_kinds! {
    BadRequest = 400, "bad_request", "The request can't be read";
    MalformedJson = 400, "malformed_json", "The body is not JSON";
    Unauthorized = 401, "unauthorized", "A valid API key is required";
    Forbidden = 403, "forbidden", "The API key lacks the needed scope";
    ForeignRequest = 403, "foreign_request", "The request comes from a foreign page";
    NotFound = 404, "not_found", "There is nothing at this path";
    JobNotFound = 404, "job_not_found", "There is no such job";
    BatchNotFound = 404, "batch_not_found", "There is no such batch";
    ThumbnailNotFound = 404, "thumbnail_not_found", "There is no thumbnail yet";
    ThumbnailRemoved = 404, "thumbnail_removed", "The thumbnail was removed";
    VariantNotFound = 404, "variant_not_found", "There is no such variant";
    WebhookNotFound = 404, "webhook_not_found", "There is no such webhook";
    DeliveryNotFound = 404, "delivery_not_found", "There is no such delivery";
    ActionNotFound = 404, "action_not_found", "There is no such action";
    MethodNotAllowed = 405, "method_not_allowed", "This path does not support the method";
    RequestTimeout = 408, "request_timeout", "The request took too long to arrive";
    DuplicateActive = 409, "duplicate_active", "A job with this URL is pending or processing";
    NotRetryable = 409, "not_retryable", "The job can't be tried again";
    AlreadyEnded = 409, "already_ended", "The job has ended";
    CountMismatch = 409, "count_mismatch", "Another number of jobs matches";
    IdempotencyKeyInUse = 409, "idempotency_key_in_use", "The first request is under way";
    TooManyWebhooks = 409, "too_many_webhooks", "There are too many webhooks";
    PreconditionFailed = 412, "precondition_failed", "A condition of the request does not hold";
    BodyTooLarge = 413, "body_too_large", "The body is too large";
    UriTooLong = 414, "uri_too_long", "The request target is too long";
    UnsupportedMediaType = 415, "unsupported_media_type", "The body must be application/json";
    RangeNotSatisfiable = 416, "range_not_satisfiable", "The range lies outside the thumbnail";
    InvalidBody = 422, "invalid_body", "The body does not have the expected fields";
    InvalidUrl = 422, "invalid_url", "The URL is not acceptable";
    ForbiddenSource = 422, "forbidden_source", "Nothing may be fetched from this URL";
    ForbiddenReceiver = 422, "forbidden_receiver", "Nothing may be sent to this URL";
    InvalidJobId = 422, "invalid_job_id", "The job id is not a UUID";
    InvalidActionId = 422, "invalid_action_id", "The action id is not a UUID";
    InvalidWebhookId = 422, "invalid_webhook_id", "The webhook id is not a UUID";
    InvalidDeliveryId = 422, "invalid_delivery_id", "The delivery id is not a UUID";
    InvalidBatchId = 422, "invalid_batch_id", "The batch id is not a UUID";
    IdempotencyKeyReused = 422, "idempotency_key_reused", "The key came with another body";
    InvalidQuery = 422, "invalid_query", "The query has invalid parameters";
    TooManyPending = 429, "too_many_pending", "Too many jobs are pending";
    RateLimited = 429, "rate_limited", "The API key sends too many requests";
    HeadersTooLarge = 431, "headers_too_large", "The request headers are too large";
    Internal = 500, "internal", "The service failed";
    Unavailable = 503, "unavailable", "A part of the service does not answer";
}

impl ProblemKind {
    /// The kind for a status that was set outside our handlers (by the framework).
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

    pub const fn retry_after_seconds(self) -> Option<u16> {
        match self {
            Self::TooManyPending
            | Self::RateLimited
            | Self::IdempotencyKeyInUse
            | Self::Unavailable => Some(RETRY_AFTER_SECONDS),
            _ => None,
        }
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
                "403 forbidden",
                "403 foreign_request",
                "404 not_found",
                "404 job_not_found",
                "404 batch_not_found",
                "404 thumbnail_not_found",
                "404 thumbnail_removed",
                "404 variant_not_found",
                "404 webhook_not_found",
                "404 delivery_not_found",
                "404 action_not_found",
                "405 method_not_allowed",
                "408 request_timeout",
                "409 duplicate_active",
                "409 not_retryable",
                "409 already_ended",
                "409 count_mismatch",
                "409 idempotency_key_in_use",
                "409 too_many_webhooks",
                "412 precondition_failed",
                "413 body_too_large",
                "414 uri_too_long",
                "415 unsupported_media_type",
                "416 range_not_satisfiable",
                "422 invalid_body",
                "422 invalid_url",
                "422 forbidden_source",
                "422 forbidden_receiver",
                "422 invalid_job_id",
                "422 invalid_action_id",
                "422 invalid_webhook_id",
                "422 invalid_delivery_id",
                "422 invalid_batch_id",
                "422 idempotency_key_reused",
                "422 invalid_query",
                "429 too_many_pending",
                "429 rate_limited",
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
}
