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
mod foreign;
mod gate;
mod health;
mod idempotency;
mod lines;
mod openapi;
mod openapi_schemas;
mod origin_dto;
mod origins_query;
mod paced_stream;
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

pub use api_keys::{ApiKeys, ApiKeysError};
pub use descriptors::raise_open_files;
pub use health::{Probe, probe};
pub use paced_stream::Pace;
pub use reserved_address::ReservedAddress;
pub use server::{run, run_probes};
pub use state::{ApiSettings, ApiState, SourceCheck};
