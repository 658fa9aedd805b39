//! `POST /v1/images/{job_id}/cancel`, `…/retry` and `DELETE /v1/images/{job_id}`
//!
//! A body is not read: there is nothing to say.

use actix_web::{HttpRequest, HttpResponse, web};

use super::show::find;
use crate::domain::{Job, JobId, JobStatus, transition};
use crate::http::caller::Caller;
use crate::http::dto::JobBody;
use crate::http::prefix::Prefix;
use crate::http::problem::Problem;
use crate::http::problem_kind::ProblemKind;
use crate::http::state::ApiState;

/// Cancel a job
///
/// A pending job is cancelled at once. A job in work is cancelled too: what its worker makes is
/// thrown away. A cancelled job stays as it is.
#[utoipa::path(
    post,
    path = "/v1/images/{job_id}/cancel",
    tag = "images",
    operation_id = "cancelImage",
    params(("job_id" = uuid::Uuid, Path, description = "The id of the job")),
    responses((status = 200, description = "The job, cancelled", body = JobBody))
)]
pub async fn cancel(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let id = own_job(&request, &state).await?.id;
    let database = state.database.clone();
    let cancelling = async move { database.cancel(&[id]).await };
    state.bounded("database", cancelling).await?;
    let job = find(&state, id).await?;
    if job.status != JobStatus::Cancelled {
        let detail = format!("The job is {}.", job.status.as_str());
        return Err(Problem::new(ProblemKind::AlreadyEnded, detail));
    }
    Ok(HttpResponse::Ok().json(JobBody::new(job, &Prefix::of(&request))))
}

/// Retry a job
///
/// A failed or cancelled job is pending again, with all its attempts.
#[utoipa::path(
    post,
    path = "/v1/images/{job_id}/retry",
    tag = "images",
    operation_id = "retryImage",
    params(("job_id" = uuid::Uuid, Path, description = "The id of the job")),
    responses((status = 200, description = "The job, pending", body = JobBody))
)]
pub async fn retry(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let id = own_job(&request, &state).await?.id;
    let parts = state.clone().into_inner();
    let retrying = async move {
        let retried = parts.database.retry(&[id]).await?;
        if !retried.is_empty() {
            let queue = parts.queue.clone();
            parts.background.spawn(async move { queue.push(id).await });
        }
        Ok::<_, crate::db::DbError>(retried)
    };
    let retried = state.bounded("database", retrying).await?;
    let job = find(&state, id).await?;
    if retried.is_empty() {
        return Err(not_retried(&state, &job).await);
    }
    Ok(HttpResponse::Ok().json(JobBody::new(job, &Prefix::of(&request))))
}

async fn not_retried(state: &web::Data<ApiState>, job: &Job) -> Problem {
    if job.status == JobStatus::Completed || transition::is_active(job.status) {
        let detail = format!("The job is {}.", job.status.as_str());
        return Problem::new(ProblemKind::NotRetryable, detail);
    }
    let (database, id) = (state.database.clone(), job.id);
    let looking = async move { database.active_duplicate_of(id).await };
    match state.bounded("database", looking).await {
        Ok(Some(active)) => Problem::duplicate_active(active),
        Ok(None) => Problem::new(ProblemKind::NotRetryable, "The job was changed meanwhile."),
        Err(problem) => problem,
    }
}

/// Delete a job
///
/// In any state, with its files. A worker that is at work on it publishes nothing.
#[utoipa::path(
    delete,
    path = "/v1/images/{job_id}",
    tag = "images",
    operation_id = "deleteImage",
    params(("job_id" = uuid::Uuid, Path, description = "The id of the job")),
    responses((status = 204, description = "The job is gone; its files follow within seconds"))
)]
pub async fn delete(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let id = own_job(&request, &state).await?.id;
    let database = state.database.clone();
    let deleting = async move { database.delete(&[id]).await };
    match state.bounded("database", deleting).await?[..] {
        [] => Err(super::no_such_job()),
        _ => Ok(HttpResponse::NoContent().finish()),
    }
}

/// The job of the path, if the caller may change it.
async fn own_job(request: &HttpRequest, state: &ApiState) -> Result<Job, Problem> {
    let id: JobId = super::job_id(request)?;
    let caller = Caller::of(request);
    let job = find(state, id).await?;
    caller.may_change(&job)?;
    Ok(job)
}
