//! Requests that tell other services something, under the same guard as downloads: URLs, names and
//! peers are judged, redirects are not followed.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use reqwest::{Body, Client, Method, Request, Response};
use tokio::time::{Instant, timeout_at};

use super::clients::{Clients, Guards};
use super::error::FetchError;
use super::hop_clock::HopClock;
use super::resolver::{Resolve, SystemResolver};
use super::retry_after;
use super::settings::{FetchSettings, FetchSetupError};
use super::transport_error;
use crate::domain::{Failure, Origin, SourceUrl};
use thumbforge_intake::SourcePolicy;

/// What is read of an answer.
const MAX_ANSWER_BYTES: usize = 1024;

/// Posts JSON. Clones share connections.
#[derive(Clone)]
pub struct Poster(Arc<Parts>);

struct Parts {
    clients: Clients,
    policy: SourcePolicy,
    user_agent: HeaderValue,
    settings: FetchSettings,
}

/// What a receiver answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostAnswer {
    pub status: u16,
    /// How long it asks us to wait.
    pub retry_after: Option<Duration>,
    /// The beginning of its body, as text.
    pub body: String,
}

impl Poster {
    /// Of `settings`, those of bodies and redirects mean nothing.
    ///
    /// # Errors
    /// If TLS can't be set up.
    pub fn new(settings: FetchSettings) -> Result<Self, FetchSetupError> {
        Self::with_resolver(settings, Arc::new(SystemResolver::default()))
    }

    /// With another source of addresses; they are judged all the same.
    ///
    /// # Errors
    /// As [`Self::new`].
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
        let agent = settings.user_agent.parse();
        Ok(Self(Arc::new(Parts {
            clients: Clients::new(&settings, &guards)?,
            user_agent: agent.map_err(|_| FetchSetupError::Headers("*".to_owned()))?,
            policy,
            settings,
        })))
    }

    /// Posts `body` with these fields. Any answer is one, also a redirect.
    ///
    /// # Errors
    /// Whatever keeps an answer from coming.
    pub async fn post(
        &self,
        url: &SourceUrl,
        fields: &[(&'static str, String)],
        body: &str,
    ) -> Result<PostAnswer, Failure> {
        self.0.post(url, fields, body).await.map_err(Failure::from)
    }
}

impl Parts {
    async fn post(
        &self,
        url: &SourceUrl,
        fields: &[(&'static str, String)],
        body: &str,
    ) -> Result<PostAnswer, FetchError> {
        self.judge(url)?;
        let end = Instant::now() + self.settings.total_timeout;
        let origin = Origin::of(url.as_url()).ok_or(FetchError::Connect)?;
        let (client, _keep) = self.clients.of(&origin);
        let fields = self.fields(fields)?;
        let clock = HopClock::start();
        let first = self.send(&clock, client, url, &fields, body, end).await;
        let mut response = match first {
            // The receiver may have closed the kept connection meanwhile.
            Err(error) if error.is_closed_connection() && !clock.has_connected() => {
                let (clock, fresh) = (HopClock::start(), self.clients.fresh());
                self.send(&clock, fresh, url, &fields, body, end).await?
            }
            first => first?,
        };
        let retry_after = response.headers().get(RETRY_AFTER);
        #[expect(
            clippy::disallowed_methods,
            reason = "the receiver's clock is not the database's"
        )]
        let now = SystemTime::now();
        let retry_after = retry_after
            .and_then(|value| value.to_str().ok())
            .and_then(|value| retry_after::parse(value, now));
        Ok(PostAnswer {
            status: response.status().as_u16(),
            retry_after,
            body: beginning(&mut response, end).await,
        })
    }

    fn judge(&self, url: &SourceUrl) -> Result<(), FetchError> {
        let proxy = self.settings.egress_proxy.as_ref();
        if proxy.is_some_and(|proxy| url.as_url().host_str() == Some(proxy.host())) {
            return Err(FetchError::Forbidden(thumbforge_intake::Forbidden::Name));
        }
        self.policy.check_url(url).map_err(FetchError::Forbidden)
    }

    fn fields(&self, given: &[(&'static str, String)]) -> Result<HeaderMap, FetchError> {
        let mut fields = HeaderMap::with_capacity(given.len() + 2);
        fields.insert(USER_AGENT, self.user_agent.clone());
        fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in given {
            let value = value.parse().map_err(|_| FetchError::Connect)?;
            fields.insert(HeaderName::from_static(name), value);
        }
        Ok(fields)
    }

    async fn send(
        &self,
        clock: &Arc<HopClock>,
        client: &Client,
        url: &SourceUrl,
        fields: &HeaderMap,
        body: &str,
        end: Instant,
    ) -> Result<Response, FetchError> {
        let mut request = Request::new(Method::POST, url.as_url().clone());
        *request.headers_mut() = fields.clone();
        *request.body_mut() = Some(Body::from(body.to_owned()));
        let sending = client.execute(request);
        match clock.run(sending, self.settings.head_timeout, end).await {
            Some(sent) => sent.map_err(|error| transport_error::before_head(&error)),
            None => Err(FetchError::TotalTimeout(self.settings.total_timeout)),
        }
    }
}

/// What a receiver says is for the log; what it says after that is not waited for.
async fn beginning(response: &mut Response, end: Instant) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < MAX_ANSWER_BYTES {
        match timeout_at(end, response.chunk()).await {
            Ok(Ok(Some(chunk))) => bytes.extend_from_slice(&chunk),
            _ => break,
        }
    }
    bytes.truncate(MAX_ANSWER_BYTES);
    // Neither database stores the character 0.
    String::from_utf8_lossy(&bytes).replace('\0', "\u{fffd}")
}
