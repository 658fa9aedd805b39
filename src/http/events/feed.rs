//! Follows the events of the database while somebody listens: one reader for all clients of this
//! process. It keeps the last events, so that a client that keeps up costs the database nothing.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::web::Bytes;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::shown::Shown;
use crate::db::{Database, DbError, EventsOf};
use crate::domain::PublicEvent;
use crate::http::prefix::Prefix;

/// Time between two looks.
const INTERVAL: Duration = Duration::from_millis(100);
/// Events that are read at once.
const GROUP: u32 = 500;
/// Events that are kept for those who follow.
const KEPT: usize = 2000;
/// Longest wait until the feed follows.
const START_WAIT: Duration = Duration::from_secs(5);

/// Cheap to clone.
#[derive(Clone)]
pub(in crate::http) struct Feed(Arc<Inner>);

struct Inner {
    database: Database,
    /// The number of the newest event; `None` while nobody listens.
    newest: watch::Sender<Option<u64>>,
    awake: Notify,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    listeners: usize,
    /// The last events, without a gap up to the newest.
    recent: VecDeque<Arc<Shown>>,
    /// What most listeners are sent next: they keep up, and see the API under the same prefix.
    shared: Option<SharedText>,
    /// Jobs and batches that somebody listens to: how many do, and the number of the last event.
    subjects: HashMap<Uuid, (usize, watch::Sender<u64>)>,
}

/// The text of the events after the number `after`, up to `newest`.
struct SharedText {
    after: u64,
    newest: u64,
    prefix: Prefix,
    text: Bytes,
}

impl Feed {
    /// Its task runs on the current runtime, until the last feed is dropped.
    pub fn begin(database: Database) -> Self {
        let inner = Arc::new(Inner {
            database,
            newest: watch::Sender::new(None),
            awake: Notify::new(),
            state: Mutex::default(),
        });
        let weak = Arc::downgrade(&inner);
        tokio::spawn(async move {
            while let Some(inner) = weak.upgrade() {
                inner.step().await;
            }
        });
        Self(inner)
    }

    /// Whatever happens to `of` from now on wakes the listener.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn listen(&self, of: EventsOf) -> Result<Listener, DbError> {
        let subject = match of {
            EventsOf::Everything => None,
            EventsOf::Job(id) => Some(id.0),
            EventsOf::Batch(id) => Some(id),
        };
        let changed = {
            let mut state = self.0.state();
            state.listeners += 1;
            subject.map(|id| {
                let entry = state.subjects.entry(id);
                let (count, sender) = entry.or_insert_with(|| (0, watch::Sender::new(0)));
                *count += 1;
                sender.subscribe()
            })
        };
        self.0.awake.notify_one();
        let mut listener = Listener {
            inner: Arc::clone(&self.0),
            subject,
            changed,
            newest: self.0.newest.subscribe(),
        };
        let follows = listener.newest.wait_for(Option::is_some);
        match timeout(START_WAIT, follows).await {
            Ok(Ok(_)) => {}
            _ => return Err(DbError::Unavailable("events can't be read".to_owned())),
        }
        Ok(listener)
    }
}

