//! Judges which host a new connection has reached, before a byte of a request is sent on it.
//!
//! Only judged addresses are dialled. This is a second check: if the network leads a judged address
//! elsewhere, nothing is requested there.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::{Connection, HttpInfo};
use tower::{Layer, Service};

use super::error::FetchError;
use super::hop_clock::HopClock;
use thumbforge_intake::AddressPolicy;
use thumbforge_intake::Forbidden;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// `None`: every connection leads to the proxy that the operator named.
#[derive(Clone)]
pub(super) struct PeerGuard(pub(super) Option<Arc<AddressPolicy>>);

impl<S> Layer<S> for PeerGuard {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        let guard = self.clone();
        Guarded { inner, guard }
    }
}

#[derive(Clone)]
pub(super) struct Guarded<S> {
    inner: S,
    guard: PeerGuard,
}

impl<S, R> Service<R> for Guarded<S>
where
    S: Service<R, Error = BoxError>,
    S::Response: Connection,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, target: R) -> Self::Future {
        let opening = self.inner.call(target);
        let guard = self.guard.clone();
        Box::pin(async move {
            let connecting = HopClock::connecting();
            let connection = opening.await?;
            guard.judge(&connection)?;
            connecting.done();
            Ok(connection)
        })
    }
}

impl PeerGuard {
    fn judge(&self, connection: &impl Connection) -> Result<(), FetchError> {
        let Some(policy) = &self.0 else {
            return Ok(());
        };
        let mut extras = hyper::http::Extensions::new();
        connection.connected().get_extras(&mut extras);
        let Some(info) = extras.get::<HttpInfo>() else {
            return Err(FetchError::Forbidden(Forbidden::Address));
        };
        let peer = info.remote_addr();
        policy.check_address(peer.ip()).map_err(|forbidden| {
            tracing::warn!(%peer, "a connection to a source led to a forbidden address");
            FetchError::Forbidden(forbidden)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use crate::domain::{AllowedPorts, FailureCode, SourceUrl};
    use crate::fetch::clients::Guards;
    use crate::fetch::{AnyHop, FetchSettings, Fetcher, Resolve, Resolving, Stopped};

    struct Loopback;

    impl Resolve for Loopback {
        fn resolve<'a>(&'a self, _name: &'a str) -> Resolving<'a> {
            Box::pin(async { Ok(vec![IpAddr::from([127, 0, 0, 1])]) })
        }
    }

    /// A policy that allows loopback judges names and literals; one that does not judges peers: as
    /// if a public address led here.
    #[tokio::test]
    async fn a_connection_that_leads_elsewhere_is_dropped_without_a_byte() {
        let canary = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = canary.local_addr().unwrap().port();
        let settings = FetchSettings {
            allowed_networks: vec!["127.0.0.0/8".parse().unwrap()],
            allowed_ports: AllowedPorts::Any,
            ..FetchSettings::default()
        };
        let policy = settings.source_policy();
        let guards = Guards {
            resolver: Arc::new(Loopback),
            names: Arc::new(policy.addresses.clone()),
            peers: Arc::default(),
        };
        let fetcher = Fetcher::guarded(settings, policy, &guards).unwrap();
        for host in ["source.example", "127.0.0.1"] {
            let url = SourceUrl::parse(&format!("http://{host}:{port}/")).unwrap();
            match fetcher.fetch(&url, &AnyHop).await.unwrap_err() {
                Stopped::Failed(failure) => {
                    assert_eq!(failure.code, FailureCode::ForbiddenSource, "{host}");
                }
                other => panic!("{other:?}"),
            }
            let (mut caught, _) = canary.accept().await.unwrap();
            let mut received = Vec::new();
            caught.read_to_end(&mut received).await.unwrap();
            assert!(received.is_empty(), "{host}");
        }
    }
}
