//! `GET /v1/images`

use actix_web::{HttpRequest, HttpResponse, web};
use thumbforge_intake::query::{ListQuery, cursor};

use crate::http::dto::{JobBody, ListBody, Pagination, StatusBody};
use crate::http::prefix::Prefix;
use crate::http::problem::Problem;
use crate::http::state::ApiState;

/// List jobs
///
/// Newest first. Unknown and repeated query parameters are refused, so that a misspelt filter does
/// not list everything.
#[utoipa::path(
    get,
    path = "/v1/images",
    tag = "images",
    operation_id = "listImages",
    params(
        ("status" = inline(Option<StatusBody>), Query, description = "Only jobs in this state"),
        ("created_after" = Option<String>, Query, format = DateTime,
            description = "Only jobs created at this moment or later; RFC 3339",
            example = "2026-01-31T12:00:00Z"),
        ("created_before" = Option<String>, Query, format = DateTime,
            description = "Only jobs created at this moment or earlier; RFC 3339",
            example = "2026-12-31T12:00:00Z"),
        ("limit" = Option<u64>, Query, minimum = 1,
            description = "Jobs on a page; a value above the server's maximum is capped"),
        ("offset" = Option<u64>, Query, minimum = 0,
            description = "Jobs to skip; it costs the more the larger it is, and a cursor does not"),
        ("cursor" = Option<String>, Query, min_length = 32, max_length = 32,
            pattern = "^[A-Za-z0-9_-]{32}$",
            description = "The `next_cursor` of the page before"),
        ("error_code" = Option<String>, Query, min_length = 1, max_length = 512,
            pattern = "^[^\\x00]*$",
            description = "Only jobs whose last failure is this one"),
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
    ),
    responses((status = 200, description = "A page of jobs", body = ListBody))
)]
pub async fn list(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let settings = &state.settings;
    let query = ListQuery::parse(
        request.query_string(),
        settings.default_page_size,
        settings.max_page_size,
    )?;
    let (limit, offset) = (query.limit, query.offset);
    let database = state.database.clone();
    let listing = async move {
        let (filter, after) = (query.filter, query.after);
        let page = database.list(&filter, limit, offset, after);
        tokio::try_join!(page, database.total_of(&filter))
    };
    let (page, total) = state.bounded("database", listing).await?;
    let prefix = Prefix::of(&request);
    let bodies = page.jobs.into_iter().map(|job| JobBody::new(job, &prefix));
    Ok(HttpResponse::Ok().json(ListBody {
        items: bodies.collect(),
        pagination: Pagination {
            total: total.total,
            total_is_exact: total.is_exact,
            limit,
            offset,
            has_more: page.next.is_some(),
            next_cursor: page.next.map(cursor),
        },
    }))
}