impl State {
    /// The events after the number `after`, if they are kept.
    fn since(&self, after: u64) -> Option<Vec<Arc<Shown>>> {
        let first = self.recent.front()?.event.sequence;
        if first > after.saturating_add(1) {
            return None;
        }
        let seen = |shown: &Arc<Shown>| shown.event.sequence <= after;
        let seen = self.recent.partition_point(seen);
        Some(self.recent.range(seen..).cloned().collect())
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rests while nobody listens.
    fn rest_if_alone(&self) -> bool {
        let mut state = self.state();
        let alone = state.listeners == 0;
        if alone {
            state.recent.clear();
            state.shared = None;
            self.newest.send_replace(None);
        }
        alone
    }

    async fn step(&self) {
        if self.rest_if_alone() {
            // Not for ever: it ends with the last feed.
            let _ = timeout(Duration::from_secs(1), self.awake.notified()).await;
            return;
        }
        match self.follow().await {
            Ok(true) => {}
            Ok(false) => sleep(INTERVAL).await,
            Err(error) => {
                tracing::debug!(%error, "events are not read");
                sleep(INTERVAL).await;
            }
        }
    }

    /// Returns whether there may be more at once.
    async fn follow(&self) -> Result<bool, DbError> {
        let known = *self.newest.borrow();
        let Some(after) = known else {
            let range = self.database.event_range().await?;
            self.newest.send_replace(Some(range.newest));
            return Ok(false);
        };
        let everything = EventsOf::Everything;
        let events = self.database.events_after(everything, after, GROUP).await?;
        let is_full = events.len() >= GROUP as usize;
        self.pass_on(events);
        Ok(is_full)
    }

    fn pass_on(&self, events: Vec<PublicEvent>) {
        let Some(newest) = events.last().map(|event| event.sequence) else {
            return;
        };
        let mut state = self.state();
        for event in events {
            let subjects = [event.job_id().map(|id| id.0), event.batch_id()];
            for id in subjects.into_iter().flatten() {
                if let Some((_, sender)) = state.subjects.get(&id) {
                    sender.send_replace(event.sequence);
                }
            }
            state.recent.push_back(Arc::new(Shown::new(event)));
        }
        let surplus = state.recent.len().saturating_sub(KEPT);
        state.recent.drain(..surplus);
        drop(state);
        self.newest.send_replace(Some(newest));
    }
}

/// A client that listens. The feed rests when the last is dropped.
pub(in crate::http) struct Listener {
    inner: Arc<Inner>,
    subject: Option<Uuid>,
    changed: Option<watch::Receiver<u64>>,
    newest: watch::Receiver<Option<u64>>,
}

impl Listener {
    /// Waits for an event after those that this has returned for.
    pub async fn changed(&mut self) {
        let gone = match &mut self.changed {
            Some(changed) => changed.changed().await.is_err(),
            None => self.newest.changed().await.is_err(),
        };
        if gone {
            // The senders live as long as the listener.
            std::future::pending::<()>().await;
        }
    }

    /// The events after the number `after`, unless they are no longer kept. Of everything alone.
    pub fn recent(&self, after: u64) -> Option<Vec<Arc<Shown>>> {
        let newest = (*self.newest.borrow())?;
        if newest <= after {
            return Some(Vec::new());
        }
        self.inner.state().since(after)
    }

    /// Their text for a client that sees the API under `prefix`, and the number of the last; `None`
    /// also if there are none. Written once for all clients that keep up.
    pub fn recent_text(&self, after: u64, prefix: &Prefix) -> Option<(Bytes, u64)> {
        let newest = (*self.newest.borrow()).filter(|newest| *newest > after)?;
        let events = {
            let state = self.inner.state();
            if let Some(shared) = &state.shared
                && (shared.after, shared.newest) == (after, newest)
                && shared.prefix == *prefix
            {
                return Some((shared.text.clone(), newest));
            }
            state.since(after)?
        };
        let newest = events.last()?.event.sequence;
        let mut text = String::new();
        for shown in &events {
            shown.write_to(&mut text, prefix);
        }
        let text = Bytes::from(text);
        let mut state = self.inner.state();
        // One that is far behind has a text of its own.
        if state
            .shared
            .as_ref()
            .is_none_or(|shared| shared.after <= after)
        {
            state.shared = Some(SharedText {
                after,
                newest,
                prefix: prefix.clone(),
                text: text.clone(),
            });
        }
        Some((text, newest))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut state = self.inner.state();
        state.listeners -= 1;
        if let Some(id) = self.subject
            && let Some((count, _)) = state.subjects.get_mut(&id)
        {
            *count -= 1;
            if *count == 0 {
                state.subjects.remove(&id);
            }
        }
    }
}
