//! Integration tests: real Postgres, real Redis, a loopback image server, the built binary.

#[path = "../support/mod.rs"]
mod support;

mod api;
mod architecture;
mod database;
mod database_origins;
mod database_turns;
mod database_variants;
mod end_to_end;
mod queue;
mod security_document;
mod starting;
mod thumbnail_command;
