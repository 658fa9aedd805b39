//! The HTTP API as a client sees it, over a socket.

mod access;
mod actions;
mod crowd;
mod docs;
pub mod harness;
mod health;
mod life;
mod limits;
mod origins;
mod pages;
mod reading;
mod slow_clients;
mod submitting;
mod thumbnails;
mod variants;
