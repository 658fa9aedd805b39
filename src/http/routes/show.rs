//! `GET /v1/images/{job_id}`

use actix_web::{HttpRequest, HttpResponse, web};
use thumbforge_intake::wait;

use crate::domain::{Job, JobId, PastAttempt};
use crate::http::dto::JobBody;
use crate::http::events::ended_within;
use crate::http::prefix::Prefix;
use crate::http::problem::Problem;
use crate::http::state::ApiState;

/// Show a job
#[utoipa::path(
    get,
    path = "/v1/images/{job_id}",
    tag = "images",
    operation_id = "showImage",
    params(
        ("job_id" = uuid::Uuid, Path, description = "The job's id"),
        ("wait" = Option<u64>, Query, minimum = 0, maximum = 30,
            description = "Seconds to wait for the end of the job; then it is shown as it is"),
    ),
    responses((status = 200, description = "The job", body = JobBody))
)]
pub async fn show(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let id = super::job_id(&request)?;
    let wait = wait(request.query_string())?;
    if !wait.is_zero() {
        ended_within(&request, &state, id, wait).await?;
    }
    let (job, attempts) = find_with_attempts(&state, id).await?;
    let body = JobBody::with_attempts(job, attempts, &Prefix::of(&request));
    Ok(HttpResponse::Ok().json(body))
}

pub(crate) async fn find_with_attempts(
    state: &ApiState,
    id: JobId,
) -> Result<(Job, Vec<PastAttempt>), Problem> {
    state
        .ask(move |database| async move { database.find_with_attempts(id).await })
        .await?
        .ok_or_else(super::no_such_job)
}

pub(crate) async fn find(state: &ApiState, id: JobId) -> Result<Job, Problem> {
    let database = state.database.clone();
    state
        .bounded("database", async move { database.find(id).await })
        .await?
        .ok_or_else(super::no_such_job)
}
