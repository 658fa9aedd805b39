//! `POST /v1/batches`

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header;
use actix_web::web::{Bytes, BytesMut, Payload};
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::StreamExt;
use thumbforge_intake::batch::BatchBody;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::db::{Answering, DbError, Kept, MadeBatch, NewBatch};
use crate::http::batch_dto::{self, BatchAnswer};
use crate::http::batch_items::{ReadBatch, explain_active, read_batch};
use crate::http::batch_stream;
use crate::http::body;
use crate::http::body_memory::Reserved;
use crate::http::caller::Caller;
use crate::http::idempotency::{self, IdempotencyKey};
use crate::http::problem::Problem;
use crate::http::problem_kind::ProblemKind;
use crate::http::state::ApiState;
use crate::http::submission::{count_pending, traceparent};

/// Most bytes of a JSON batch.
const MAX_BATCH_BYTES: usize = 8 * 1024 * 1024;
/// For the whole of it.
pub(in crate::http) const BATCH_DEADLINE: Duration = Duration::from_secs(20);
/// A longer body is read on a thread of its own, so that it holds up no other request.
const LONG_BYTES: usize = 128 * 1024;

const NDJSON: &str = "application/x-ndjson";

/// Submit a batch
///
/// Accepts many images at once. A faulty item is refused, and `errors` says why; the others are
/// accepted. With `application/x-ndjson` each line is an item, and there may be any number of them:
/// they are accepted while they come in, and an incomplete request keeps what came.
#[utoipa::path(
    post,
    path = "/v1/batches",
    tag = "batches",
    operation_id = "submitBatch",
    params(
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255,
            pattern = "^[!-~]+$",
            description = "A request that is sent again with its key gets its first answer again"),
    ),
    request_body(content((BatchBody<'_> = "application/json"), (String = "application/x-ndjson"))),
    responses((
        status = 202,
        description = "The batch is stored, with the jobs of all its good items",
        body = BatchAnswer,
        headers(
            ("Location" = String, description = "Path of the batch"),
            ("Idempotent-Replayed" = Option<String>, description = "`true` if this is an earlier answer"),
        ),
    ))
)]
pub async fn submit(
    request: HttpRequest,
    payload: Payload,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let caller = Caller::of(&request);
    let key = IdempotencyKey::of(&request, &caller)?;
    if is_ndjson(&request)? {
        return batch_stream::accept(&request, payload, state, &caller, key).await;
    }
    body::require_plain_json(&request)?;
    let mut memory = state.large_bodies.reserve();
    let bytes = read_bytes(&request, payload, &mut memory).await?;
    let claim = key.map(|key| key.with_body(&bytes));
    if let Some(claim) = &claim
        && let Some(response) = idempotency::answered_before(&state, claim).await?
    {
        return Ok(response);
    }
    let mut read = read(&state, &caller, bytes).await?;
    read.items.trace(traceparent(&request));
    drop(memory);
    let place = match &state.backlog {
        Some(limit) => {
            let wanted = read.items.requests.len() as u64;
            let counting = limit.admit_all(wanted, |enough| count_pending(&state, enough));
            Some(counting.await?)
        }
        None => None,
    };
    let batch = NewBatch {
        id: Uuid::now_v7(),
        items: read.items.requests,
        errors: read.items.errors,
        metadata: read.metadata,
        submitted_by: caller.label(),
        explain: explain_active,
    };
    let answering: Answering<MadeBatch> = Arc::new(|made| Some(batch_dto::accepted(&made.batch)));
    let keyed = claim.clone().map(|claim| (claim, answering));
    let parts = state.clone().into_inner();
    let submitting = async move {
        let kept = parts.database.submit_batch(batch, keyed).await?;
        if let Kept::New { made, .. } = &kept {
            parts.announce(made.created.clone());
        }
        Ok::<_, DbError>(kept)
    };
    let kept = state.bounded("database", submitting).await?;
    if let Some(place) = place {
        place.accept_only(match &kept {
            Kept::New { made, .. } => made.created.len() as u64,
            _ => 0,
        });
    }
    match (kept, claim) {
        (Kept::New { made, answer }, _) => {
            let answer = answer.unwrap_or_else(|| batch_dto::accepted(&made.batch));
            Ok(idempotency::response(answer, false))
        }
        (kept, Some(claim)) => {
            let response = idempotency::repeated(&state, &claim, kept).await?;
            response.ok_or_else(Problem::internal)
        }
        (_, None) => Err(Problem::internal()),
    }
}

/// Lines are UTF-8, whatever the parameters say.
fn is_ndjson(request: &HttpRequest) -> Result<bool, Problem> {
    let text = |name| {
        let value = request.headers().get(name);
        value.map(|value| value.to_str().unwrap_or_default())
    };
    let content_type = text(header::CONTENT_TYPE).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case(NDJSON) {
        return Ok(false);
    }
    match text(header::CONTENT_ENCODING) {
        None => Ok(true),
        Some(encoding) if encoding.eq_ignore_ascii_case("identity") => Ok(true),
        Some(_) => {
            let detail = "Compressed bodies are not read; leave Content-Encoding out.";
            Err(Problem::new(ProblemKind::UnsupportedMediaType, detail))
        }
    }
}

async fn read_bytes(
    request: &HttpRequest,
    mut payload: Payload,
    memory: &mut Reserved,
) -> Result<Bytes, Problem> {
    let too_large = || {
        let detail = format!("The body may have at most {MAX_BATCH_BYTES} bytes.");
        Problem::new(ProblemKind::BodyTooLarge, detail)
    };
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > MAX_BATCH_BYTES as u64) {
        return Err(too_large());
    }
    let end = Instant::now() + BATCH_DEADLINE;
    let mut bytes = BytesMut::new();
    loop {
        match timeout_at(end, payload.next()).await {
            Ok(None) => return Ok(bytes.freeze()),
            Ok(Some(Ok(chunk))) => {
                let length = bytes.len() + chunk.len();
                if length > MAX_BATCH_BYTES {
                    return Err(too_large());
                }
                if !memory.grow_to(length) {
                    let detail = "Too many large bodies are being read; try again.";
                    return Err(Problem::new(ProblemKind::Unavailable, detail));
                }
                bytes.extend_from_slice(&chunk);
            }
            Ok(Some(Err(_broken_connection))) => {
                let detail = "The body ended early or was framed wrongly.";
                return Err(Problem::new(ProblemKind::BadRequest, detail));
            }
            Err(_elapsed) => {
                let detail = "The body did not arrive in time.";
                return Err(Problem::new(ProblemKind::RequestTimeout, detail));
            }
        }
    }
}

async fn read(
    state: &web::Data<ApiState>,
    caller: &Caller,
    bytes: Bytes,
) -> Result<ReadBatch, Problem> {
    let submitted_by = caller.label();
    if bytes.len() <= LONG_BYTES {
        return read_batch(&bytes, state, submitted_by.as_deref());
    }
    let parts = state.clone();
    let reading = web::block(move || read_batch(&bytes, &parts, submitted_by.as_deref()));
    reading.await.map_err(|error| {
        tracing::error!(%error, "a batch could not be read");
        Problem::internal()
    })?
}
