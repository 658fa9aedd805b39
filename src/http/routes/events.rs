//! `GET /v1/events`, `/v1/images/{job_id}/events` and `/v1/batches/{batch_id}/events`

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use thumbforge_intake::EventQuery;
use utoipa::ToSchema;

use super::batches::{batch_id, find as find_batch};
use super::show::find as find_job;
use crate::db::EventsOf;
use crate::http::batch_dto::BatchAnswer;
use crate::http::dto::{JobBody, Metrics};
use crate::http::events::{EventStream, Opening};
use crate::http::prefix::Prefix;
use crate::http::problem::Problem;
use crate::http::problem_kind::ProblemKind;
use crate::http::state::ApiState;

/// By which a browser that comes back says what it has seen.
const LAST_EVENT_ID: &str = "last-event-id";

/// With what the stream of all events begins.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventSnapshot {
    /// The number of the newest event; 0 before the first.
    sequence: u64,
    counts: Metrics,
}

/// What a stream consists of, field by field (WHATWG HTML, section 9.2).
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is only described")]
pub struct StreamedEvent {
    /// The number of the event.
    #[schema(example = "17", nullable = false)]
    id: Option<String>,
    /// Its type, or `snapshot`, `reset` or `end`.
    #[schema(example = "image.completed")]
    event: String,
    /// JSON: an `ImageEvent` or `BatchEvent`; of a `snapshot` the job, the batch or an
    /// `EventSnapshot`.
    #[schema(content_media_type = "application/json")]
    data: String,
}

/// Follow all events
///
/// A stream of Server-Sent Events. `event` is the type, `id` the number, `data` the JSON of an
/// `ImageEvent` or `BatchEvent`. A new stream begins with `snapshot` (an `EventSnapshot`); one that
/// goes on after an event begins with the next. `reset` says that events were missed, because those
/// after `after` are no longer kept; a `snapshot` follows it. The server ends a stream now and then;
/// a client comes back with `Last-Event-ID`, as browsers do by themselves.
#[utoipa::path(
    get,
    path = "/v1/events",
    tag = "events",
    operation_id = "followEvents",
    params(
        ("after" = Option<u64>, Query, minimum = 0,
            description = "The number of the last event that was seen; counts instead of \
                `Last-Event-ID`"),
        ("type" = Option<String>, Query,
            pattern = "^ *(image\\.(completed|failed|cancelled)|batch\\.finished) *(, *(image\\.(completed|failed|cancelled)|batch\\.finished) *)*$",
            description = "Only events of these types, between commas", example = "image.failed"),
        ("tag" = Option<String>, Query, min_length = 1, max_length = 512,
            pattern = "^[^\\x00]*$",
            description = "Only events of jobs with this tag"),
        ("Last-Event-ID" = Option<String>, Header,
            description = "The `id` of the last event that was seen"),
    ),
    responses((status = 200, description = "The stream",
        content((StreamedEvent = "text/event-stream"))))
)]
pub async fn all(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let query = EventQuery::of_all(request.query_string())?;
    let of = EventsOf::Everything;
    let (stream, resumption) = begin(&request, &state, of, query).await?;
    if let Resumption::Goes(after) = resumption {
        return Ok(stream.answer(Opening::resumed(after)));
    }
    let newest = newest(&state).await?;
    let counts = super::metrics::count(&state).await?;
    let snapshot = EventSnapshot {
        sequence: newest,
        counts,
    };
    Ok(stream.answer(resumption.opening(newest, &snapshot, false)?))
}

/// Follow a job
///
/// A stream of Server-Sent Events. A new stream begins with `snapshot`, the job. When the job has
/// ended, its event is sent, then `end`, and the stream ends. A client that comes back after that
/// gets 204.
#[utoipa::path(
    get,
    path = "/v1/images/{job_id}/events",
    tag = "events",
    operation_id = "followImage",
    params(
        ("job_id" = uuid::Uuid, Path, description = "The job's id"),
        ("after" = Option<u64>, Query, minimum = 0,
            description = "The number of the last event that was seen; counts instead of \
                `Last-Event-ID`"),
        ("Last-Event-ID" = Option<String>, Header,
            description = "The `id` of the last event that was seen"),
    ),
    responses(
        (status = 200, description = "The stream", content((StreamedEvent = "text/event-stream"))),
        (status = 204, description = "The job has ended, and the client knows it"),
    )
)]
pub async fn of_image(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let query = EventQuery::of_one(request.query_string())?;
    let id = super::job_id(&request)?;
    find_job(&state, id).await?;
    let of = EventsOf::Job(id);
    let (stream, resumption) = begin(&request, &state, of, query).await?;
    let newest = newest(&state).await?;
    let job = find_job(&state, id).await?;
    let has_ended = job.finished_at().is_some();
    let body = JobBody::new(job, &stream.prefix);
    open(stream, resumption, newest, &body, has_ended).await
}

