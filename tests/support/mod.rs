//! Real servers for the tests: each is started here, on a free port or a private socket, and ends
//! with the test process, however that ends.
#![allow(
    dead_code,
    reason = "each test binary uses its own part of the support"
)]

pub mod authority;
pub mod browser;
pub mod child_process;
pub mod client;
pub mod deadline;
pub mod event_stream;
pub mod fault_proxy;
pub mod http_client;
pub mod images;
pub mod limiter;
pub mod origin;
pub mod pgbouncer;
pub mod postgres;
pub mod receiver;
pub mod redis;
pub mod redis_cluster;
pub mod reply;
pub mod request_log;
pub mod samples;
pub mod sentinels;
pub mod server_process;
pub mod skipped;
