//! `POST /v1/actions`, `GET /v1/actions/{action_id}` and `POST /v1/actions/{action_id}/abort`

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use thumbforge_intake::{ActionBody, ActionWord, Filter, RequestFault};

use crate::domain::JobId;
use crate::domain::action::{Action, ActionKind, ActionStatus, ActionTarget};
use crate::http::action_dto::{ActionAnswer, DryRunAnswer};
use crate::http::body;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::problem_kind::ProblemKind;
use crate::http::state::ApiState;

/// Change many jobs
///
/// Retries, cancels or deletes jobs by their ids or by a filter, in slices, while everything else
/// goes on. `dry_run` only counts them; with `expected_count` nothing is done if their number is
/// another one. Jobs that are created later are not concerned. A job in no fitting state is skipped
/// and counted.
#[utoipa::path(
    post,
    path = "/v1/actions",
    tag = "images",
    operation_id = "beginAction",
    request_body(content = ActionBody, content_type = "application/json"),
    responses(
        (status = 200, description = "Nothing is done: a dry run", body = DryRunAnswer),
        (status = 202, description = "The action runs", body = ActionAnswer,
            headers(("Location" = String, description = "Path of the action"))),
    )
)]
pub async fn begin(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let body: ActionBody = body::read_object(&request, payload).await?;
    let kind = match body.action {
        ActionWord::Retry => ActionKind::Retry,
        ActionWord::Cancel => ActionKind::Cancel,
        ActionWord::Delete => ActionKind::Delete,
    };
    let target = match (body.filter, body.ids) {
        (Some(Filter(filter)), _) => ActionTarget::Filter(filter),
        (None, ids) => ActionTarget::Ids(ids.unwrap_or_default().into_iter().map(JobId).collect()),
    };
    if body.dry_run == Some(true) {
        let (target, matched) = frozen(&state, target, body.expected_count).await?;
        return Ok(HttpResponse::Ok().json(DryRunAnswer::new(kind, &target, matched)));
    }
    let caller = Caller::of(&request);
    let action = begin_on(&state, kind, target, body.expected_count, &caller).await?;
    let place = format!("/v1/actions/{}", action.id);
    Ok(HttpResponse::Accepted()
        .insert_header((header::LOCATION, place))
        .json(ActionAnswer::from(action)))
}

/// Begins an action on `target`.
///
/// # Errors
/// If another number of jobs matches than is expected.
pub(crate) async fn begin_on(
    state: &ApiState,
    kind: ActionKind,
    target: ActionTarget,
    expected: Option<u64>,
    caller: &Caller,
) -> Result<Action, Problem> {
    let (target, matched) = frozen(state, target, expected).await?;
    let (database, label) = (state.database.clone(), caller.label());
    let beginning = async move { database.begin_action(kind, &target, matched, label).await };
    state.bounded("database", beginning).await
}

/// What is concerned from now on, and how many jobs that are.
async fn frozen(
    state: &ApiState,
    target: ActionTarget,
    expected: Option<u64>,
) -> Result<(ActionTarget, u64), Problem> {
    let freezing = state.ask(|database| async move { database.freeze(target).await });
    let (target, matched) = freezing.await?;
    if let Some(expected) = expected
        && expected != matched
    {
        let fault = RequestFault::in_body("#/expected_count", format!("{matched} jobs match"));
        let detail = format!("{matched} jobs match, and not {expected}: nothing is done.");
        return Err(Problem::new(ProblemKind::CountMismatch, detail).with_errors(vec![fault]));
    }
    Ok((target, matched))
}

/// Show an action
#[utoipa::path(
    get,
    path = "/v1/actions/{action_id}",
    tag = "images",
    operation_id = "showAction",
    params(("action_id" = uuid::Uuid, Path, description = "The id of the action")),
    responses((status = 200, description = "The action", body = ActionAnswer))
)]
pub async fn show(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let action = find(&state, action_id(&request)?).await?;
    Ok(HttpResponse::Ok().json(ActionAnswer::from(action)))
}

/// Abort an action
///
/// It ends after the slice that it is at. What it did stays.
#[utoipa::path(
    post,
    path = "/v1/actions/{action_id}/abort",
    tag = "images",
    operation_id = "abortAction",
    params(("action_id" = uuid::Uuid, Path, description = "The id of the action")),
    responses((status = 200, description = "The action, aborted", body = ActionAnswer))
)]
pub async fn abort(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let id = action_id(&request)?;
    let database = state.database.clone();
    let aborting = async move { database.abort_action(id).await };
    state.bounded("database", aborting).await?;
    let action = find(&state, id).await?;
    if action.status == ActionStatus::Done {
        let detail = "The action is done.";
        return Err(Problem::new(ProblemKind::AlreadyEnded, detail));
    }
    Ok(HttpResponse::Ok().json(ActionAnswer::from(action)))
}

pub(crate) fn action_id(request: &HttpRequest) -> Result<uuid::Uuid, Problem> {
    let text = request.match_info().query("action_id");
    text.parse().map_err(|_| {
        let fault = RequestFault::in_parameter("action_id", "must be a UUID");
        let detail = "Use the id that POST /v1/actions returned.";
        Problem::new(ProblemKind::InvalidActionId, detail).with_errors(vec![fault])
    })
}

pub(crate) async fn find(state: &ApiState, id: uuid::Uuid) -> Result<Action, Problem> {
    let database = state.database.clone();
    let finding = async move { database.find_action(id).await };
    let found = state.bounded("database", finding).await?;
    found.ok_or_else(|| Problem::new(ProblemKind::ActionNotFound, "No action has this id."))
}
