//! `GET /v1/flow`

use actix_web::{HttpRequest, HttpResponse, web};
use thumbforge_intake::FlowQuery;

use crate::http::flow_dto::FlowBody;
use crate::http::problem::Problem;
use crate::http::state::ApiState;

/// Count ended jobs over time
///
/// How many jobs completed, failed and were cancelled in each minute, hour or day (UTC), and how long
/// they waited and were worked on. It costs the same however many jobs there are. Minutes are kept
/// for 3 days, hours for 400, days for ever.
#[utoipa::path(
    get,
    path = "/v1/flow",
    tag = "operation",
    operation_id = "getFlow",
    params(
        ("from" = Option<String>, Query, format = DateTime,
            description = "The first bucket holds this moment; RFC 3339. By default an hour of \
                minutes, a day of hours or 30 days",
            example = "2026-01-31T12:00:00Z"),
        ("to" = Option<String>, Query, format = DateTime,
            description = "The last bucket holds this moment; RFC 3339. By default now",
            example = "2026-01-31T13:00:00Z"),
        ("step" = Option<String>, Query, description = "`minute` (default), `hour` or `day`",
            pattern = "^(minute|hour|day)$", example = "hour"),
    ),
    responses((status = 200, description = "The buckets", body = FlowBody))
)]
pub async fn show(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let query = FlowQuery::parse(request.query_string())?;
    let database = state.database.clone();
    let now = state.bounded("database", async move { database.now().await });
    let range = query.range(now.await?)?;
    let database = state.database.clone();
    let reading = async move { database.flow(range).await };
    let flow = state.bounded("database", reading).await?;
    Ok(HttpResponse::Ok().json(FlowBody::new(range, flow)))
}
