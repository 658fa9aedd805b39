//! Accepts a batch line by line. While the next lines are read, those before are stored: a slice at
//! a time, so that a stream of any length takes bounded memory.

use std::time::Duration;

use actix_web::rt::task::JoinHandle;
use actix_web::web::{self, Bytes, Payload};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::StreamExt;
use sha2::{Digest, Sha256};
use thumbforge_intake::batch::MAX_ITEM_BYTES;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::batch_dto;
use super::batch_items::{Items, explain_active};
use super::body_memory::Reserved;
use super::caller::Caller;
use super::idempotency::{self, IdempotencyKey};
use super::lines::{Line, Lines};
use super::paced_stream::Progress;
use super::problem::Problem;
use super::problem_kind::ProblemKind;
use super::state::ApiState;
use super::submission::{count_pending, traceparent};
use crate::db::{BatchOpening, BatchSlice, DbError, Kept, SliceOutcome};
use crate::domain::{Batch, ItemError, TraceParent, hex};

/// Most lines of a slice.
const SLICE_LINES: usize = 500;
/// Most bytes of a slice, as long as there is memory for it.
const SLICE_BYTES: usize = 1024 * 1024;
/// Bytes that a slice may have in any case.
const LEAST_SLICE_BYTES: usize = 64 * 1024;
/// A slice that has begun is stored after this time, however few lines it has.
const SLICE_TIME: Duration = Duration::from_secs(2);
/// Longest wait for the next bytes.
const SILENCE: Duration = Duration::from_secs(10);

/// Reads the stream to its end and answers with the batch.
pub(super) async fn accept(
    request: &HttpRequest,
    payload: Payload,
    state: web::Data<ApiState>,
    caller: &Caller,
    key: Option<IdempotencyKey>,
) -> Result<HttpResponse, Problem> {
    let mut stream = Stream {
        slices: Slices {
            id: Uuid::now_v7(),
            submitted_by: caller.label(),
            traceparent: traceparent(request),
            key: key.clone(),
            kept: Vec::new(),
            storing: None,
            is_open: false,
            is_opened: false,
            progress: request.conn_data::<Progress>().cloned(),
            state: state.clone(),
        },
        slice: Items::default(),
        slice_bytes: 0,
        memory: state.large_bodies.reserve(),
        next_index: 0,
        lines: Lines::new(MAX_ITEM_BYTES),
    };
    let mut hash = key.as_ref().map(|_| Sha256::new());
    let ended = stream.read(payload, hash.as_mut()).await;
    let slices = &mut stream.slices;
    let claim = key.map(|key| {
        let hash = hash.take().unwrap_or_default();
        key.with_hash(hex(&hash.finalize()))
    });
    let is_whole = match ended {
        Ok(End::Whole) => true,
        Ok(End::Broken) => false,
        Ok(End::Refused(response)) => return Ok(response),
        Ok(End::Known(kept)) => {
            let claim = claim.ok_or_else(Problem::internal)?;
            let response = idempotency::repeated(&state, &claim, kept).await?;
            return response.ok_or_else(Problem::internal);
        }
        Err(problem) if slices.is_opened => {
            tracing::warn!(%problem, batch = %slices.id, "a batch is not accepted to its end");
            false
        }
        Err(problem) => return Err(problem),
    };
    if !slices.is_opened {
        return Err(match is_whole {
            true => Problem::new(ProblemKind::InvalidBody, "Send at least one line."),
            false => Problem::new(ProblemKind::BadRequest, "The body ended early."),
        });
    }
    let batch = slices.close(!is_whole).await?;
    let answer = batch_dto::accepted(&batch);
    if let Some(claim) = claim.filter(|_| is_whole) {
        let (database, answer) = (state.database.clone(), answer.clone());
        let keeping = async move { database.keep_answer(claim, answer).await };
        state.bounded("database", keeping).await?;
    }
    Ok(idempotency::response(answer, false))
}

/// How a stream ended.
enum End {
    Whole,
    /// It broke off, or the batch takes no more items.
    Broken,
    /// The key is of an earlier request; the whole body is read.
    Known(Kept<()>),
    Refused(HttpResponse),
}

/// A slice was not stored because of the key.
enum Stop {
    Known(Kept<()>),
    Refused(HttpResponse),
    Closed,
}

