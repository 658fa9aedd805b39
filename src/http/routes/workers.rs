//! `GET /v1/workers`

use actix_web::{HttpRequest, HttpResponse, web};
use thumbforge_intake::query::read_parameters;

use crate::http::problem::Problem;
use crate::http::state::ApiState;
use crate::http::worker_dto::WorkersBody;

/// List workers
///
/// The live worker processes, what each does now, and whether there is work that nobody does.
#[utoipa::path(
    get,
    path = "/v1/workers",
    tag = "operation",
    operation_id = "listWorkers",
    responses((status = 200, description = "The workers", body = WorkersBody))
)]
pub async fn list(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    read_parameters(request.query_string(), |_, _| {
        Err("is not known; no parameter is expected")
    })?;
    let database = state.database.clone();
    let reporting = async move { database.report_workers().await };
    let report = state.bounded("database", reporting).await?;
    Ok(HttpResponse::Ok().json(WorkersBody::from(report)))
}
