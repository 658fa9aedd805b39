//! The rules of the trade, without any I/O: everything here is pure and knows no other part.
//!
//! What is read from strangers is in `thumbforge_intake`, and is named here for the other parts.

pub mod action;
pub mod batch;
pub mod exif_summary;
pub mod failure;
pub mod job;
pub mod origin_record;
pub mod request;
pub mod retention;
pub mod retry;
pub mod transition;

pub use thumbforge_intake::{
    AllowedPorts, BatchStatus, DuplicateHandling, EgressProxy, FailureCode, HostPattern,
    InvalidPattern, JobFilter, JobStatus, LONGEST_LEASE, ListPlace, NoOrigin, Origin, OriginRule,
    Priority, Schedule, SourceUrl, SourceUrlError, Timestamp, Variants, hex, variant,
    variant::{NamedVariant, VariantFault},
};

pub use batch::{Batch, BatchCounts, BatchItem, ItemError};
pub use exif_summary::ExifSummary;
pub use failure::Failure;
pub use job::{
    Claim, FileRecord, Job, JobId, JobResult, Outcome, PastAttempt, ThumbnailInfo, VariantOutcome,
    VariantRecord,
};
pub use request::{Labels, Request};
pub use retention::Retention;
pub use transition::Event;
