//! The HTTP API as a client sees it, over a socket.

mod access;
mod actions;
mod batches;
mod crowd;
mod docs;
pub mod harness;
mod health;
mod idempotency;
mod life;
mod limits;
mod origins;
mod pages;
mod reading;
mod slow_clients;
mod submitting;
mod thumbnails;
mod variants;
