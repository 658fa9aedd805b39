//! Names become addresses, and every one of them is judged before any is used.

use std::future::Future;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::Semaphore;
use url::Host;

use super::address_policy::{AddressPolicy, PermittedAddress};
use super::error::FetchError;

/// More lookups than this wait for each other. A lookup can't be cancelled, so names whose servers
/// never answer would otherwise take all blocking threads of the process.
const MAX_LOOKUPS: usize = 64;

pub type Resolving<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// Turns a host name into its addresses, best first. Tests put their own answers here.
pub trait Resolve: Send + Sync + 'static {
    fn resolve<'a>(&'a self, name: &'a str) -> Resolving<'a>;
}

/// The system's resolver (`getaddrinfo`), with its hosts file and search rules.
#[derive(Debug, Clone)]
pub struct SystemResolver {
    lookups: Arc<Semaphore>,
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self {
            lookups: Arc::new(Semaphore::new(MAX_LOOKUPS)),
        }
    }
}

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> Resolving<'a> {
        Box::pin(async move {
            let permit = Arc::clone(&self.lookups)
                .acquire_owned()
                .await
                .map_err(io::Error::other)?;
            let name = name.to_owned();
            let lookup = tokio::task::spawn_blocking(move || {
                // Held by the thread, which outlives a caller that gave up.
                let _permit = permit;
                let addresses = (name.as_str(), 0).to_socket_addrs()?;
                Ok(addresses.map(|address| address.ip()).collect())
            });
            lookup.await.map_err(io::Error::other)?
        })
    }
}

/// All addresses of `host`, each of them permitted. One that is forbidden refuses the host: a name
/// that mixes public and private answers is an attack, and which one is dialled is chance.
pub(super) async fn permitted_addresses(
    host: &Host<String>,
    resolver: &dyn Resolve,
    policy: &AddressPolicy,
) -> Result<Vec<PermittedAddress>, FetchError> {
    let addresses = match host {
        Host::Ipv4(address) => vec![IpAddr::V4(*address)],
        Host::Ipv6(address) => vec![IpAddr::V6(*address)],
        Host::Domain(name) => resolver.resolve(name).await.map_err(|error| {
            tracing::debug!(host = %name, %error, "host name not resolved");
            FetchError::Dns
        })?,
    };
    if addresses.is_empty() {
        return Err(FetchError::Dns);
    }
    addresses
        .into_iter()
        .map(|address| {
            policy.permit(address).map_err(|forbidden| {
                tracing::info!(%host, %address, "refused to fetch from a forbidden address");
                FetchError::Forbidden(forbidden)
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::Forbidden;

    struct Answers(&'static [&'static str]);

    impl Resolve for Answers {
        fn resolve<'a>(&'a self, _name: &'a str) -> Resolving<'a> {
            let addresses = self.0.iter().map(|text| text.parse().unwrap()).collect();
            Box::pin(async move { Ok(addresses) })
        }
    }

    async fn judge(answers: &'static [&'static str]) -> Result<usize, FetchError> {
        let host = Host::Domain("example.com".to_owned());
        permitted_addresses(&host, &Answers(answers), &AddressPolicy::default())
            .await
            .map(|addresses| addresses.len())
    }

    #[tokio::test]
    async fn one_forbidden_answer_refuses_the_name() {
        let forbidden = Err(FetchError::Forbidden(Forbidden::Address));
        assert_eq!(judge(&["8.8.8.8", "2606:4700::1111"]).await, Ok(2));
        assert_eq!(judge(&["10.0.0.1"]).await, forbidden);
        assert_eq!(judge(&["8.8.8.8", "10.0.0.1"]).await, forbidden);
        assert_eq!(judge(&["10.0.0.1", "8.8.8.8"]).await, forbidden);
        assert_eq!(judge(&["8.8.8.8", "::ffff:127.0.0.1"]).await, forbidden);
        assert_eq!(judge(&[]).await, Err(FetchError::Dns));
    }

    #[tokio::test]
    async fn a_literal_host_is_judged_although_it_is_not_resolved() {
        let host = Host::Ipv4([127, 0, 0, 1].into());
        let judged =
            permitted_addresses(&host, &Answers(&["8.8.8.8"]), &AddressPolicy::default()).await;
        assert_eq!(judged, Err(FetchError::Forbidden(Forbidden::Address)));
    }
}
