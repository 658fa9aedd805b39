//! `POST /v1/origins/pause`, `/resume`, `/reset` and `POST /v1/queue/pause`, `/resume`

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse, web};
use thumbforge_intake::requests::{NothingBody, OriginBody};

use crate::http::body;
use crate::http::origin_dto::{OriginItem, QueueBody};
use crate::http::problem::Problem;
use crate::http::state::ApiState;

#[derive(Clone, Copy)]
enum Brake {
    Pause,
    Resume,
    Reset,
}

/// Pause an origin
///
/// None of its jobs starts until it is resumed; those in work go on.
#[utoipa::path(
    post,
    path = "/v1/origins/pause",
    tag = "operation",
    operation_id = "pauseOrigin",
    request_body(content = OriginBody, content_type = "application/json"),
    responses((status = 200, description = "The origin, paused", body = OriginItem))
)]
pub async fn pause_origin(
    request: HttpRequest,
    payload: Payload,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    one(request, payload, state, Brake::Pause).await
}

/// Resume an origin
///
/// Its jobs may start again, unless the origin is parked.
#[utoipa::path(
    post,
    path = "/v1/origins/resume",
    tag = "operation",
    operation_id = "resumeOrigin",
    request_body(content = OriginBody, content_type = "application/json"),
    responses((status = 200, description = "The origin, not paused", body = OriginItem))
)]
pub async fn resume_origin(
    request: HttpRequest,
    payload: Payload,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    one(request, payload, state, Brake::Resume).await
}

/// Reset an origin
///
/// Forgets what was learned of it: its park, its rate and its failures, but not that it is paused.
#[utoipa::path(
    post,
    path = "/v1/origins/reset",
    tag = "operation",
    operation_id = "resetOrigin",
    request_body(content = OriginBody, content_type = "application/json"),
    responses((status = 200, description = "The origin, as if nothing had been learned", body = OriginItem))
)]
pub async fn reset_origin(
    request: HttpRequest,
    payload: Payload,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    one(request, payload, state, Brake::Reset).await
}

async fn one(
    request: HttpRequest,
    payload: Payload,
    state: web::Data<ApiState>,
    brake: Brake,
) -> Result<HttpResponse, Problem> {
    let OriginBody { origin } = body::read_object(&request, payload).await?;
    let database = state.database.clone();
    let changing = async move {
        match brake {
            Brake::Pause => database.pause_origin(&origin, true).await?,
            Brake::Resume => database.pause_origin(&origin, false).await?,
            Brake::Reset => database.reset_origin(&origin).await?,
        }
        database.find_origin(&origin).await
    };
    let report = state.bounded("database", changing).await?;
    Ok(HttpResponse::Ok().json(OriginItem::from(report)))
}

/// Pause everything
///
/// No job starts until the queue is resumed; those in work go on, and submissions are accepted.
#[utoipa::path(
    post,
    path = "/v1/queue/pause",
    tag = "operation",
    operation_id = "pauseQueue",
    request_body(content = NothingBody, content_type = "application/json"),
    responses((status = 200, description = "Everything is paused", body = QueueBody))
)]
pub async fn pause_queue(
    request: HttpRequest,
    payload: Payload,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    all(request, payload, state, true).await
}

/// Resume everything
///
/// Jobs start again, but those of origins that are paused or parked by themselves.
#[utoipa::path(
    post,
    path = "/v1/queue/resume",
    tag = "operation",
    operation_id = "resumeQueue",
    request_body(content = NothingBody, content_type = "application/json"),
    responses((status = 200, description = "Nothing is paused but single origins", body = QueueBody))
)]
pub async fn resume_queue(
    request: HttpRequest,
    payload: Payload,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    all(request, payload, state, false).await
}

async fn all(
    request: HttpRequest,
    payload: Payload,
    state: web::Data<ApiState>,
    paused: bool,
) -> Result<HttpResponse, Problem> {
    let _: Option<NothingBody> = body::read_optional_object(&request, payload).await?;
    let database = state.database.clone();
    let changing = async move { database.pause_queue(paused).await };
    state.bounded("database", changing).await?;
    Ok(HttpResponse::Ok().json(QueueBody { paused }))
}
