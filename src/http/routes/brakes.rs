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

/// A handler: its documentation, and what it does with the body of its request.
macro_rules! handler {
    (
        $(#[$doc:meta])*
        $name:ident($path:tt, $id:tt, $body:tt) -> $answer:tt, $said:tt, by $change:ident($how:expr)
    ) => {
        $(#[$doc])*
        #[utoipa::path(
            post,
            path = $path,
            tag = "operation",
            operation_id = $id,
            request_body(content = $body, content_type = "application/json"),
            responses((status = 200, description = $said, body = $answer))
        )]
        pub async fn $name(
            request: HttpRequest,
            payload: Payload,
            state: web::Data<ApiState>,
        ) -> Result<HttpResponse, Problem> {
            $change(request, payload, state, $how).await
        }
    };
}

handler! {
    /// Pause an origin
    ///
    /// None of its jobs starts until it is resumed; those in work go on.
    pause_origin("/v1/origins/pause", "pauseOrigin", OriginBody) -> OriginItem,
    "The origin, paused",
    by one(Brake::Pause)
}

handler! {
    /// Resume an origin
    ///
    /// Its jobs may start again, unless the origin is parked.
    resume_origin("/v1/origins/resume", "resumeOrigin", OriginBody) -> OriginItem,
    "The origin, not paused",
    by one(Brake::Resume)
}

handler! {
    /// Reset an origin
    ///
    /// Forgets what was learned of it: its park, its rate and its failures, but not that it is
    /// paused.
    reset_origin("/v1/origins/reset", "resetOrigin", OriginBody) -> OriginItem,
    "The origin, as if nothing had been learned",
    by one(Brake::Reset)
}

handler! {
    /// Pause everything
    ///
    /// No job starts until the queue is resumed; those in work go on, and submissions are accepted.
    pause_queue("/v1/queue/pause", "pauseQueue", NothingBody) -> QueueBody,
    "Everything is paused",
    by all(true)
}

handler! {
    /// Resume everything
    ///
    /// Jobs start again, except those of origins that are paused or parked themselves.
    resume_queue("/v1/queue/resume", "resumeQueue", NothingBody) -> QueueBody,
    "Nothing is paused, except single origins",
    by all(false)
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
