//! `POST /v1/images`

use std::sync::Arc;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use thumbforge_intake::members;
use thumbforge_intake::requests::SubmitBody;

use crate::db::{Answering, DbError, Kept, KeyClaim, StoredAnswer, Submission};
use crate::domain::{Job, Request};
use crate::http::body;
use crate::http::caller::Caller;
use crate::http::dto::JobBody;
use crate::http::events::ended_within;
use crate::http::idempotency::{self, IdempotencyKey};
use crate::http::prefer;
use crate::http::prefix::Prefix;
use crate::http::problem::Problem;
use crate::http::state::ApiState;
use crate::http::submission::{count_pending, request_of, traceparent};

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
        ("Prefer" = Option<String>, Header, example = "wait=10",
            description = "`wait=N`: answer when the job has ended, or after N seconds, 30 at most. \
                It means nothing beside an `Idempotency-Key`, whose answers are kept"),
    ),
    request_body(content = SubmitBody, content_type = "application/json"),
    responses((
        status = 200,
        description = "The job has ended, as `Prefer: wait` asked for.",
        body = JobBody,
        headers(
            ("Location" = String, description = "Path of the job"),
            ("Preference-Applied" = String, description = "`wait=N`"),
            ("Thumbforge-Duplicate" = Option<String>, description = "`reused` if the job is an earlier one"),
        ),
    ), (
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
    let mut wanted = request_of(body, &state, caller.label())?;
    wanted.labels.traceparent = traceparent(&request);
    let place = match &state.backlog {
        Some(limit) => Some(limit.admit(|enough| count_pending(&state, enough)).await?),
        None => None,
    };
    let prefix = Prefix::of(&request);
    let kept = store(&state, wanted, claim.clone(), prefix.clone()).await?;
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
            Submission::Created(job) => wait_or_accept(&request, &state, job, false).await,
            Submission::Reused(job) => wait_or_accept(&request, &state, job, true).await,
            Submission::Rejected { active } => Err(Problem::duplicate_active(active)),
        },
        (kept, Some(claim)) => {
            let response = idempotency::repeated(&state, &claim, kept).await?;
            response.ok_or_else(Problem::internal)
        }
        (_, None) => Err(Problem::internal()),
    }
}

/// Submits without an `Idempotency-Key`.
///
/// # Errors
/// Why it is refused.
pub(crate) async fn submit_once(
    state: &web::Data<ApiState>,
    body: SubmitBody,
    caller: &Caller,
) -> Result<Submission, Problem> {
    let wanted = request_of(body, state, caller.label())?;
    let place = match &state.backlog {
        Some(limit) => Some(limit.admit(|enough| count_pending(state, enough)).await?),
        None => None,
    };
    let kept = store(state, wanted, None, Prefix::default()).await?;
    let Kept::New { made, .. } = kept else {
        return Err(Problem::internal());
    };
    if let (Some(place), Submission::Reused(_) | Submission::Rejected { .. }) = (place, &made) {
        place.give_back();
    }
    Ok(made)
}

/// Commits the job, then announces it while the client does not wait. Both happen on the parts'
/// runtime, whatever becomes of the client, and without another hop between threads.
async fn store(
    state: &web::Data<ApiState>,
    request: Request,
    claim: Option<KeyClaim>,
    prefix: Prefix,
) -> Result<Kept<Submission>, Problem> {
    let parts = state.clone().into_inner();
    let submitting = async move {
        let kept = match claim {
            None => Kept::New {
                made: parts.database.submit(request).await?,
                answer: None,
            },
            Some(claim) => {
                let answering: Answering<Submission> =
                    Arc::new(move |submission| stored_answer(submission, &prefix));
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

/// The same as [`answer`] with 202, to be kept. Its `Location` is without a prefix, which is put before it
/// whenever it is sent.
fn stored_answer(submission: &Submission, prefix: &Prefix) -> Option<StoredAnswer> {
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
    let body = serde_json::to_string(&JobBody::new(job.clone(), prefix));
    Some(StoredAnswer {
        status: 202,
        headers,
        body: body
            .inspect_err(|error| tracing::error!(%error, "a job could not be written"))
            .ok()?,
    })
}

/// The job has ended if the client preferred to wait, and that was soon enough.
async fn wait_or_accept(
    request: &HttpRequest,
    state: &ApiState,
    job: Job,
    reused: bool,
) -> Result<HttpResponse, Problem> {
    let prefix = Prefix::of(request);
    let Some(wait) = prefer::wait(request.headers()) else {
        return Ok(answer(&mut HttpResponse::Accepted(), job, reused, &prefix));
    };
    // Whatever goes wrong in the wait, the job is accepted.
    let ended = match ended_within(request, state, job.id, wait).await {
        Ok(found) => found.filter(|job| job.finished_at().is_some()),
        Err(_) => None,
    };
    let Some(ended) = ended else {
        return Ok(answer(&mut HttpResponse::Accepted(), job, reused, &prefix));
    };
    let mut response = HttpResponse::Ok();
    let applied = format!("wait={}", wait.as_secs());
    response.insert_header((prefer::APPLIED, applied));
    Ok(answer(&mut response, ended, reused, &prefix))
}

fn answer(
    response: &mut HttpResponseBuilder,
    job: Job,
    reused: bool,
    prefix: &Prefix,
) -> HttpResponse {
    response.insert_header((header::LOCATION, format!("/v1/images/{}", job.id)));
    if reused {
        response.insert_header((DUPLICATE_HEADER, "reused"));
    }
    response.json(JobBody::new(job, prefix))
}
