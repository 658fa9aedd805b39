//! One request of a download, and what it brought.

use std::sync::atomic::Ordering;

use reqwest::{Client, Method, Request, Response};
use tokio::time::{Instant, timeout_at};

use super::body::Body;
use super::coding::Coding;
use super::download::Download;
use super::ended::Ended;
use super::error::FetchError;
use super::fetcher::Inner;
use super::head::{Fields, Head};
use super::hop_clock::HopClock;
use super::hops::{HopReport, Hops};
use super::transport_error;
use crate::domain::{Origin, SourceUrl};

pub(super) struct Visit<'a> {
    pub(super) parts: &'a Inner,
    pub(super) url: &'a SourceUrl,
    pub(super) origin: &'a Origin,
    pub(super) hops: &'a dyn Hops,
    pub(super) deadline: Instant,
}

pub(super) enum Answer {
    Source(Download),
    Redirect { location: String, with_cookie: bool },
}

impl Visit<'_> {
    /// Leaves the status of the origin's answer in `status`.
    pub(super) async fn make(&self, status: &mut Option<u16>) -> Result<Answer, Ended> {
        let began = Instant::now();
        let (client, _keep) = self.parts.clients.of(self.origin);
        let response = self.send(client).await.inspect_err(|error| {
            // An answer that is not HTTP does not count as one.
            if matches!(error, FetchError::InvalidResponse(_)) {
                self.hops.report(self.origin, HopReport::Failed);
            }
            self.blame(error);
        })?;
        let fields = Fields(&response);
        *status = Some(response.status().as_u16());
        self.hops.report(
            self.origin,
            HopReport::Answered {
                status: response.status().as_u16(),
                retry_after: fields.retry_after(),
                after: began.elapsed(),
            },
        );
        if let Some(location) = fields.redirect()? {
            let with_cookie = fields.sets_cookie();
            return Ok(Answer::Redirect {
                location,
                with_cookie,
            });
        }
        let head = fields.of_source()?;
        self.read(response, head).await.map(Answer::Source)
    }

    /// On a kept connection, or else on a new one.
    async fn send(&self, client: &Client) -> Result<Response, FetchError> {
        let clock = HopClock::start();
        match self.send_under(&clock, client).await {
            // Its server may have closed it during the request.
            Err(error) if error.is_closed_connection() && !clock.has_connected() => {
                let fresh = self.parts.clients.fresh();
                self.send_under(&HopClock::start(), fresh).await
            }
            sent => sent,
        }
    }

    async fn send_under(
        &self,
        clock: &std::sync::Arc<HopClock>,
        client: &Client,
    ) -> Result<Response, FetchError> {
        let settings = &self.parts.settings;
        let mut request = Request::new(Method::GET, self.url.as_url().clone());
        *request.headers_mut() = self.parts.fields.of(self.origin);
        let sending = client.execute(request);
        match clock
            .run(sending, settings.head_timeout, self.deadline)
            .await
        {
            Some(sent) => sent.map_err(|error| transport_error::before_head(&error)),
            None if Instant::now() >= self.deadline => {
                Err(FetchError::TotalTimeout(settings.total_timeout))
            }
            None => Err(FetchError::HeadTimeout),
        }
    }

    async fn read(&self, mut response: Response, head: Head) -> Result<Download, Ended> {
        let settings = &self.parts.settings;
        let mut body = Body::new(self.parts.memory.begin(), settings.max_bytes);
        let read = body.read(&mut response, head.length, settings, self.deadline);
        let read = read.await;
        let received = &self.parts.received;
        received.fetch_add(body.bytes.len() as u64, Ordering::Relaxed);
        let ended = match read {
            Ok(()) if body.bytes.is_empty() => return Err(FetchError::Empty.into()),
            Ok(()) => None,
            Err(Ended::Failed(error)) => {
                self.blame(&error);
                let is_worth_something = error.is_closed_connection()
                    && head.coding == Coding::Identity
                    && !body.bytes.is_empty();
                if !is_worth_something {
                    return Err(error.into());
                }
                Some(error)
            }
            Err(ended) => return Err(ended),
        };
        if head.coding != Coding::Identity {
            let reservation = &mut body.reservation;
            let inflating = head
                .coding
                .inflate(&body.bytes, settings.max_bytes, reservation);
            body.bytes = timeout_at(self.deadline, inflating)
                .await
                .map_err(|_| FetchError::TotalTimeout(settings.total_timeout))??;
            if body.bytes.is_empty() {
                return Err(FetchError::Empty.into());
            }
        }
        body.reservation.complete(body.bytes.len() as u64);
        let download = Download {
            bytes: body.bytes.into(),
            content_type: head.content_type,
            status: response.status().as_u16(),
            final_url: self.url.as_str().to_owned(),
            reservation: body.reservation,
        };
        match ended {
            None => Ok(download),
            Some(error) => Err(Ended::Cut(error, Box::new(download))),
        }
    }

    fn blame(&self, error: &FetchError) {
        if error.is_failure_of_origin() {
            self.hops.report(self.origin, HopReport::Failed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::http::Uri;
    use proptest::prelude::*;

    proptest! {
        /// The client's form of a URL: nothing in it can end a line early, or get lost.
        #[test]
        fn every_accepted_url_can_be_asked_for(path in "\\PC{0,60}", query in any::<String>()) {
            if let Ok(url) = SourceUrl::parse(&format!("http://example.com/{path}?{query}")) {
                let target: Uri = url.as_str().parse().unwrap();
                prop_assert_eq!(target.to_string(), url.as_str());
                prop_assert!(url.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
            }
        }
    }
}
