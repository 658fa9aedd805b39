//! How spans go out: by a client of our own, since the operator names the receiver, and TLS is the
//! same as everywhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use tokio::runtime::Handle;

use super::TracesError;
use crate::tls::{ClientTls, Verification, public_roots};

/// The exporter calls from a thread of its own; what it sends runs on our runtime.
#[derive(Debug)]
pub(super) struct Transport {
    client: reqwest::Client,
    runtime: Handle,
    /// The last spans were not taken, which was said.
    is_failing: AtomicBool,
}

impl Transport {
    pub(super) fn new() -> Result<Self, TracesError> {
        let verification = Verification::ChainAndName(Arc::new(public_roots()));
        let tls = ClientTls::new(verification).config()?;
        #[expect(clippy::disallowed_methods, reason = "the operator names the receiver")]
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self {
            client,
            runtime: Handle::current(),
            is_failing: AtomicBool::new(false),
        })
    }

    /// Says once that spans are not taken, and once that they are again.
    fn note(&self, fault: Option<String>) {
        let was_failing = self.is_failing.swap(fault.is_some(), Ordering::Relaxed);
        match fault {
            Some(reason) if !was_failing => tracing::warn!(reason, "spans are not exported"),
            None if was_failing => tracing::info!("spans are exported again"),
            _ => {}
        }
    }
}

#[async_trait]
impl HttpClient for Transport {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (client, request) = (self.client.clone(), reqwest::Request::try_from(request)?);
        let sending = self.runtime.spawn(async move {
            let mut answer = client.execute(request).await?;
            let (status, headers) = (answer.status(), std::mem::take(answer.headers_mut()));
            Ok::<_, reqwest::Error>((status, headers, answer.bytes().await?))
        });
        let (status, headers, body) = match sending.await? {
            Ok(answer) => answer,
            Err(error) => {
                self.note(Some(error.to_string()));
                return Err(error.into());
            }
        };
        self.note((!status.is_success()).then(|| format!("the receiver answered {status}")));
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}
