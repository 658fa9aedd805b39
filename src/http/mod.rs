//! The HTTP API: routes, DTOs, problem details, OpenAPI.
//!
//! It knows the parts it calls ([`ApiState`]) and nothing of workers. Every wait for a part is
//! bounded, so that a frozen database or queue never holds a request for longer than seconds.

mod accept;
mod action_dto;
mod api_keys;
mod auth;
mod backlog;
mod batch_dto;
mod batch_items;
mod batch_stream;
mod body;
mod body_memory;
mod caller;
mod connections;
mod description;
mod descriptors;
mod dto;
mod envelope;
mod events;
mod failure_dto;
mod flow_dto;
pub(crate) mod foreign;
mod gate;
mod health;
mod idempotency;
mod lines;
mod live_keys;
mod openapi;
mod openapi_problems;
mod openapi_schemas;
mod origin_dto;
mod origins_query;
mod paced_stream;
mod prefer;
mod prefix;
mod problem;
mod problem_kind;
mod rate_limit;
mod reserved_address;
mod result_dto;
mod routes;
mod scope;
mod security_headers;
mod server;
mod state;
mod submission;
mod webhook_dto;
mod worker_dto;

pub use api_keys::{ApiKeys, ApiKeysError};
pub use descriptors::raise_open_files;
pub use events::event_json;
pub use health::{HealthCheck, Probe, probe};
pub use live_keys::LiveKeys;
pub use paced_stream::Pace;
pub use reserved_address::ReservedAddress;
pub use server::{run, run_metrics, run_probes};
pub use state::{ApiSettings, ApiState, Pages, SourceCheck};

/// What the dashboard shares with the API: its handlers, scopes and refusals.
pub(crate) mod shared {
    pub use super::caller::Caller;
    pub use super::dto::JobBody;
    pub(crate) use super::origins_query::{OriginsQuery, cursor as origin_cursor};
    pub use super::prefix::Prefix;
    pub use super::problem::Problem;
    pub use super::problem_kind::ProblemKind;
    pub use super::routes::{
        actions, batch_life, batches, events, life, show, submit, thumbnail, variant,
        webhook_deliveries, webhooks,
    };
    pub(crate) use super::routes::{changing, job_id, readable};
    pub use super::scope::{Scope, Scopes, is_changing};
}
