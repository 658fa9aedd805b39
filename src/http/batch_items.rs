//! Reads the items of a batch: the good ones become requests, the others reasons.

use actix_web::web::Bytes;
use thumbforge_intake::batch::{BatchBody, MAX_ITEM_BYTES};
use thumbforge_intake::members;
use thumbforge_intake::requests::SubmitBody;

use super::problem::Problem;
use super::problem_kind::ProblemKind;
use super::state::ApiState;
use super::submission::request_of;
use crate::domain::{ItemError, JobId, Request, TraceParent};

/// Items by what became of them, with their places in the batch.
#[derive(Debug, Default)]
pub(super) struct Items {
    pub requests: Vec<(u32, Request)>,
    pub errors: Vec<ItemError>,
}

impl Items {
    pub(super) fn len(&self) -> usize {
        self.requests.len() + self.errors.len()
    }

    /// Reads an item as a submission of its own.
    pub(super) fn read(
        &mut self,
        index: u32,
        text: &[u8],
        defaults: Option<&SubmitBody>,
        state: &ApiState,
        submitted_by: Option<&str>,
    ) {
        match request(text, defaults, state, submitted_by) {
            Ok(request) => self.requests.push((index, request)),
            Err(problem) => self.errors.push(item_error(index, &problem)),
        }
    }

    /// An item that is longer than a submission may be.
    pub(super) fn refuse_long(&mut self, index: u32) {
        self.errors.push(item_error(index, &too_long()));
    }

    /// The trace in which they were submitted.
    pub(super) fn trace(&mut self, traceparent: Option<TraceParent>) {
        for (_, request) in &mut self.requests {
            request.labels.traceparent = traceparent;
        }
    }

    /// Refuses all items but the first so many, because no more jobs may be pending.
    pub(super) fn keep(&mut self, admitted: usize) {
        let beyond = self.requests.drain(admitted.min(self.requests.len())..);
        let detail = "Submit again when the backlog is smaller.";
        let problem = Problem::new(ProblemKind::TooManyPending, detail);
        let errors = beyond.map(|(index, _)| item_error(index, &problem));
        self.errors.extend(errors);
    }
}

fn too_long() -> Problem {
    let detail = format!("An item may have at most {MAX_ITEM_BYTES} bytes.");
    Problem::new(ProblemKind::BodyTooLarge, detail)
}

fn request(
    text: &[u8],
    defaults: Option<&SubmitBody>,
    state: &ApiState,
    submitted_by: Option<&str>,
) -> Result<Request, Problem> {
    if text.len() > MAX_ITEM_BYTES {
        return Err(too_long());
    }
    let mut body: SubmitBody = members::parse(text)?;
    if let Some(defaults) = defaults {
        body.fill_in(defaults);
    }
    request_of(body, state, submitted_by.map(str::to_owned))
}

/// The first fault stands for all.
fn item_error(index: u32, problem: &Problem) -> ItemError {
    let fault = problem.errors.first();
    let detail = fault.map_or(&*problem.detail, |fault| &fault.detail);
    ItemError {
        index,
        code: problem.kind.code().to_owned(),
        detail: detail.to_owned(),
        pointer: fault.and_then(|fault| fault.pointer.clone()),
        job_id: problem.job_id.map(|id| id.0),
    }
}

/// The reason of an item that collided with an active job.
pub(super) fn explain_active(index: u32, active: JobId) -> ItemError {
    item_error(index, &Problem::duplicate_active(active))
}

/// A JSON batch as it was read.
pub(super) struct ReadBatch {
    pub items: Items,
    /// A JSON object, as text.
    pub metadata: Option<String>,
}

/// Reads a JSON batch.
///
/// # Errors
/// If it is no batch. Faults of items are not errors.
pub(super) fn read_batch(
    bytes: &Bytes,
    state: &ApiState,
    submitted_by: Option<&str>,
) -> Result<ReadBatch, Problem> {
    let body = BatchBody::read(bytes)?;
    let mut items = Items::default();
    for (index, text) in (0..).zip(&body.items) {
        let text = text.as_bytes();
        items.read(index, text, body.defaults.as_ref(), state, submitted_by);
    }
    Ok(ReadBatch {
        items,
        metadata: body.metadata.map(|metadata| metadata.0),
    })
}
