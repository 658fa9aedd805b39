//! The HTTP API as a client sees it, over a socket.

mod access;
mod actions;
mod batches;
mod crowd;
mod docs;
mod events;
pub mod harness;
mod health;
mod idempotency;
mod insight;
mod life;
mod limits;
mod metrics;
mod origins;
mod pages;
mod prefix;
mod reading;
mod slow_clients;
mod submitting;
mod thumbnails;
mod variants;
