//! The dashboard under `/ui`: pages for people, rendered by the server.
//!
//! It has no power of its own: a page shows what a key may read, and a button calls the handler of
//! the API. Pages are read without scripts; scripts keep them up to date. Each page asks only for
//! counts that are kept and for pages of lists, so that it costs the same however many jobs there
//! are; but the one that confirms an action counts the jobs that it concerns, for operators.

mod assets;
mod filter;
mod frame;
mod gate;
mod pages;
mod picture;
mod routes;
mod session;
mod times;

use std::sync::Arc;

use crate::http::Pages;

/// The pages, and their files. Without API keys they are shown only if `is_local`: the address of
/// the service is one of this machine's own.
pub fn pages(is_local: bool) -> Pages {
    let door = actix_web::web::Data::new(gate::Door::new(is_local));
    Arc::new(move |app, meters| routes::configure(app, meters, door.clone()))
}
