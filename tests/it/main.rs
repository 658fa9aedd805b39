//! Integration tests: real Postgres, real Redis, a loopback image server, the built binary.

#[path = "../support/mod.rs"]
mod support;

mod api;
mod architecture;
mod database;
mod queue;
