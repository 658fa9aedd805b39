//! Integration tests: real Postgres, real Redis, a loopback image server, the built binary.

#![expect(
    clippy::disallowed_methods,
    reason = "tests play the world around the service"
)]

#[path = "../support/mod.rs"]
mod support;

mod api;
mod architecture;
mod behind_nginx;
mod client;
mod database;
mod database_actions;
mod database_batch_overlap;
mod database_batches;
mod database_events;
mod database_failures;
mod database_floods;
mod database_flow;
mod database_life;
mod database_origins;
mod database_queues;
mod database_retention;
mod database_server;
mod database_turns;
mod database_variants;
mod deployment;
mod documents;
mod end_to_end;
mod first_request;
mod isolation;
mod logs;
mod metrics;
mod monitoring_files;
mod orphans;
mod postgres_hosts;
mod postgres_tls;
mod queue;
mod queue_servers;
mod queue_tls;
mod queue_users;
mod security_document;
mod signals;
mod starting;
mod starting_connections;
mod thumbnail_command;
mod tidying_commands;
mod traces;
mod ui;
mod webhooks;
