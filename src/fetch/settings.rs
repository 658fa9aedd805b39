//! Limits and settings of a download.

use std::time::Duration;

use ipnet::IpNet;
use thumbforge_intake::SourcePolicy;

use crate::domain::{AllowedPorts, EgressProxy, OriginRule};

#[derive(Debug, Clone, PartialEq)]
pub struct FetchSettings {
    /// The whole download: names, connections, redirects and body.
    pub total_timeout: Duration,
    /// Resolving, connecting and the TLS handshake of one hop.
    pub connect_timeout: Duration,
    /// From the request of one hop until the last byte of its answer's head.
    pub head_timeout: Duration,
    /// The longest silence within a body.
    pub idle_timeout: Duration,
    /// The least that a body must bring in each [`rate_window`](Self::rate_window); 0: any.
    pub min_bytes_per_second: u64,
    pub rate_window: Duration,
    /// Bytes of the body, both coded and inflated.
    pub max_bytes: u64,
    /// Bytes that all bodies may hold together; at least `max_bytes`.
    pub memory_bytes: u64,
    pub max_redirects: u32,
    /// Networks that may be fetched although they are not public.
    pub allowed_networks: Vec<IpNet>,
    pub allowed_ports: AllowedPorts,
    /// Connections kept for the next request to the same scheme, host and port. 0 keeps none.
    pub max_idle_per_host: usize,
    /// How long an unused connection is kept.
    pub keep_alive: Duration,
    /// Certificates (DER) of authorities to trust besides the public ones and the system's.
    pub extra_roots: Vec<Vec<u8>>,
    /// Visible ASCII.
    pub user_agent: String,
    /// What else is sent, and to which hosts; the most specific pattern first.
    pub origins: Vec<OriginRule>,
    pub egress_proxy: Option<EgressProxy>,
}

impl FetchSettings {
    /// What may be fetched at all.
    pub fn source_policy(&self) -> SourcePolicy {
        SourcePolicy::new(self.allowed_networks.clone(), self.allowed_ports.clone())
    }
}

impl Default for FetchSettings {
    fn default() -> Self {
        Self {
            total_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            head_timeout: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(10),
            min_bytes_per_second: 1024,
            rate_window: Duration::from_secs(5),
            max_bytes: 32 * 1024 * 1024,
            memory_bytes: 256 * 1024 * 1024,
            max_redirects: 5,
            allowed_networks: Vec::new(),
            allowed_ports: AllowedPorts::default(),
            max_idle_per_host: 8,
            keep_alive: Duration::from_secs(15),
            extra_roots: Vec::new(),
            user_agent: concat!("ThumbForge/", env!("CARGO_PKG_VERSION")).to_owned(),
            origins: Vec::new(),
            egress_proxy: None,
        }
    }
}

/// Why no download can be made at all.
#[derive(Debug, thiserror::Error)]
pub enum FetchSetupError {
    #[error("TLS can't be set up: {0}")]
    Tls(#[source] rustls::Error),
    #[error("the client of downloads can't be set up: {0}")]
    Client(#[source] reqwest::Error),
    #[error("the headers of [origins.\"{0}\"] can't be sent")]
    Headers(String),
    #[error("an extra root certificate can't be read: {0}")]
    ExtraRoot(#[source] rustls::Error),
}
