//! `GET /v1/images/{job_id}`

use actix_web::{HttpRequest, HttpResponse, web};

use crate::domain::{Job, JobId};
use crate::http::dto::JobBody;
use crate::http::problem::Problem;
use crate::http::state::ApiState;

/// Show a job
#[utoipa::path(
    get,
    path = "/v1/images/{job_id}",
    tag = "images",
    operation_id = "showImage",
    params(("job_id" = uuid::Uuid, Path, description = "The job's id")),
    responses((status = 200, description = "The job", body = JobBody))
)]
pub async fn show(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let id = super::job_id(&request)?;
    let job = find(&state, id).await?;
    let database = state.database.clone();
    let attempts = state.bounded("database", async move { database.attempts_of(id).await });
    Ok(HttpResponse::Ok().json(JobBody::with_attempts(job, attempts.await?)))
}

pub(super) async fn find(state: &ApiState, id: JobId) -> Result<Job, Problem> {
    let database = state.database.clone();
    state
        .bounded("database", async move { database.find(id).await })
        .await?
        .ok_or_else(super::no_such_job)
}
