//! What a submission asks for, and whether it may.

use actix_web::HttpRequest;
use thumbforge_intake::RequestFault;
use thumbforge_intake::requests::SubmitBody;

use super::problem::Problem;
use super::problem_kind::ProblemKind;
use super::state::{ApiState, SourceCheck};
use crate::domain::{Labels, Request, Schedule, SourceUrl, TraceParent, Variants};

/// The job that a body asks for, in the name of an API key.
///
/// # Errors
/// What the client is told.
pub(super) fn request_of(
    body: SubmitBody,
    state: &ApiState,
    submitted_by: Option<String>,
) -> Result<Request, Problem> {
    let variants = what_to_make(&body, state)?;
    let url = acceptable(&body.url, state)?;
    Ok(Request {
        url,
        policy: body.duplicate.unwrap_or(state.settings.duplicate_handling),
        schedule: Schedule {
            priority: body.priority.unwrap_or_default(),
            not_before: body.not_before,
        },
        variants,
        labels: Labels {
            tags: body.tags.0,
            metadata: body.metadata.map(|metadata| metadata.0),
            submitted_by,
            expires_in: body.expires_in,
            traceparent: None,
        },
    })
}

/// In which trace a request was made. One that is not well-formed is none, and no fault of the
/// request (W3C Trace Context, §3.2.2.5).
pub(super) fn traceparent(request: &HttpRequest) -> Option<TraceParent> {
    let mut fields = request.headers().get_all("traceparent");
    let text = fields.next()?.to_str().ok()?;
    TraceParent::parse(text).filter(|_| fields.next().is_none())
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
    judged(text, &state.source_check, ProblemKind::ForbiddenSource)
}

/// The URL in the member `url`, if `check` lets it through; else a problem of the kind `forbidden`.
pub(super) fn judged(
    text: &str,
    check: &SourceCheck,
    forbidden: ProblemKind,
) -> Result<SourceUrl, Problem> {
    let refuse = |kind, reason: String| {
        let detail = format!("The URL was refused: {reason}.");
        Problem::new(kind, detail).with_errors(vec![RequestFault::in_body("#/url", reason)])
    };
    let url = SourceUrl::parse(text)
        .map_err(|error| refuse(ProblemKind::InvalidUrl, error.to_string()))?;
    check(&url).map_err(|reason| refuse(forbidden, reason))?;
    Ok(url)
}

/// How many jobs are pending, counted up to `enough`.
pub(super) async fn count_pending(state: &ApiState, enough: u64) -> Result<u64, Problem> {
    let database = state.database.clone();
    let counting = async move { database.pending_up_to(enough).await };
    state.bounded("database", counting).await
}
