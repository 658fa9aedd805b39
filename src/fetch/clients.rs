//! The HTTP client, set up so that nothing gets past the guard.

use std::sync::Arc;

use reqwest::{Client, Proxy, redirect};

use super::judged_names::JudgedNames;
use super::kept_origins::{Keep, KeptOrigins};
use super::peer_guard::PeerGuard;
use super::resolver::Resolve;
use super::settings::{FetchSettings, FetchSetupError};
use super::tls;
use crate::domain::Origin;
use thumbforge_intake::AddressPolicy;

/// Fields of an answer's head.
const MAX_HEAD_FIELDS: usize = 200;
/// Bytes of an answer's head in HTTP/2.
const MAX_HEAD_LIST_BYTES: u32 = 64 * 1024;
/// What HTTP/2 may send ahead of us, for one body and for all of a connection: not counted as
/// memory of downloads.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;

/// One client that keeps connections, and one that doesn't.
pub(super) struct Clients {
    keeping: Client,
    closing: Client,
    kept: Arc<KeptOrigins>,
}

/// The checks that all connections have to pass.
pub(super) struct Guards {
    pub(super) resolver: Arc<dyn Resolve>,
    pub(super) names: Arc<AddressPolicy>,
    /// The same policy; a test plays a network that leads elsewhere.
    pub(super) peers: Arc<AddressPolicy>,
}

impl Clients {
    pub(super) fn new(settings: &FetchSettings, guards: &Guards) -> Result<Self, FetchSetupError> {
        let tls = tls::client_config(&settings.extra_roots)?;
        Ok(Self {
            keeping: client(settings, guards, &tls, settings.max_idle_per_host)?,
            closing: client(settings, guards, &tls, 0)?,
            kept: KeptOrigins::new(settings.keep_alive),
        })
    }

    /// The client for the next request to `origin`, and a guard to hold until it has ended.
    pub(super) fn of(&self, origin: &Origin) -> (&Client, Option<Keep>) {
        match self.kept.keep(origin) {
            Some(keep) => (&self.keeping, Some(keep)),
            None => (&self.closing, None),
        }
    }

    /// The client that certainly opens a new connection.
    pub(super) fn fresh(&self) -> &Client {
        &self.closing
    }
}

fn client(
    settings: &FetchSettings,
    guards: &Guards,
    tls: &rustls::ClientConfig,
    max_idle_per_host: usize,
) -> Result<Client, FetchSetupError> {
    let proxy = settings.egress_proxy.as_ref();
    let names = JudgedNames {
        resolver: Arc::clone(&guards.resolver),
        policy: Arc::clone(&guards.names),
        // A little less, so that a silent name server differs from a silent host.
        timeout: settings.connect_timeout * 15 / 16,
        proxy: proxy.map(|proxy| proxy.host().into()),
    };
    let peers = proxy.is_none().then(|| Arc::clone(&guards.peers));
    #[expect(clippy::disallowed_methods, reason = "this is the guard")]
    let mut builder = Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .tls_backend_preconfigured(tls.clone())
        .dns_resolver(names)
        .connector_layer(PeerGuard(peers))
        .connect_timeout(settings.connect_timeout)
        .pool_max_idle_per_host(max_idle_per_host)
        .pool_idle_timeout(settings.keep_alive)
        .http1_title_case_headers()
        .http1_max_headers(MAX_HEAD_FIELDS)
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .http2_max_header_list_size(MAX_HEAD_LIST_BYTES)
        .http2_initial_stream_window_size(STREAM_WINDOW_BYTES)
        .http2_initial_connection_window_size(CONNECTION_WINDOW_BYTES);
    if let Some(proxy) = proxy {
        builder = builder.proxy(Proxy::all(proxy.as_str()).map_err(FetchSetupError::Client)?);
    }
    builder.build().map_err(FetchSetupError::Client)
}
