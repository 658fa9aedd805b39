//! The guarded download against a hostile server on loopback.

mod addresses;
mod answers;
mod canary;
mod certificates;
mod client;
mod codings;
mod connections;
mod framing;
mod hops;
mod http2;
mod lenience;
mod limits;
mod memory;
mod origin;
mod privacy;
mod proxy;
mod redirects;
mod resolver;
mod slowness;
mod tls;
