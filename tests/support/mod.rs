//! Real servers for the tests: each is started here, on a free port or a private socket, and ends
//! with the test process, however that ends.
#![allow(
    dead_code,
    reason = "each test binary uses its own part of the support"
)]

pub mod child_process;
pub mod client;
pub mod deadline;
pub mod fault_proxy;
pub mod http_client;
pub mod images;
pub mod limiter;
pub mod origin;
pub mod postgres;
pub mod redis;
pub mod reply;
pub mod request_log;
pub mod server_process;
