//! What is sent to one client that follows events (Server-Sent Events, WHATWG HTML section 9.2).

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{self, Bytes};
use actix_web::{HttpResponse, http::header};
use futures_util::stream;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::feed::Listener;
use super::places::Place;
use super::shown::{Shown, sse_event};
use crate::db::EventsOf;
use crate::domain::{EventFilter, EventType};
use crate::http::prefix::Prefix;
use crate::http::problem::Problem;
use crate::http::state::ApiState;

/// Silence after which a comment is sent, so that no proxy takes the stream for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a stream lasts at least. Then the client comes back, and its key is looked at again.
const LIFETIME: Duration = Duration::from_secs(15 * 60);
/// How long a client is asked to wait before it comes back.
const RETRY_MILLIS: u64 = 3000;
/// Events that are read at once.
const GROUP: u32 = 500;

/// With what a stream begins.
pub(in crate::http) struct Opening {
    /// What is sent first.
    pub text: String,
    /// The number of the last event that `text` includes.
    pub after: u64,
    /// Nothing more will come, unless the job or batch is tried again.
    pub has_ended: bool,
}

impl Opening {
    /// With how things stand, as JSON.
    pub fn snapshot(after: u64, json: &str, has_ended: bool) -> Self {
        Self {
            text: sse_event(after, "snapshot", json),
            after,
            has_ended,
        }
    }

    /// After a gap: the client has missed events.
    #[must_use]
    pub fn after_a_gap(mut self) -> Self {
        let newest = self.after;
        let reset = sse_event(newest, "reset", &format!("{{\"sequence\":{newest}}}"));
        self.text.insert_str(0, &reset);
        self
    }

    /// Without anything: the client goes on.
    pub const fn resumed(after: u64) -> Self {
        Self {
            text: String::new(),
            after,
            has_ended: false,
        }
    }
}

/// A client's stream.
pub(in crate::http) struct EventStream {
    pub state: web::Data<ApiState>,
    pub of: EventsOf,
    pub filter: EventFilter,
    pub prefix: Prefix,
    pub listener: Listener,
    pub _place: Place,
    /// False if the client asks for the headers alone.
    pub is_wanted: bool,
}

impl EventStream {
    pub fn answer(self, opening: Opening) -> HttpResponse {
        let mut response = HttpResponse::Ok();
        response
            .content_type("text/event-stream")
            .insert_header((header::CACHE_CONTROL, "no-store"))
            // nginx would keep events back until its buffer is full.
            .insert_header(("X-Accel-Buffering", "no"));
        if !self.is_wanted {
            return response.finish();
        }
        let lasting = LIFETIME.mul_f64(1.0 + 0.2 * rand::random::<f64>());
        let running = Running {
            ending: self.state.ending.clone(),
            after: opening.after,
            sent: opening.after,
            waiting: Some(format!("retry: {RETRY_MILLIS}\n\n{}", opening.text)),
            is_last: opening.has_ended,
            ends_at: Instant::now() + lasting,
            stream: self,
        };
        let chunks = stream::unfold(running, async |mut running| {
            let chunk = running.next().await?;
            Some((Ok::<_, Problem>(chunk), running))
        });
        response.streaming(chunks)
    }
}

struct Running {
    stream: EventStream,
    ending: CancellationToken,
    /// The number of the last event that was looked at, and of the last that was sent.
    after: u64,
    sent: u64,
    /// What is to be sent next.
    waiting: Option<String>,
    /// Nothing comes after that.
    is_last: bool,
    ends_at: Instant,
}

impl Running {
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(text) = self.waiting.take() {
            if self.is_last {
                return Some(Bytes::from(text + END));
            }
            return Some(Bytes::from(text));
        }
        if self.is_last {
            return None;
        }
        let heartbeat = Instant::now() + HEARTBEAT;
        loop {
            // While the database is away the client waits, and misses nothing.
            let text = self.read().await.unwrap_or_default();
            if !text.is_empty() {
                return Some(text);
            }
            tokio::select! {
                () = self.stream.listener.changed() => {}
                () = sleep_until(heartbeat) => return Some(self.heartbeat()),
                () = sleep_until(self.ends_at) => return None,
                () = self.ending.cancelled() => {
                    self.is_last = true;
                    // Not all come back at the same moment.
                    let retry = RETRY_MILLIS + rand::random::<u64>() % RETRY_MILLIS;
                    return Some(Bytes::from(format!("retry: {retry}\n\n")));
                }
            }
        }
    }

    /// A comment; or the number up to which nothing concerns the client, so that it does not fall
    /// behind what is kept.
    fn heartbeat(&mut self) -> Bytes {
        match self.after > self.sent {
            true => {
                self.sent = self.after;
                Bytes::from(format!("id: {}\n\n", self.after))
            }
            false => Bytes::from_static(b":\n\n"),
        }
    }

    /// The text of what happened since, if it concerns the client.
    async fn read(&mut self) -> Result<Bytes, Problem> {
        if let Some(text) = self.shared() {
            return Ok(text);
        }
        let mut text = String::new();
        loop {
            let events = match self.stream.of {
                EventsOf::Everything => self.stream.listener.recent(self.after),
                _ => None,
            };
            let (events, is_all) = match events {
                Some(events) => (events, true),
                None => self.read_from_database().await?,
            };
            for shown in &events {
                self.after = shown.event.sequence;
                if self.concerns(shown) {
                    self.sent = self.after;
                    shown.write_to(&mut text, &self.stream.prefix);
                }
            }
            let last = events.last().map(|shown| shown.event.event_type);
            if is_all && last.is_some_and(|event_type| self.is_end(event_type)) {
                self.is_last = true;
                text.push_str(END);
            }
            if is_all || !text.is_empty() {
                return Ok(Bytes::from(text));
            }
        }
    }

    /// What all clients read that follow everything.
    fn shared(&mut self) -> Option<Bytes> {
        let EventStream {
            of,
            filter,
            prefix,
            listener,
            ..
        } = &self.stream;
        if *of != EventsOf::Everything || *filter != EventFilter::default() {
            return None;
        }
        let (text, newest) = listener.recent_text(self.after, prefix)?;
        (self.after, self.sent) = (newest, newest);
        Some(text)
    }

    async fn read_from_database(&self) -> Result<(Vec<Arc<Shown>>, bool), Problem> {
        let (of, after) = (self.stream.of, self.after);
        let events = self
            .stream
            .state
            .ask(move |database| async move { database.events_after(of, after, GROUP).await })
            .await?;
        let is_all = events.len() < GROUP as usize;
        let shown = events.into_iter().map(|event| Arc::new(Shown::new(event)));
        Ok((shown.collect(), is_all))
    }

    /// Whether what the client follows has ended by such an event.
    fn is_end(&self, event_type: EventType) -> bool {
        match self.stream.of {
            EventsOf::Everything => false,
            EventsOf::Job(_) => true,
            EventsOf::Batch(_) => event_type == EventType::BatchFinished,
        }
    }

    fn concerns(&self, shown: &Shown) -> bool {
        let EventFilter { types, tag } = &self.stream.filter;
        types
            .as_ref()
            .is_none_or(|types| types.contains(&shown.event.event_type))
            && tag.as_ref().is_none_or(|tag| shown.event.has_tag(tag))
    }
}

/// What shows that nothing more comes: a client that comes back gets 204, after which it stays away.
const END: &str = "event: end\ndata: {}\n\n";
