//! The rules of the trade, without any I/O: everything here is pure and knows no other part.
//!
//! What is read from strangers is in `thumbforge_intake`, and is named here for the other parts.

pub mod action;
pub mod batch;
pub mod exif_summary;
pub mod failure;
pub mod flow;
pub mod histogram;
pub mod job;
pub mod origin_record;
pub mod public_event;
pub mod request;
pub mod retention;
pub mod retry;
pub mod transition;
pub mod webhook;
pub mod worker_sign;

pub use thumbforge_intake::{
    AllowedPorts, BatchStatus, DecodeIsolation, DuplicateHandling, EgressProxy, EventFilter,
    EventType, FailureCode, FlowRange, FlowStep, HostPattern, InvalidPattern, JobFilter, JobStatus,
    LONGEST_LEASE, ListPlace, NoOrigin, Origin, OriginRule, Priority, Schedule, SourceUrl,
    SourceUrlError, Timestamp, TraceParent, Variants, hex, variant,
    variant::{NamedVariant, VariantFault},
};

pub use batch::{Batch, BatchCounts, BatchItem, ItemError};
pub use exif_summary::ExifSummary;
pub use failure::Failure;
pub use flow::FlowCounts;
pub use histogram::Histogram;
pub use job::{
    Claim, FileRecord, Job, JobId, JobResult, Outcome, PastAttempt, ThumbnailInfo, VariantOutcome,
    VariantRecord,
};
pub use public_event::{PublicEvent, Subject};
pub use request::{Labels, Request};
pub use retention::Retention;
pub use transition::Event;
pub use worker_sign::{WorkerSign, WorkerState};