struct Stream {
    slices: Slices,
    slice: Items,
    slice_bytes: usize,
    memory: Reserved,
    next_index: u32,
    lines: Lines,
}

impl Stream {
    async fn read(
        &mut self,
        mut payload: Payload,
        mut hash: Option<&mut Sha256>,
    ) -> Result<End, Problem> {
        let mut silent_at = Instant::now() + SILENCE;
        let mut store_at = None;
        let is_whole = loop {
            let until = store_at.unwrap_or(silent_at).min(silent_at);
            let chunk: Bytes = match timeout_at(until, payload.next()).await {
                Ok(Some(Ok(chunk))) => chunk,
                Ok(Some(Err(_broken))) => break false,
                Ok(None) => break true,
                Err(_) if Instant::now() >= silent_at => break false,
                Err(_) => {
                    store_at = None;
                    if let Some(stop) = self.store().await? {
                        return drain(stop, payload, hash, self.slices.progress.as_ref()).await;
                    }
                    continue;
                }
            };
            silent_at = Instant::now() + SILENCE;
            if let Some(hash) = &mut hash {
                hash.update(&chunk);
            }
            self.lines.push(chunk);
            while let Some(line) = self.lines.next() {
                self.take(line);
                if self.is_full() {
                    store_at = None;
                    if let Some(stop) = self.store().await? {
                        return drain(stop, payload, hash, self.slices.progress.as_ref()).await;
                    }
                } else if store_at.is_none() {
                    store_at = Some(Instant::now() + SLICE_TIME);
                }
            }
        };
        // Half a line is no item.
        if is_whole && let Some(line) = self.lines.last() {
            self.take(line);
        }
        let mut stop = self.store().await?;
        if stop.is_none() {
            stop = self.slices.settle().await?;
        }
        match stop {
            None if is_whole => Ok(End::Whole),
            None | Some(Stop::Closed) => Ok(End::Broken),
            Some(Stop::Known(kept)) => Ok(End::Known(kept)),
            Some(Stop::Refused(response)) => Ok(End::Refused(response)),
        }
    }

    fn take(&mut self, line: Line) {
        let index = self.next_index;
        self.next_index = index.saturating_add(1);
        match line {
            Line::TooLong => self.slice.refuse_long(index),
            Line::Whole(text) => {
                self.slice_bytes += text.len();
                let submitted_by = self.slices.submitted_by.as_deref();
                let state = &self.slices.state;
                self.slice.read(index, &text, None, state, submitted_by);
            }
        }
    }

    fn is_full(&mut self) -> bool {
        self.slice.len() >= SLICE_LINES
            || self.slice_bytes >= SLICE_BYTES
            || (self.slice_bytes >= LEAST_SLICE_BYTES && !self.memory.grow_to(self.slice_bytes))
    }

    /// Begins to store the slice, once the one before is stored.
    async fn store(&mut self) -> Result<Option<Stop>, Problem> {
        let slice = std::mem::take(&mut self.slice);
        self.slice_bytes = 0;
        self.memory.clear();
        if slice.len() == 0 {
            return Ok(None);
        }
        if let Some(stop) = self.slices.settle().await? {
            return Ok(Some(stop));
        }
        self.slices.begin(slice);
        // Whether the key is free decides what to do with the rest.
        if !self.slices.is_opened {
            return self.slices.settle().await;
        }
        Ok(None)
    }
}

/// Reads the rest of a body whose key is known: only with its hash is it known which body it is.
async fn drain(
    stop: Stop,
    mut payload: Payload,
    mut hash: Option<&mut Sha256>,
    progress: Option<&Progress>,
) -> Result<End, Problem> {
    let kept = match stop {
        Stop::Known(kept) => kept,
        Stop::Refused(response) => return Ok(End::Refused(response)),
        Stop::Closed => return Ok(End::Broken),
    };
    loop {
        match timeout_at(Instant::now() + SILENCE, payload.next()).await {
            Ok(Some(Ok(chunk))) => {
                if let Some(hash) = &mut hash {
                    hash.update(&chunk);
                }
                // However long the body was the first time.
                if let Some(progress) = progress {
                    progress.note();
                }
            }
            Ok(None) => return Ok(End::Known(kept)),
            _ => {
                let detail = "The body ended early.";
                return Err(Problem::new(ProblemKind::BadRequest, detail));
            }
        }
    }
}

