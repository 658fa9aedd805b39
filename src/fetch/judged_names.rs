//! Judges every address of a name before any is dialled.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolving};

use super::error::FetchError;
use super::resolver::Resolve;
use thumbforge_intake::AddressPolicy;

/// More addresses than this are not tried: a name may have hundreds.
const MAX_ADDRESSES: usize = 6;

/// Resolves for the client, which never asks for literal addresses.
#[derive(Clone)]
pub(super) struct JudgedNames {
    pub(super) resolver: Arc<dyn Resolve>,
    pub(super) policy: Arc<AddressPolicy>,
    pub(super) timeout: Duration,
    /// The host of the operator's proxy, which may be anywhere.
    pub(super) proxy: Option<Arc<str>>,
}

impl reqwest::dns::Resolve for JudgedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let names = self.clone();
        Box::pin(async move {
            let asking = names.addresses(name.as_str());
            let addresses = tokio::time::timeout(names.timeout, asking)
                .await
                .map_err(|_| FetchError::DnsTimeout)??;
            let addresses = addresses.into_iter();
            Ok(Box::new(addresses.map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

impl JudgedNames {
    async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, FetchError> {
        let addresses = self.resolver.resolve(name).await.map_err(|error| {
            tracing::debug!(host = %name, %error, "host name not resolved");
            match error.kind() {
                ErrorKind::NotFound => FetchError::NoSuchName,
                _ => FetchError::Dns,
            }
        })?;
        if addresses.is_empty() {
            return Err(FetchError::Dns);
        }
        if self.proxy.as_deref() != Some(name) {
            self.judge(name, &addresses)?;
        }
        Ok(first_of_both_families(addresses))
    }

    /// One forbidden address refuses the host: a name that mixes public and private answers is an
    /// attack, and chance decides which one is dialled.
    fn judge(&self, name: &str, addresses: &[IpAddr]) -> Result<(), FetchError> {
        for address in addresses {
            self.policy.check_address(*address).map_err(|forbidden| {
                tracing::info!(host = %name, %address, "refused to fetch from a forbidden address");
                FetchError::Forbidden(forbidden)
            })?;
        }
        Ok(())
    }
}

/// Takes the families in turn, beginning with that of the best address: if one of them is cut off,
/// the other is still among the few that are tried.
fn first_of_both_families(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let begins_with_v4 = addresses.first().is_some_and(IpAddr::is_ipv4);
    let (first, second): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv4() == begins_with_v4);
    let mut second = second.into_iter();
    let mut mixed = Vec::new();
    for address in first {
        mixed.push(address);
        mixed.extend(second.next());
    }
    mixed.extend(second);
    mixed.truncate(MAX_ADDRESSES);
    mixed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::{Forbidden, Resolving as Answering};

    struct Answers(&'static [&'static str]);

    impl Resolve for Answers {
        fn resolve<'a>(&'a self, _name: &'a str) -> Answering<'a> {
            let addresses = self.0.iter().map(|text| text.parse().unwrap()).collect();
            Box::pin(async move { Ok(addresses) })
        }
    }

    fn names(answers: &'static [&'static str]) -> JudgedNames {
        JudgedNames {
            resolver: Arc::new(Answers(answers)),
            policy: Arc::default(),
            timeout: Duration::from_secs(1),
            proxy: Some("proxy.internal".into()),
        }
    }

    async fn judge(answers: &'static [&'static str]) -> Result<usize, FetchError> {
        let addresses = names(answers).addresses("example.com").await;
        addresses.map(|addresses| addresses.len())
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
        // Even if it is beyond those that are tried.
        let many = &[
            "8.8.8.8", "8.8.8.8", "8.8.8.8", "8.8.8.8", "8.8.8.8", "8.8.8.8", "10.0.0.1",
        ];
        assert_eq!(judge(many).await, forbidden);
    }

    #[tokio::test]
    async fn six_addresses_of_both_families_in_turn_are_tried() {
        let answers = &[
            "2606:4700::1",
            "2606:4700::2",
            "2606:4700::3",
            "2606:4700::4",
            "2606:4700::5",
            "2606:4700::6",
            "2606:4700::7",
            "8.8.8.8",
            "8.8.4.4",
        ];
        let addresses = names(answers).addresses("example.com").await.unwrap();
        let texts: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        let expected = [
            "2606:4700::1",
            "8.8.8.8",
            "2606:4700::2",
            "8.8.4.4",
            "2606:4700::3",
            "2606:4700::4",
        ];
        assert_eq!(texts, expected);
    }

    #[tokio::test]
    async fn only_the_proxy_may_be_anywhere() {
        let names = names(&["10.0.0.1"]);
        assert!(names.addresses("proxy.internal").await.is_ok());
        assert!(names.addresses("example.com").await.is_err());
    }
}
