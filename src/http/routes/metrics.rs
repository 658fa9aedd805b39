//! `GET /v1/metrics`

use actix_web::{HttpResponse, web};

use crate::domain::JobStatus;
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
    Ok(HttpResponse::Ok().json(count(&state).await?))
}

pub(super) async fn count(state: &ApiState) -> Result<Metrics, Problem> {
    let database = state.database.clone();
    let counting = async move { database.counts().await };
    let counts = state.bounded("database", counting).await?;
    let by_status = counts.by_status;
    Ok(Metrics {
        total: by_status.total(),
        pending: by_status.of(JobStatus::Pending),
        processing: by_status.of(JobStatus::Processing),
        completed: by_status.of(JobStatus::Completed),
        failed: by_status.of(JobStatus::Failed),
        cancelled: by_status.of(JobStatus::Cancelled),
        oldest_pending_seconds: counts.oldest_pending_seconds,
        oldest_parked_seconds: counts.oldest_parked_seconds,
        workers_alive: counts.workers_alive,
    })
}