/// Follow a batch
///
/// A stream of Server-Sent Events: those of the jobs that the batch made, and its own. A new stream
/// begins with `snapshot`, the batch. When the batch has ended, its event is sent, then `end`, and
/// the stream ends. A client that comes back after that gets 204.
#[utoipa::path(
    get,
    path = "/v1/batches/{batch_id}/events",
    tag = "events",
    operation_id = "followBatch",
    params(
        ("batch_id" = uuid::Uuid, Path, description = "The id of the batch"),
        ("after" = Option<u64>, Query, minimum = 0,
            description = "The number of the last event that was seen; counts instead of \
                `Last-Event-ID`"),
        ("Last-Event-ID" = Option<String>, Header,
            description = "The `id` of the last event that was seen"),
    ),
    responses(
        (status = 200, description = "The stream", content((StreamedEvent = "text/event-stream"))),
        (status = 204, description = "The batch has ended, and the client knows it"),
    )
)]
pub async fn of_batch(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let query = EventQuery::of_one(request.query_string())?;
    let id = batch_id(&request)?;
    find_batch(&state, id).await?;
    let of = EventsOf::Batch(id);
    let (stream, resumption) = begin(&request, &state, of, query).await?;
    let newest = newest(&state).await?;
    let batch = find_batch(&state, id).await?;
    let has_ended = batch.finished_at.is_some();
    let body = BatchAnswer::from(batch);
    open(stream, resumption, newest, &body, has_ended).await
}

/// Answers with the stream of one job or batch.
async fn open(
    stream: EventStream,
    resumption: Resumption,
    newest: u64,
    body: &impl Serialize,
    has_ended: bool,
) -> Result<HttpResponse, Problem> {
    match resumption {
        Resumption::Goes(after) => {
            let of = stream.of;
            let next = stream
                .state
                .ask(move |database| async move { database.events_after(of, after, 1).await })
                .await?;
            match has_ended && next.is_empty() {
                true => Ok(HttpResponse::NoContent().finish()),
                false => Ok(stream.answer(Opening::resumed(after))),
            }
        }
        resumption => {
            let opening = resumption.opening(newest, body, has_ended)?;
            Ok(stream.answer(opening))
        }
    }
}

/// How a client begins.
enum Resumption {
    /// It has seen nothing.
    New,
    /// It goes on after this event.
    Goes(u64),
    /// What came after the event that it has seen is gone.
    Missed,
}

impl Resumption {
    fn opening(
        &self,
        newest: u64,
        body: &impl Serialize,
        has_ended: bool,
    ) -> Result<Opening, Problem> {
        let json = serde_json::to_string(body).map_err(|error| {
            tracing::error!(%error, "a snapshot can't be shown");
            Problem::internal()
        })?;
        let opening = Opening::snapshot(newest, &json, has_ended);
        Ok(match self {
            Self::Missed => opening.after_a_gap(),
            _ => opening,
        })
    }
}

/// Listens before anything is read, so that nothing is missed in between.
async fn begin(
    request: &HttpRequest,
    state: &web::Data<ApiState>,
    of: EventsOf,
    query: EventQuery,
) -> Result<(EventStream, Resumption), Problem> {
    let EventQuery { after, filter } = query;
    let place = state.places.take().ok_or_else(|| {
        let detail = "Too many clients follow events; try again.";
        Problem::new(ProblemKind::Unavailable, detail)
    })?;
    let listener = state.feed.listen(of).await.map_err(|error| {
        tracing::warn!(%error, "events can't be followed");
        let detail = "The request could not be served in time; try again.";
        Problem::new(ProblemKind::Unavailable, detail).with_failing(vec!["database"])
    })?;
    let seen = after.or_else(|| {
        let header = request.headers().get(LAST_EVENT_ID)?;
        header.to_str().ok()?.trim().parse().ok()
    });
    let resumption = match seen {
        None => Resumption::New,
        Some(after) => {
            let range = state
                .ask(move |database| async move { database.event_range().await })
                .await?;
            match range.can_follow(after) {
                true => Resumption::Goes(after),
                false => Resumption::Missed,
            }
        }
    };
    let stream = EventStream {
        is_wanted: request.method() != Method::HEAD,
        state: state.clone(),
        of,
        filter,
        prefix: Prefix::of(request),
        listener,
        _place: place,
    };
    Ok((stream, resumption))
}

async fn newest(state: &ApiState) -> Result<u64, Problem> {
    let range = state
        .ask(move |database| async move { database.event_range().await })
        .await?;
    Ok(range.newest)
}
