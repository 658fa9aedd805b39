//! One download: requests and redirects, until there is a source.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;

use super::clients::{Clients, Guards};
use super::download::Download;
use super::ended::{Ended, Stopped};
use super::error::FetchError;
use super::hops::Hops;
use super::memory::DownloadMemory;
use super::request_fields::RequestFields;
use super::resolver::{Resolve, SystemResolver};
use super::settings::{FetchSettings, FetchSetupError};
use super::visit::{Answer, Visit};
use crate::domain::{Origin, SourceUrl};
use thumbforge_intake::{Forbidden, SourcePolicy};

/// Downloads sources within the policy and the limits. Clones share connections and memory.
#[derive(Clone)]
pub struct Fetcher {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) settings: FetchSettings,
    pub(super) clients: Clients,
    pub(super) fields: RequestFields,
    pub(super) memory: DownloadMemory,
    /// Bytes of bodies, as they came.
    pub(super) received: AtomicU64,
    policy: SourcePolicy,
}

impl Fetcher {
    pub fn new(settings: FetchSettings) -> Result<Self, FetchSetupError> {
        Self::with_resolver(settings, Arc::new(SystemResolver::default()))
    }

    /// With another source of addresses; they are judged all the same.
    pub fn with_resolver(
        settings: FetchSettings,
        resolver: Arc<dyn Resolve>,
    ) -> Result<Self, FetchSetupError> {
        let policy = settings.source_policy();
        let addresses = Arc::new(policy.addresses.clone());
        let guards = Guards {
            resolver,
            names: Arc::clone(&addresses),
            peers: addresses,
        };
        Self::guarded(settings, policy, &guards)
    }

    pub(super) fn guarded(
        settings: FetchSettings,
        policy: SourcePolicy,
        guards: &Guards,
    ) -> Result<Self, FetchSetupError> {
        Ok(Self {
            inner: Arc::new(Inner {
                clients: Clients::new(&settings, guards)?,
                fields: RequestFields::new(&settings)?,
                memory: DownloadMemory::new(settings.memory_bytes),
                received: AtomicU64::new(0),
                policy,
                settings,
            }),
        })
    }

    /// The memory that all downloads share.
    pub fn memory(&self) -> &DownloadMemory {
        &self.inner.memory
    }

    /// Bytes of bodies that sources have sent so far, also of downloads that failed.
    pub fn received_bytes(&self) -> u64 {
        self.inner.received.load(Ordering::Relaxed)
    }

    /// Downloads `url`, following redirects; asks `hops` before every request and reports to it
    /// after.
    ///
    /// # Errors
    /// Whatever keeps the source from arriving whole.
    pub async fn fetch(&self, url: &SourceUrl, hops: &dyn Hops) -> Result<Download, Stopped> {
        let mut status = None;
        let followed = self.inner.follow(url, hops, &mut status).await;
        followed.map_err(|ended| ended.told(status))
    }
}

impl Inner {
    /// `status` is the last one, from the hop at which the download ended.
    async fn follow(
        &self,
        url: &SourceUrl,
        hops: &dyn Hops,
        status: &mut Option<u16>,
    ) -> Result<Download, Ended> {
        self.judge(url).map_err(FetchError::Forbidden)?;
        let deadline = Instant::now() + self.settings.total_timeout;
        let mut current = url.clone();
        let mut visited = Vec::new();
        let mut sets_cookie = false;
        loop {
            let origin = Origin::of(current.as_url()).ok_or(FetchError::Connect)?;
            if !hops.may_visit(&origin).await {
                return Err(Ended::Parked(origin));
            }
            *status = None;
            let visit = Visit {
                parts: self,
                url: &current,
                origin: &origin,
                hops,
                deadline,
            };
            let answer = visit.make(status).await;
            match answer.map_err(|ended| after_redirects(ended, !visited.is_empty()))? {
                Answer::Source(download) => return Ok(download),
                Answer::Redirect {
                    location,
                    with_cookie,
                } => {
                    let next = self.judge_redirect(&current, &location)?;
                    sets_cookie |= with_cookie;
                    visited.push(current);
                    if visited.contains(&next) {
                        return Err(match sets_cookie {
                            true => FetchError::CookieLoop.into(),
                            false => FetchError::RedirectLoop.into(),
                        });
                    }
                    let max = self.settings.max_redirects;
                    if visited.len() > max as usize {
                        return Err(FetchError::TooManyRedirects(max).into());
                    }
                    current = next;
                }
            }
        }
    }

    fn judge_redirect(&self, from: &SourceUrl, location: &str) -> Result<SourceUrl, FetchError> {
        let next = from.join(location).map_err(FetchError::RedirectRefused)?;
        if from.as_url().scheme() == "https" && next.as_url().scheme() == "http" {
            return Err(FetchError::Downgrade);
        }
        self.judge(&next).map_err(FetchError::RedirectForbidden)?;
        Ok(next)
    }

    fn judge(&self, url: &SourceUrl) -> Result<(), Forbidden> {
        let proxy = self.settings.egress_proxy.as_ref();
        // Its name is the only one that is not judged by its addresses.
        if proxy.is_some_and(|proxy| url.as_url().host_str() == Some(proxy.host())) {
            return Err(Forbidden::Name);
        }
        self.policy.check_url(url)
    }
}

/// A name that turns out to be forbidden may be one that the source chose.
fn after_redirects(ended: Ended, is_redirected: bool) -> Ended {
    match ended {
        Ended::Failed(FetchError::Forbidden(forbidden)) if is_redirected => {
            FetchError::RedirectForbidden(forbidden).into()
        }
        ended => ended,
    }
}
