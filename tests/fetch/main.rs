//! The guarded download against a hostile server on loopback.

mod answers;
mod client;
mod origin;