/// Stores slices, one at a time.
struct Slices {
    id: Uuid,
    submitted_by: Option<String>,
    traceparent: Option<TraceParent>,
    key: Option<IdempotencyKey>,
    /// Why the first items were refused.
    kept: Vec<ItemError>,
    storing: Option<JoinHandle<Result<Kept<SliceOutcome>, Problem>>>,
    /// The batch takes items.
    is_open: bool,
    /// The batch is there.
    is_opened: bool,
    progress: Option<Progress>,
    state: web::Data<ApiState>,
}

impl Slices {
    fn begin(&mut self, mut items: Items) {
        items.trace(self.traceparent);
        let opening = (!self.is_opened).then(|| BatchOpening {
            submitted_by: self.submitted_by.clone(),
            key: self.key.as_ref().map(|key| key.with_hash(String::new())),
        });
        let slice = BatchSlice {
            id: self.id,
            opening,
            items: Vec::new(),
            errors: Vec::new(),
            kept: std::mem::take(&mut self.kept),
            explain: explain_active,
        };
        let state = self.state.clone();
        self.storing = Some(actix_web::rt::spawn(store(state, slice, items)));
    }

    /// Waits until nothing is being stored.
    async fn settle(&mut self) -> Result<Option<Stop>, Problem> {
        let Some(storing) = self.storing.take() else {
            return Ok(None);
        };
        let stored = storing.await.map_err(|error| {
            tracing::error!(%error, "a slice of a batch was not stored");
            Problem::internal()
        })?;
        match stored? {
            Kept::New { made, .. } if made.accepted => {
                (self.is_open, self.is_opened) = (true, true);
                self.kept = made.kept;
                // Who sends nothing but faulty lines is cut off in the end.
                let is_sound = !made.created.is_empty() || made.duplicates > 0;
                if let Some(progress) = &self.progress
                    && is_sound
                {
                    progress.note();
                }
                Ok(None)
            }
            Kept::New { .. } => {
                self.is_open = false;
                Ok(Some(Stop::Closed))
            }
            Kept::Known { body_hash, answer } => {
                Ok(Some(Stop::Known(Kept::Known { body_hash, answer })))
            }
            Kept::UnderWay { made } => {
                let response = idempotency::under_way(&self.state, made).await?;
                Ok(Some(Stop::Refused(response)))
            }
        }
    }

    /// Ends the acceptance; the batch as it then is.
    async fn close(&mut self, incomplete: bool) -> Result<Batch, Problem> {
        let (database, id) = (self.state.database.clone(), self.id);
        let closing = async move {
            database.end_acceptance(id, incomplete).await?;
            database.find_batch(id).await
        };
        let batch = self
            .state
            .bounded::<_, DbError>("database", closing)
            .await?;
        self.is_open = false;
        batch.ok_or_else(Problem::internal)
    }
}

impl Drop for Slices {
    /// The connection is gone, or the database did not answer.
    fn drop(&mut self) {
        if !self.is_open {
            return;
        }
        let (database, id) = (self.state.database.clone(), self.id);
        self.state.spawn(async move {
            if let Err(error) = database.end_acceptance(id, true).await {
                tracing::warn!(%error, batch = %id, "the acceptance of a batch is not ended yet");
            }
        });
    }
}

/// Stores a slice as far as jobs may be pending, and announces its jobs.
async fn store(
    state: web::Data<ApiState>,
    mut slice: BatchSlice,
    mut items: Items,
) -> Result<Kept<SliceOutcome>, Problem> {
    let place = match &state.backlog {
        Some(limit) => {
            let wanted = items.requests.len() as u64;
            let counting = limit.admit_some(wanted, |enough| count_pending(&state, enough));
            let place = counting.await?;
            items.keep(usize::try_from(place.admitted()).unwrap_or(usize::MAX));
            Some(place)
        }
        None => None,
    };
    slice.items = items.requests;
    slice.errors = items.errors;
    let parts = state.clone().into_inner();
    let storing = async move {
        let kept = parts.database.extend_batch(slice).await?;
        if let Kept::New { made, .. } = &kept {
            parts.announce(made.created.clone());
        }
        Ok::<_, DbError>(kept)
    };
    let kept = state.bounded("database", storing).await?;
    if let Some(place) = place {
        let made = match &kept {
            Kept::New { made, .. } => made.created.len() as u64,
            _ => 0,
        };
        place.accept_only(made);
    }
    Ok(kept)
}
