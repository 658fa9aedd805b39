//! A client for the API, which keeps its connections.

/// Speaks only to loopback, through no proxy.
pub fn new() -> reqwest::Client {
    // reqwest is built without a provider of its own, because ThumbForge brings ring.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build();
    client.expect("a client")
}
