//! One download: request, redirects, answer.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::{Instant, timeout};

use super::body;
use super::connection::Connection;
use super::connector::{Connector, Origin};
use super::error::FetchError;
use super::hops::{HopReport, Hops};
use super::pool::Pool;
use super::request;
use super::resolver::{Resolve, SystemResolver};
use super::response::{self, Head};
use super::settings::{FetchSettings, FetchSetupError};
use super::source_policy::SourcePolicy;
use super::tls;
use crate::domain::{Failure, SourceUrl};

/// Downloads sources within the policy and the limits. Clones share connections.
#[derive(Clone)]
pub struct Fetcher {
    inner: Arc<Inner>,
}

struct Inner {
    settings: FetchSettings,
    policy: SourcePolicy,
    connector: Connector,
    pool: Pool,
}

/// Why there is no download.
#[derive(Debug, Clone, PartialEq)]
pub enum Stopped {
    Failed(Failure),
    /// This origin may not be visited now.
    Parked(crate::domain::Origin),
    /// Its bytes were needed for older downloads.
    OutOfMemory,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download {
    pub bytes: Bytes,
    /// As the source declared it, if it is visible ASCII.
    pub content_type: Option<String>,
    /// After redirects, normalised.
    pub final_url: String,
}

/// What one request brought.
enum Answer {
    Source {
        bytes: Bytes,
        content_type: Option<String>,
    },
    Redirect(String),
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
        let policy = SourcePolicy::new(&settings);
        let connector = Connector {
            policy: policy.addresses.clone(),
            resolver,
            tls: Arc::new(tls::client_config(&settings.extra_roots)?),
            timeout: settings.connect_timeout,
        };
        let pool = Pool::new(settings.max_idle_per_host, settings.keep_alive);
        Ok(Self {
            inner: Arc::new(Inner {
                settings,
                policy,
                connector,
                pool,
            }),
        })
    }

    /// Downloads `url`, following redirects.
    pub async fn fetch(&self, url: &SourceUrl, hops: &dyn Hops) -> Result<Download, Stopped> {
        let limit = self.inner.settings.total_timeout;
        let origin = url.origin();
        if !hops.may_visit(&origin).await {
            return Err(Stopped::Parked(origin));
        }
        let began = Instant::now();
        let result = timeout(limit, self.inner.follow(url))
            .await
            .unwrap_or(Err(FetchError::TotalTimeout(limit)));
        let status = match &result {
            Ok(_) => Some(200),
            Err(FetchError::RateLimited(_)) => Some(429),
            Err(FetchError::ServerError(status, _) | FetchError::ClientError(status)) => {
                Some(*status)
            }
            Err(_) => None,
        };
        let failure = result.map_err(Failure::from);
        match status {
            Some(status) => hops.report(
                &origin,
                HopReport::Answered {
                    status,
                    retry_after: failure
                        .as_ref()
                        .err()
                        .and_then(|failure| failure.retry_after),
                    after: began.elapsed(),
                },
            ),
            None => hops.report(&origin, HopReport::Failed),
        }
        failure.map_err(|failure| Stopped::Failed(failure.with_source_status(status)))
    }
}

impl Inner {
    async fn follow(&self, url: &SourceUrl) -> Result<Download, FetchError> {
        self.policy.check_url(url).map_err(FetchError::Forbidden)?;
        let mut current = url.clone();
        let mut visited = Vec::new();
        loop {
            let answer = self.get(&current).await.map_err(|error| match error {
                FetchError::Forbidden(forbidden) if !visited.is_empty() => {
                    FetchError::RedirectForbidden(forbidden)
                }
                error => error,
            })?;
            match answer {
                Answer::Source {
                    bytes,
                    content_type,
                } => {
                    return Ok(Download {
                        bytes,
                        content_type,
                        final_url: current.as_str().to_owned(),
                    });
                }
                Answer::Redirect(location) => {
                    let next = self.judge_redirect(&current, &location)?;
                    visited.push(current);
                    if visited.contains(&next) {
                        return Err(FetchError::RedirectLoop);
                    }
                    let max = self.settings.max_redirects;
                    if visited.len() > max as usize {
                        return Err(FetchError::TooManyRedirects(max));
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
        self.policy
            .check_url(&next)
            .map_err(FetchError::RedirectForbidden)?;
        Ok(next)
    }

    /// One request on a kept connection, or else on a new one.
    async fn get(&self, url: &SourceUrl) -> Result<Answer, FetchError> {
        let origin = Origin::of(url.as_url()).ok_or(FetchError::Connect)?;
        if let Some(mut kept) = self.pool.take(&origin) {
            match self.exchange(&mut kept, url).await {
                // Its server may have closed it while the request was under way.
                Err(error) if error.is_closed_connection() && !kept.has_answered => {}
                result => return self.finish(origin, kept, result),
            }
        }
        let mut connection = self.connector.open(&origin).await?;
        let result = self.exchange(&mut connection, url).await;
        self.finish(origin, connection, result)
    }

    /// Keeps the connection if its answer was read to the end.
    fn finish(
        &self,
        origin: Origin,
        connection: Connection,
        result: Result<(Answer, bool), FetchError>,
    ) -> Result<Answer, FetchError> {
        let (answer, is_reusable) = result?;
        if is_reusable {
            self.pool.put(origin, connection);
        }
        Ok(answer)
    }

    /// Sends the request and reads the answer. True if the connection may be used again.
    async fn exchange(
        &self,
        connection: &mut Connection,
        url: &SourceUrl,
    ) -> Result<(Answer, bool), FetchError> {
        let deadline = Instant::now() + self.settings.head_timeout;
        let request = request::head(url.as_url());
        tokio::time::timeout_at(deadline, connection.send(&request))
            .await
            .map_err(|_| FetchError::HeadTimeout)??;
        let head = response::read_head(connection, deadline).await?;
        if let Some(location) = redirect_location(&head)? {
            return Ok((Answer::Redirect(location), false));
        }
        check_status(&head)?;
        if head.is_encoded {
            return Err(FetchError::InvalidResponse("it has a content coding"));
        }
        let bytes = body::read_body(connection, head.framing, &self.settings).await?;
        let answer = Answer::Source {
            bytes,
            content_type: head.content_type,
        };
        Ok((answer, head.keeps_alive))
    }
}

fn redirect_location(head: &Head) -> Result<Option<String>, FetchError> {
    match (head.status, &head.location) {
        (301 | 302 | 303 | 307 | 308, Some(location)) => Ok(Some(location.clone())),
        (301 | 302 | 303 | 307 | 308, None) => {
            Err(FetchError::InvalidResponse("it redirects to nowhere"))
        }
        _ => Ok(None),
    }
}

fn check_status(head: &Head) -> Result<(), FetchError> {
    match head.status {
        200 => Ok(()),
        408 => Err(FetchError::RequestTimeout(head.retry_after)),
        429 => Err(FetchError::RateLimited(head.retry_after)),
        500.. => Err(FetchError::ServerError(head.status, head.retry_after)),
        _ => Err(FetchError::ClientError(head.status)),
    }
}
