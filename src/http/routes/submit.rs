//! `POST /v1/images`

use std::sync::Arc;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use thumbforge_intake::members;
use thumbforge_intake::requests::SubmitBody;

use crate::db::{Answering, DbError, Kept, KeyClaim, StoredAnswer, Submission};
use crate::domain::{Job, Request};
use crate::http::body;
use crate::http::caller::Caller;
use crate::http::dto::JobBody;
use crate::http::idempotency::{self, IdempotencyKey};
use crate::http::problem::Problem;
use crate::http::state::ApiState;
use crate::http::submission::{count_pending, request_of};

/// Marks that the job in the answer is an earlier one.
pub const DUPLICATE_HEADER: &str = "thumbforge-duplicate";

/// Submit an image
///
/// Accepts the URL of an image and answers with the job that will make its thumbnail, or the
/// requested variants. An accepted job is stored: it ends `completed` or `failed`.
#[utoipa::path(
    post,
    path = "/v1/images",
    tag = "images",
    operation_id = "submitImage",
    params(
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255,
            pattern = "^[!-~]+$",
            description = "A request that is sent again with its key gets its first answer again"),
    ),
    request_body(content = SubmitBody, content_type = "application/json"),
    responses((
        status = 202,
        description = "The job is stored. With the policy `reuse-completed` it may be an earlier, \
            completed one.",
        body = JobBody,
        headers(
            ("Location" = String, description = "Path of the job"),
            ("Thumbforge-Duplicate" = Option<String>, description = "`reused` if the job is an earlier one"),
            ("Idempotent-Replayed" = Option<String>, description = "`true` if this is an earlier answer"),
        ),
    ))
)]
pub async fn submit(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let caller = Caller::of(&request);
    let key = IdempotencyKey::of(&request, &caller)?;
    let bytes = body::read_json(&request, payload).await?;
    let claim = key.map(|key| key.with_body(&bytes));
    if let Some(claim) = &claim
        && let Some(response) = idempotency::answered_before(&state, claim).await?
    {
        return Ok(response);
    }
    let body: SubmitBody = members::parse(&bytes)?;
    let wanted = request_of(body, &state, caller.label())?;
    let place = match &state.backlog {
        Some(limit) => Some(limit.admit(|enough| count_pending(&state, enough)).await?),
        None => None,
    };
    let kept = store(&state, wanted, claim.clone()).await?;
    let is_created = matches!(
        &kept,
        Kept::New {
            made: Submission::Created(_),
            ..
        }
    );
    if let Some(place) = place
        && !is_created
    {
        place.give_back();
    }
    match (kept, claim) {
        (
            Kept::New {
                answer: Some(answer),
                ..
            },
            _,
        ) => Ok(idempotency::response(answer, false)),
        (Kept::New { made, .. }, _) => match made {
            Submission::Created(job) => Ok(accepted(job, false)),
            Submission::Reused(job) => Ok(accepted(job, true)),
            Submission::Rejected { active } => Err(Problem::duplicate_active(active)),
        },
        (kept, Some(claim)) => {
            let response = idempotency::repeated(&state, &claim, kept).await?;
            response.ok_or_else(Problem::internal)
        }
        (_, None) => Err(Problem::internal()),
    }
}

/// Commits the job, then announces it while the client does not wait. Both happen on the parts'
/// runtime, whatever becomes of the client, and without another hop between threads.
async fn store(
    state: &web::Data<ApiState>,
    request: Request,
    claim: Option<KeyClaim>,
) -> Result<Kept<Submission>, Problem> {
    let parts = state.clone().into_inner();
    let submitting = async move {
        let kept = match claim {
            None => Kept::New {
                made: parts.database.submit(request).await?,
                answer: None,
            },
            Some(claim) => {
                let answering: Answering<Submission> = Arc::new(stored_answer);
                parts
                    .database
                    .submit_once(request, claim, answering)
                    .await?
            }
        };
        if let Kept::New {
            made: Submission::Created(job),
            ..
        } = &kept
        {
            let (queue, id) = (parts.queue.clone(), job.id);
            parts.background.spawn(async move { queue.push(id).await });
        }
        Ok::<_, DbError>(kept)
    };
    state.bounded("database", submitting).await
}

/// The same as [`accepted`], to be kept.
fn stored_answer(submission: &Submission) -> Option<StoredAnswer> {
    let (job, reused) = match submission {
        Submission::Created(job) => (job, false),
        Submission::Reused(job) => (job, true),
        Submission::Rejected { .. } => return None,
    };
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut headers = vec![
        header("content-type", "application/json"),
        header("location", &format!("/v1/images/{}", job.id)),
    ];
    if reused {
        headers.push(header(DUPLICATE_HEADER, "reused"));
    }
    let body = serde_json::to_string(&JobBody::from(job.clone()));
    Some(StoredAnswer {
        status: 202,
        headers,
        body: body
            .inspect_err(|error| tracing::error!(%error, "a job could not be written"))
            .ok()?,
    })
}

fn accepted(job: Job, reused: bool) -> HttpResponse {
    let mut response = HttpResponse::Accepted();
    response.insert_header((header::LOCATION, format!("/v1/images/{}", job.id)));
    if reused {
        response.insert_header((DUPLICATE_HEADER, "reused"));
    }
    response.json(JobBody::from(job))
}
