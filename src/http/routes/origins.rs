//! `GET /v1/origins`

use actix_web::{HttpRequest, HttpResponse, web};

use crate::db::DbError;
use crate::http::origin_dto::{CursorPagination, OriginItem, OriginsBody};
use crate::http::origins_query::{OriginsQuery, cursor};
use crate::http::problem::Problem;
use crate::http::state::ApiState;

/// List origins
///
/// The origins (scheme, host and port) that have open jobs, whose jobs ended within the last hour,
/// or of which something is remembered. Sorted by `origin`, a page costs the same however many
/// there are. The other sorts begin with the largest and read all origins; one that moves between
/// two pages may be listed twice or not at all.
#[utoipa::path(
    get,
    path = "/v1/origins",
    tag = "operation",
    operation_id = "listOrigins",
    params(
        ("sort" = Option<String>, Query,
            description = "`origin` (default), `queued`, `in_flight` or `failed`",
            pattern = "^(origin|queued|in_flight|failed)$", example = "queued"),
        ("cursor" = Option<String>, Query,
            description = "`pagination.next_cursor` of the page before, with the same `sort`"),
        ("limit" = Option<u64>, Query, minimum = 1,
            description = "Origins on a page; a value above the server's maximum is capped"),
    ),
    responses((status = 200, description = "A page of origins", body = OriginsBody))
)]
pub async fn list(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let settings = &state.settings;
    let query = OriginsQuery::parse(
        request.query_string(),
        settings.default_page_size,
        settings.max_page_size,
    )?;
    let (sort, limit) = (query.sort, query.limit);
    let database = state.database.clone();
    let listing = async move {
        let page = database.list_origins(sort, query.after, limit).await?;
        Ok::<_, DbError>((page, database.queue_is_paused().await?))
    };
    let (page, paused) = state.bounded("database", listing).await?;
    Ok(HttpResponse::Ok().json(OriginsBody {
        items: page.origins.into_iter().map(OriginItem::from).collect(),
        paused,
        pagination: CursorPagination {
            limit,
            next_cursor: page.next.map(|place| cursor(sort, &place)),
        },
    }))
}
