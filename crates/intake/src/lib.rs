//! What strangers and operators write, and what it may mean: URLs, request bodies, queries and
//! settings become typed values, or faults that say what was expected.
//!
//! | part | reads |
//! | --- | --- |
//! | [`SourceUrl`], [`Origin`] | the URL of an image, and the server it leads to |
//! | [`SourcePolicy`], [`AddressPolicy`] | whether a URL or an address may be fetched at all |
//! | [`members`], [`requests`] | the body of a request, with a pointer to each fault |
//! | [`batch`] | the body of many submissions |
//! | [`variant`] | what a job is to make |
//! | [`query`], [`FailuresQuery`], [`FlowQuery`] | the parameters of lists and curves |
//! | [`WebhookBody`] and its like | the bodies about receivers of events |
//! | [`EventQuery`], [`wait`] | which events to follow, and how long to wait for an end |
//! | [`TraceParent`] | in which trace a request was made |
//! | [`settings`] | `thumbforge.toml`, `.env`, the environment and flags, as texts |
//! | [`FailureCode`], [`JobStatus`], [`DuplicateHandling`] | the stable words of the API |
//!
//! Everything is pure: no file, no socket, no task. Only "at most ten years ahead" asks the clock.

pub mod batch;
pub mod members;
pub mod query;
pub mod requests;
pub mod settings;
pub mod variant;
mod variant_line;

mod action_body;
mod address_policy;
mod allowed_ports;
mod batch_query;
mod batch_status;
mod decode_isolation;
mod delivery_query;
mod duplicate;
mod egress_proxy;
mod event_query;
mod event_type;
mod failure_code;
mod failures_query;
mod flow_query;
mod forbidden;
mod hex;
mod host_pattern;
mod job_filter;
mod job_status;
mod label_schema;
mod labels;
mod lease;
mod origin;
mod origin_rule;
mod path_prefix;
mod request_fault;
mod schedule;
mod source_policy;
mod source_url;
mod timestamp;
mod traceparent;
mod unique_value;
mod variant_schema;
mod webhook_body;

pub use action_body::{ActionBody, ActionWord, Filter, FilterSchema};
pub use address_policy::AddressPolicy;
pub use allowed_ports::AllowedPorts;
pub use batch_query::BatchQuery;
pub use batch_status::{BatchStatus, UnknownBatchStatus};
pub use decode_isolation::DecodeIsolation;
pub use delivery_query::DeliveryQuery;
pub use duplicate::DuplicateHandling;
pub use egress_proxy::EgressProxy;
pub use event_query::{EventFilter, EventQuery, LONGEST_WAIT, wait};
pub use event_type::{EventType, UnknownEventType};
pub use failure_code::FailureCode;
pub use failures_query::FailuresQuery;
pub use flow_query::{FlowQuery, FlowRange, FlowStep};
pub use forbidden::Forbidden;
pub use hex::hex;
pub use host_pattern::{HostPattern, InvalidPattern};
pub use job_filter::{JobFilter, ListPlace};
pub use job_status::{JobStatus, UnknownStatus};
pub use labels::{Metadata, Tags};
pub use lease::LONGEST_LEASE;
pub use origin::{NoOrigin, Origin};
pub use origin_rule::OriginRule;
pub use path_prefix::PathPrefix;
pub use request_fault::RequestFault;
pub use schedule::{Priority, Schedule};
pub use source_policy::SourcePolicy;
pub use source_url::{SourceUrl, SourceUrlError};
pub use timestamp::{InvalidTimestamp, Timestamp};
pub use traceparent::TraceParent;
pub use variant::Variants;
pub use variant_line::variant_members;
pub use variant_schema::VariantSchema;
pub use webhook_body::{EventWord, Given, RecoverBody, RotateBody, WebhookBody, WebhookPatch};
