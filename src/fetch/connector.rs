//! Opens connections, and only to addresses that the policy allows.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use super::address_policy::{AddressPolicy, PermittedAddress};
use super::connection::{Connection, Stream};
use super::error::FetchError;
use super::resolver::{self, Resolve};

/// The next address is tried beside the first after this long (RFC 8305 §5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// More addresses than this are not tried: a name may have hundreds.
const MAX_ATTEMPTS: usize = 6;

/// What a connection is good for. Never shared between names, even if they share addresses.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Origin {
    is_https: bool,
    host: Host<String>,
    port: u16,
}

impl Origin {
    /// `None` if the URL lacks a host or a port, which no accepted URL does.
    pub(super) fn of(url: &Url) -> Option<Self> {
        Some(Self {
            is_https: url.scheme() == "https",
            host: url.host()?.to_owned(),
            port: url.port_or_known_default()?,
        })
    }
}

pub(super) struct Connector {
    pub(super) policy: AddressPolicy,
    pub(super) resolver: Arc<dyn Resolve>,
    pub(super) tls: Arc<ClientConfig>,
    /// Resolving, connecting and the handshake together.
    pub(super) timeout: Duration,
}

impl Connector {
    pub(super) async fn open(&self, origin: &Origin) -> Result<Connection, FetchError> {
        let deadline = Instant::now() + self.timeout;
        let resolving =
            resolver::permitted_addresses(&origin.host, self.resolver.as_ref(), &self.policy);
        let addresses = timeout_at(deadline, resolving)
            .await
            .map_err(|_| FetchError::DnsTimeout)??;
        let opening = async {
            let stream = connect(&addresses, origin.port, &self.policy, TcpStream::connect).await?;
            if origin.is_https {
                self.shake_hands(stream, &origin.host).await
            } else {
                Ok(Connection::new(Stream::Plain(stream)))
            }
        };
        timeout_at(deadline, opening)
            .await
            .map_err(|_| FetchError::ConnectTimeout)?
    }

    async fn shake_hands(
        &self,
        stream: TcpStream,
        host: &Host<String>,
    ) -> Result<Connection, FetchError> {
        let name = server_name(host)?;
        let stream = TlsConnector::from(Arc::clone(&self.tls))
            .connect(name, stream)
            .await
            .map_err(|error| {
                tracing::debug!(%host, %error, "TLS handshake failed");
                FetchError::Tls
            })?;
        Ok(Connection::new(Stream::Tls(Box::new(stream))))
    }
}

fn server_name(host: &Host<String>) -> Result<ServerName<'static>, FetchError> {
    match host {
        Host::Ipv4(address) => Ok(ServerName::from(std::net::IpAddr::V4(*address))),
        Host::Ipv6(address) => Ok(ServerName::from(std::net::IpAddr::V6(*address))),
        Host::Domain(name) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            ServerName::try_from(name.to_owned()).map_err(|_| FetchError::Tls)
        }
    }
}

/// The first connection that opens, where each further address gets a head start less.
///
/// `dial` is a parameter so that a test can play a network that leads elsewhere.
async fn connect<D, F>(
    addresses: &[PermittedAddress],
    port: u16,
    policy: &AddressPolicy,
    dial: D,
) -> Result<TcpStream, FetchError>
where
    D: Fn(SocketAddr) -> F,
    F: Future<Output = io::Result<TcpStream>>,
{
    let mut waiting = addresses.iter().take(MAX_ATTEMPTS);
    let mut attempts = FuturesUnordered::new();
    loop {
        let more = waiting.next();
        if let Some(address) = more {
            attempts.push(dial(SocketAddr::new(address.get(), port)));
        }
        let opened = if more.is_some() && waiting.len() > 0 {
            match tokio::time::timeout(ATTEMPT_DELAY, attempts.next()).await {
                Ok(opened) => opened,
                Err(_) => continue,
            }
        } else {
            attempts.next().await
        };
        match opened {
            Some(Ok(stream)) => return check_peer(stream, policy),
            Some(Err(error)) => tracing::debug!(%error, "connection to a source not opened"),
            None if waiting.len() == 0 => return Err(FetchError::Connect),
            None => {}
        }
    }
}

/// Judges the address that was reached, whatever was dialled.
fn check_peer(stream: TcpStream, policy: &AddressPolicy) -> Result<TcpStream, FetchError> {
    let peer = stream.peer_addr().map_err(|_| FetchError::Connect)?;
    policy
        .check_address(peer.ip())
        .map_err(FetchError::Forbidden)?;
    // A request is one write, but a handshake is several, and none may wait for the other side.
    stream.set_nodelay(true).map_err(|_| FetchError::Connect)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::Forbidden;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    fn permitted(policy: &AddressPolicy, address: [u8; 4]) -> PermittedAddress {
        policy.permit(address.into()).unwrap()
    }

    fn lifting(network: &str) -> AddressPolicy {
        AddressPolicy::new(vec![network.parse().unwrap()])
    }

    #[tokio::test]
    async fn a_connection_that_leads_elsewhere_is_dropped_without_a_byte() {
        let canary = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = canary.local_addr().unwrap();
        let policy = AddressPolicy::default();
        let addresses = [permitted(&policy, [8, 8, 8, 8])];
        let result = connect(&addresses, 80, &policy, |_| TcpStream::connect(target)).await;
        let error = result.map(drop).unwrap_err();
        assert_eq!(error, FetchError::Forbidden(Forbidden::Address));
        let (mut caught, _) = canary.accept().await.unwrap();
        let mut received = Vec::new();
        caught.read_to_end(&mut received).await.unwrap();
        assert!(received.is_empty());
    }

    #[tokio::test]
    async fn the_next_address_is_tried_when_one_refuses_or_hangs() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let policy = lifting("127.0.0.0/8");
        let addresses =
            [[127, 0, 0, 3], [127, 0, 0, 2], [127, 0, 0, 1]].map(|a| permitted(&policy, a));
        let stream = connect(&addresses, port, &policy, |address| async move {
            if address.ip() == std::net::IpAddr::from([127, 0, 0, 2]) {
                std::future::pending::<()>().await;
            }
            TcpStream::connect(address).await
        });
        let stream = stream.await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), listener.local_addr().unwrap());
    }

    #[tokio::test]
    async fn all_addresses_refusing_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let policy = lifting("127.0.0.0/8");
        let addresses = [[127, 0, 0, 1], [127, 0, 0, 2]].map(|a| permitted(&policy, a));
        let result = connect(&addresses, port, &policy, TcpStream::connect).await;
        assert_eq!(result.map(drop).unwrap_err(), FetchError::Connect);
    }
}
