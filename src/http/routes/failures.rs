//! `GET /v1/failures`

use actix_web::{HttpRequest, HttpResponse, web};
use thumbforge_intake::FailuresQuery;

use crate::http::failure_dto::FailuresBody;
use crate::http::problem::Problem;
use crate::http::state::ApiState;

/// Group failures
///
/// Failed jobs by cause and host, the largest groups first, each with the filter that changes just
/// its jobs. The newest 5,000 jobs are looked at; `is_exact` is false if there are more.
#[utoipa::path(
    get,
    path = "/v1/failures",
    tag = "operation",
    operation_id = "listFailures",
    params(
        ("created_after" = Option<String>, Query, format = DateTime,
            description = "Only jobs created at this moment or later; RFC 3339",
            example = "2026-01-31T12:00:00Z"),
        ("created_before" = Option<String>, Query, format = DateTime,
            description = "Only jobs created at this moment or earlier; RFC 3339",
            example = "2026-12-31T12:00:00Z"),
        ("error_code" = Option<String>, Query, min_length = 1, max_length = 512,
            pattern = "^[^\\x00]*$",
            description = "Only jobs whose failure is this one"),
        ("host" = Option<String>, Query, min_length = 1, max_length = 512,
            pattern = "^[^\\x00]*$",
            description = "Only jobs whose URL has this host", example = "images.example.org"),
        ("tag" = Option<String>, Query, min_length = 1, max_length = 512,
            pattern = "^[^\\x00]*$",
            description = "Only jobs with this tag"),
        ("batch_id" = Option<uuid::Uuid>, Query, description = "Only jobs of this batch"),
        ("submitted_by" = Option<String>, Query, min_length = 1, max_length = 512,
            pattern = "^[^\\x00]*$",
            description = "Only jobs that the API key of this name submitted"),
        ("limit" = Option<u64>, Query, minimum = 1,
            description = "Most groups; a value above the server's maximum is capped"),
    ),
    responses((status = 200, description = "The groups", body = FailuresBody))
)]
pub async fn list(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let settings = &state.settings;
    let query = FailuresQuery::parse(
        request.query_string(),
        settings.default_page_size,
        settings.max_page_size,
    )?;
    let database = state.database.clone();
    let limit = query.limit;
    let grouping = async move { database.failures(&query.filter, limit).await };
    let failures = state.bounded("database", grouping).await?;
    Ok(HttpResponse::Ok().json(FailuresBody::new(failures, limit)))
}
