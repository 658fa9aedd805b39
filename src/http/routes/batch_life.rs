//! `POST /v1/batches/{batch_id}/cancel` and `…/retry`
//!
//! The jobs are changed a slice at a time. What a request does not wait for goes on in the
//! background; a process that ends meanwhile leaves the rest, and the call may be repeated.

use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::batches::{batch_id, find};
use crate::db::DbError;
use crate::domain::{JobId, ListPlace};
use crate::http::batch_dto::BatchAnswer;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::state::ApiState;

/// Jobs that are changed in one statement.
const SLICE: u32 = 500;
/// How long a request waits for the last slice.
const WAIT: Duration = Duration::from_secs(3);

/// Cancel a batch
///
/// Its pending jobs are cancelled, and those in work: what their workers make is thrown away. A
/// batch that takes items takes no more. A large batch may still be being cancelled after the
/// answer. Earlier jobs that stand for items are left as they are.
#[utoipa::path(
    post,
    path = "/v1/batches/{batch_id}/cancel",
    tag = "batches",
    operation_id = "cancelBatch",
    params(("batch_id" = uuid::Uuid, Path, description = "The id of the batch")),
    responses((status = 200, description = "The batch", body = BatchAnswer))
)]
pub async fn cancel(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    change(request, state, Change::Cancel).await
}

/// Retry a batch
///
/// Its failed and cancelled jobs are pending again, with all their attempts. A large batch may
/// still be being retried after the answer.
#[utoipa::path(
    post,
    path = "/v1/batches/{batch_id}/retry",
    tag = "batches",
    operation_id = "retryBatch",
    params(("batch_id" = uuid::Uuid, Path, description = "The id of the batch")),
    responses((status = 200, description = "The batch", body = BatchAnswer))
)]
pub async fn retry(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    change(request, state, Change::Retry).await
}

#[derive(Clone, Copy)]
enum Change {
    Cancel,
    Retry,
}

async fn change(
    request: HttpRequest,
    state: web::Data<ApiState>,
    change: Change,
) -> Result<HttpResponse, Problem> {
    let id = batch_id(&request)?;
    let caller = Caller::of(&request);
    let batch = find(&state, id).await?;
    caller.may_change_what(batch.submitted_by.as_deref())?;
    let parts = state.clone().into_inner();
    let (done, ended) = oneshot::channel();
    state.spawn(async move {
        let changed = match change {
            Change::Cancel => cancel_all(&parts, id).await,
            Change::Retry => retry_all(&parts, id).await,
        };
        // Nobody may wait any more.
        if let Err(Err(error)) = done.send(changed) {
            tracing::warn!(%error, batch = %id, "not all jobs of a batch were changed");
        }
    });
    let waiting = async move {
        match tokio::time::timeout(WAIT, ended).await {
            Ok(Ok(changed)) => changed,
            // It goes on.
            Ok(Err(_)) | Err(_) => Ok(()),
        }
    };
    state.bounded("database", waiting).await?;
    let batch = find(&state, id).await?;
    Ok(HttpResponse::Ok().json(BatchAnswer::from(batch)))
}

async fn cancel_all(parts: &Arc<ApiState>, batch: Uuid) -> Result<(), DbError> {
    let database = &parts.database;
    database.end_acceptance(batch, true).await?;
    loop {
        let active = database.active_of_batch(batch, SLICE).await?;
        if active.is_empty() {
            return Ok(());
        }
        database.cancel(&active).await?;
    }
}

async fn retry_all(parts: &Arc<ApiState>, batch: Uuid) -> Result<(), DbError> {
    let database = &parts.database;
    let mut after: Option<ListPlace> = None;
    loop {
        let places = database.retryable_of_batch(batch, after, SLICE).await?;
        after = places.last().copied();
        if places.is_empty() {
            return Ok(());
        }
        let ids: Vec<JobId> = places.iter().map(|place| JobId(place.id)).collect();
        let retried = database.retry(&ids).await?;
        parts.queue.push_many(&retried).await;
    }
}
