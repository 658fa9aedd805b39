//! `GET /v1/healthz`, `/livez`, `/readyz`

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use tokio::runtime::Handle;

use crate::http::dto::Health;
use crate::http::health::HealthCheck;
use crate::http::problem::Problem;
use crate::http::problem_kind::ProblemKind;
use crate::http::state::ApiState;

/// Check health
///
/// Tries to write to the database, the queue and the storage, each for at most two seconds.
#[utoipa::path(
    get,
    path = "/v1/healthz",
    tag = "operation",
    operation_id = "getHealth",
    responses((status = 200, description = "Every part works", body = Health))
)]
pub async fn healthy(state: web::Data<ApiState>) -> Result<HttpResponse, Problem> {
    let failing = state.into_inner().failing(|state| &state.health).await;
    verdict(failing, &[])
}

/// Check readiness
///
/// Whether requests should be sent here: the database and the storage can be written, workers in
/// this process (`all`) consume, and no shutdown has begun. A queue that fails does not count: jobs
/// are accepted, and found, without it. `notes` says what this process can't do although it is ready.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operation",
    operation_id = "getReadiness",
    responses((status = 200, description = "Ready", body = Health))
)]
pub async fn ready(state: web::Data<ApiState>) -> Result<HttpResponse, Problem> {
    let state = state.into_inner();
    if state.is_draining() {
        let detail = "The service is shutting down.";
        return Err(Problem::new(ProblemKind::Unavailable, detail));
    }
    let failing = Arc::clone(&state).failing(|state| &state.readiness).await;
    verdict(failing, state.readiness.notes())
}

/// Check liveness
///
/// Whether the process answers at all; asks no other part.
#[utoipa::path(
    get,
    path = "/livez",
    tag = "operation",
    operation_id = "getLiveness",
    responses((status = 200, description = "Alive", body = Health))
)]
pub async fn live() -> HttpResponse {
    HttpResponse::Ok().json(Health::ok())
}

/// Readiness of a process without the API.
pub async fn parts_ready(
    check: web::Data<HealthCheck>,
    runtime: web::Data<Handle>,
) -> Result<HttpResponse, Problem> {
    let check = check.into_inner();
    let asked = Arc::clone(&check);
    let asked = runtime.spawn(async move { asked.failing().await });
    let failing = asked.await.unwrap_or_else(|error| {
        tracing::error!(%error, "readiness check failed");
        vec!["readiness check"]
    });
    verdict(failing, check.notes())
}

fn verdict(failing: Vec<&'static str>, notes: &[String]) -> Result<HttpResponse, Problem> {
    if failing.is_empty() {
        let notes = notes.to_vec();
        return Ok(HttpResponse::Ok().json(Health {
            notes,
            ..Health::ok()
        }));
    }
    let detail = format!("Failing: {}.", failing.join(", "));
    Err(Problem::new(ProblemKind::Unavailable, detail).with_failing(failing))
}
