//! What the workers of a process count.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::durations::{Durations, OF_STAGES};
use crate::domain::FailureCode;

/// What came of a job or of an attempt at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkOutcome {
    /// The job is done.
    Completed,
    /// The job has ended without a thumbnail.
    Failed(FailureCode),
    /// The job is pending again, after a failure that may pass.
    Retried(FailureCode),
    /// The job waits for its origin; the attempt does not count.
    Parked(FailureCode),
    /// The job was handed back: the process ends, or others needed its memory.
    Released,
    /// The job was taken from a worker that let its lease run out, and is pending again.
    TakenOver,
}

/// A part of an attempt that takes time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// From the moment a job might run to its first claim.
    QueueWait,
    /// The download, redirects included, whether a source came or not.
    Fetch,
    /// From the source's bytes to pixels.
    Decode,
    /// From pixels to the files of all variants.
    Render,
    /// Writing the files.
    Store,
    /// Writing how the attempt ended, until the database has it.
    Commit,
}

impl Stage {
    const ALL: [Self; 6] = [
        Self::QueueWait,
        Self::Fetch,
        Self::Decode,
        Self::Render,
        Self::Store,
        Self::Commit,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QueueWait => "queue_wait",
            Self::Fetch => "fetch",
            Self::Decode => "decode",
            Self::Render => "render",
            Self::Store => "store",
            Self::Commit => "commit",
        }
    }
}

/// Handles of what the workers count. Clones share the numbers.
#[derive(Clone)]
pub struct WorkMeters(Arc<Meters>);

struct Meters {
    completed: Counter,
    released: Counter,
    taken_over: Counter,
    /// One a code, in the order of [`FailureCode::ALL`].
    failed: Vec<Counter>,
    retried: Vec<Counter>,
    parked: Vec<Counter>,
    outcomes: Family<OutcomeLabels, Counter>,
    /// One a stage, in the order of [`Stage::ALL`].
    stages: Vec<Durations>,
    by_stage: Family<StageLabels, Durations, fn() -> Durations>,
    stored_bytes: Counter,
    leases_lost: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
    /// Empty where nothing failed.
    error_code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageLabels {
    stage: &'static str,
}

impl Default for WorkMeters {
    /// All at zero: a rate is right from the first time that something happens.
    fn default() -> Self {
        let outcomes: Family<OutcomeLabels, Counter> = Family::default();
        let counter = |outcome, error_code| {
            let labels = OutcomeLabels {
                outcome,
                error_code,
            };
            outcomes.get_or_create_owned(&labels)
        };
        let by_code = |outcome| {
            let codes = FailureCode::ALL.iter();
            codes.map(|code| counter(outcome, code.as_str())).collect()
        };
        let new: fn() -> Durations = || Durations::new(OF_STAGES);
        let by_stage = Family::new_with_constructor(new);
        let stages = Stage::ALL.iter().map(|stage| {
            let stage = stage.as_str();
            by_stage.get_or_create_owned(&StageLabels { stage })
        });
        Self(Arc::new(Meters {
            completed: counter("completed", ""),
            released: counter("released", ""),
            taken_over: counter("taken_over", ""),
            failed: by_code("failed"),
            retried: by_code("retried"),
            parked: by_code("parked"),
            stages: stages.collect(),
            by_stage,
            stored_bytes: Counter::default(),
            leases_lost: Counter::default(),
            outcomes,
        }))
    }
}

impl WorkMeters {
    /// Counts what came of a job or of an attempt, once the database has it.
    pub fn note_outcome(&self, outcome: WorkOutcome) {
        self.note_outcomes(outcome, 1);
    }

    /// The same of several jobs.
    pub fn note_outcomes(&self, outcome: WorkOutcome, jobs: usize) {
        let meters = &*self.0;
        let counter = match outcome {
            WorkOutcome::Completed => &meters.completed,
            WorkOutcome::Released => &meters.released,
            WorkOutcome::TakenOver => &meters.taken_over,
            WorkOutcome::Failed(code) => &meters.failed[code as usize],
            WorkOutcome::Retried(code) => &meters.retried[code as usize],
            WorkOutcome::Parked(code) => &meters.parked[code as usize],
        };
        counter.inc_by(jobs as u64);
    }

    pub fn note_stage(&self, stage: Stage, took: Duration) {
        self.0.stages[stage as usize].note(took);
    }

    pub fn note_stored(&self, bytes: u64) {
        self.0.stored_bytes.inc_by(bytes);
    }

    /// A job of this process was taken over while it worked on it.
    pub fn note_lost_lease(&self) {
        self.0.leases_lost.inc();
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let meters = &*self.0;
        registry.register(
            "job_outcomes",
            "What came of jobs and attempts that this process ended: completed, failed, retried, \
             parked, released (handed back) or taken_over (from a worker whose lease ran out); with \
             the error_code where something failed",
            meters.outcomes.clone(),
        );
        registry.register(
            "stage_duration_seconds",
            "How long the stages of attempts took; queue_wait counts the first claim of a job alone",
            meters.by_stage.clone(),
        );
        registry.register(
            "stored_bytes",
            "Bytes of published thumbnails",
            meters.stored_bytes.clone(),
        );
        registry.register(
            "leases_lost",
            "Jobs that were taken over, cancelled or deleted while this process worked on them",
            meters.leases_lost.clone(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_stages_are_where_their_numbers_say() {
        for (place, code) in FailureCode::ALL.iter().enumerate() {
            assert_eq!(*code as usize, place);
        }
        for (place, stage) in Stage::ALL.into_iter().enumerate() {
            assert_eq!(stage as usize, place);
        }
    }
}
