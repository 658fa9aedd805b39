//! Integration tests: real Postgres, real Redis, a loopback image server, the built binary.

#![expect(
    clippy::disallowed_methods,
    reason = "tests play the world around the service"
)]

#[path = "../support/mod.rs"]
mod support;

mod api;
mod architecture;
mod database;
mod database_actions;
mod database_batch_overlap;
mod database_batches;
mod database_life;
mod database_origins;
mod database_retention;
mod database_turns;
mod database_variants;
mod documents;
mod end_to_end;
mod orphans;
mod queue;
mod security_document;
mod starting;
mod thumbnail_command;
mod tidying_commands;
