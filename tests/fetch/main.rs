//! The guarded download against a hostile server on loopback.

mod addresses;
mod answers;
mod canary;
mod client;
mod connections;
mod framing;
mod limits;
mod origin;
mod privacy;
mod redirects;
mod resolver;
mod slowness;
mod tls;
