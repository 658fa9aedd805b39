//! `POST /v1/images`

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use thumbforge_intake::RequestFault;
use thumbforge_intake::requests::SubmitBody;

use crate::db::{DbError, Submission};
use crate::domain::{Job, Labels, Request, Schedule, SourceUrl, Variants};
use crate::http::body;
use crate::http::caller::Caller;
use crate::http::dto::JobBody;
use crate::http::problem::Problem;
use crate::http::problem_kind::ProblemKind;
use crate::http::state::ApiState;

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
    request_body(content = SubmitBody, content_type = "application/json"),
    responses((
        status = 202,
        description = "The job is stored. With the policy `reuse-completed` it may be an earlier, \
            completed one.",
        body = JobBody,
        headers(
            ("Location" = String, description = "Path of the job"),
            ("Thumbforge-Duplicate" = Option<String>, description = "`reused` if the job is an earlier one"),
        ),
    ))
)]
pub async fn submit(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let body: SubmitBody = body::read_object(&request, payload).await?;
    let variants = what_to_make(&body, &state)?;
    let url = acceptable(&body.url, &state)?;
    let policy = body.duplicate.unwrap_or(state.settings.duplicate_handling);
    let place = match &state.backlog {
        Some(limit) => Some(limit.admit(|enough| count_pending(&state, enough)).await?),
        None => None,
    };
    let wanted = Request {
        url,
        policy,
        schedule: Schedule {
            priority: body.priority.unwrap_or_default(),
            not_before: body.not_before,
        },
        variants,
        labels: Labels {
            tags: body.tags.0,
            metadata: body.metadata.map(|metadata| metadata.0),
            submitted_by: Caller::of(&request).label(),
            expires_in: body.expires_in,
        },
    };
    let submission = store(&state, wanted).await?;
    if let Some(place) = place
        && !matches!(submission, Submission::Created(_))
    {
        place.give_back();
    }
    match submission {
        Submission::Created(job) => Ok(accepted(job, false)),
        Submission::Reused(job) => Ok(accepted(job, true)),
        Submission::Rejected { active } => Err(Problem::duplicate_active(active)),
    }
}

/// The variants that the body asks for, directly or by the name of a preset.
fn what_to_make(body: &SubmitBody, state: &ApiState) -> Result<Option<Variants>, Problem> {
    let Some(name) = &body.preset else {
        return Ok(body.variants.clone());
    };
    let preset = state.settings.presets.get(name).cloned();
    preset.map(Some).ok_or_else(|| {
        let fault = RequestFault::in_body("#/preset", "is not one of the configured presets");
        let detail = "There is no preset of this name.";
        Problem::new(ProblemKind::InvalidBody, detail).with_errors(vec![fault])
    })
}

fn acceptable(text: &str, state: &ApiState) -> Result<SourceUrl, Problem> {
    let refuse = |kind, reason: String| {
        let detail = format!("The URL was refused: {reason}.");
        Problem::new(kind, detail).with_errors(vec![RequestFault::in_body("#/url", reason)])
    };
    let url = SourceUrl::parse(text)
        .map_err(|error| refuse(ProblemKind::InvalidUrl, error.to_string()))?;
    (state.source_check)(&url).map_err(|reason| refuse(ProblemKind::ForbiddenSource, reason))?;
    Ok(url)
}

async fn count_pending(state: &ApiState, enough: u64) -> Result<u64, Problem> {
    let database = state.database.clone();
    state
        .bounded(
            "database",
            async move { database.pending_up_to(enough).await },
        )
        .await
}

/// Commits the job, then announces it while the client does not wait. Both happen on the parts'
/// runtime, whatever becomes of the client, and without another hop between threads.
async fn store(state: &web::Data<ApiState>, request: Request) -> Result<Submission, Problem> {
    let parts = state.clone().into_inner();
    let submitting = async move {
        let submission = parts.database.submit(request).await?;
        if let Submission::Created(job) = &submission {
            let (queue, id) = (parts.queue.clone(), job.id);
            parts.background.spawn(async move { queue.push(id).await });
        }
        Ok::<_, DbError>(submission)
    };
    state.bounded("database", submitting).await
}

fn accepted(job: Job, reused: bool) -> HttpResponse {
    let mut response = HttpResponse::Accepted();
    response.insert_header((header::LOCATION, format!("/v1/images/{}", job.id)));
    if reused {
        response.insert_header((DUPLICATE_HEADER, "reused"));
    }
    response.json(JobBody::from(job))
}
