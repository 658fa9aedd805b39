//! Fetchers as the tests want them.

use std::time::Duration;

use thumbforge::domain::AllowedPorts;
use thumbforge::domain::{Failure, SourceUrl};
use thumbforge::fetch::{AnyHop, Download, FetchSettings, Fetcher, Stopped};

/// May fetch from all of loopback, with limits that a test can wait for.
pub fn settings() -> FetchSettings {
    FetchSettings {
        total_timeout: Duration::from_secs(10),
        allowed_networks: vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()],
        allowed_ports: AllowedPorts::Any,
        max_bytes: 1_000_000,
        ..FetchSettings::default()
    }
}

pub fn url(text: &str) -> SourceUrl {
    SourceUrl::parse(text).unwrap()
}

/// Fetches with the settings above.
pub async fn fetch(text: &str) -> Result<Download, Failure> {
    fetch_with(settings(), text).await
}

pub async fn fetch_with(settings: FetchSettings, text: &str) -> Result<Download, Failure> {
    Fetcher::new(settings).unwrap().get(&url(text)).await
}

/// Fetches as a caller without a scheduler does, with attempts left.
pub trait Get {
    async fn get(&self, url: &SourceUrl) -> Result<Download, Failure>;
}

impl Get for Fetcher {
    async fn get(&self, url: &SourceUrl) -> Result<Download, Failure> {
        self.fetch(url, &AnyHop)
            .await
            .map_err(|stopped| match stopped {
                Stopped::Failed(failure) | Stopped::Cut { failure, .. } => failure,
                other => panic!("{other:?}"),
            })
    }
}

/// May fetch from nowhere but [`ALLOWED`](crate::canary::ALLOWED).
pub fn wary_settings() -> FetchSettings {
    FetchSettings {
        allowed_networks: vec![crate::canary::ALLOWED.into()],
        ..settings()
    }
}
