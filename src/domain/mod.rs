//! The rules of the trade, without any I/O: everything here is pure and knows no other part.

pub mod allowed_ports;
pub mod duplicate;
pub mod egress_proxy;
pub mod exif_summary;
pub mod failure;
pub mod host_pattern;
pub mod job;
pub mod job_filter;
pub mod origin;
pub mod origin_record;
pub mod origin_rule;
pub mod retry;
pub mod schedule;
pub mod source_url;
pub mod timestamp;
pub mod transition;
pub mod variant;

pub use allowed_ports::AllowedPorts;
pub use duplicate::DuplicateHandling;
pub use egress_proxy::EgressProxy;
pub use exif_summary::ExifSummary;
pub use failure::{Failure, FailureCode};
pub use host_pattern::{HostPattern, InvalidPattern};
pub use job::{
    Claim, FileRecord, Job, JobId, JobResult, JobStatus, Outcome, ThumbnailInfo, VariantOutcome,
    VariantRecord,
};
pub use job_filter::JobFilter;
pub use origin::{NoOrigin, Origin};
pub use origin_rule::OriginRule;
pub use schedule::{Priority, Schedule};
pub use source_url::{SourceUrl, SourceUrlError};
pub use timestamp::Timestamp;
pub use transition::Event;
pub use variant::{NamedVariant, VariantFault, Variants};
