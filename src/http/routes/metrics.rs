//! `GET /v1/metrics`

use actix_web::{HttpResponse, web};

use crate::http::dto::Metrics;
use crate::http::problem::Problem;
use crate::http::state::ApiState;

/// Count jobs
#[utoipa::path(
    get,
    path = "/v1/metrics",
    tag = "operation",
    operation_id = "getMetrics",
    responses((status = 200, description = "The counts", body = Metrics))
)]
pub async fn metrics(state: web::Data<ApiState>) -> Result<HttpResponse, Problem> {
    let database = state.database.clone();
    let counting = async move { database.counts().await };
    let counts = state.bounded("database", counting).await?;
    Ok(HttpResponse::Ok().json(Metrics {
        total: counts.pending + counts.processing + counts.completed + counts.failed,
        pending: counts.pending,
        processing: counts.processing,
        completed: counts.completed,
        failed: counts.failed,
        oldest_pending_seconds: counts.oldest_pending_seconds,
        oldest_parked_seconds: counts.oldest_parked_seconds,
        workers_alive: counts.workers_alive,
    }))
}
