//! Finds what is to be sent, and sends it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::db::{
    ClaimedDelivery, Database, DbError, DeliveryEnd, EventsOf, NewDelivery, WebhookWork,
};
use crate::domain::PublicEvent;
use crate::domain::webhook::{DisabledReason, FAILING_FOR, Webhook};
use crate::fetch::Poster;
use crate::observe::{DeliveryMeters, DeliveryOutcome};

use super::Render;
use super::delivery::{Tried, send};
use super::secrets::SecretBox;

/// Time between two looks.
const INTERVAL: Duration = Duration::from_millis(150);
/// Events that are looked at for a receiver at once.
const GROUP: u32 = 200;
/// Deliveries to one receiver that this process has under way.
const MOST_AT_ONCE: usize = 64;
/// The same while there is more than was taken. A look costs a transaction, so it should take many.
const BUSY_INTERVAL: Duration = Duration::from_millis(30);

/// The deliveries of this process.
pub struct Deliverer {
    pub database: Database,
    pub poster: Poster,
    pub secrets: SecretBox,
    pub render: Render,
    /// How long old deliveries are kept; `None`: for ever.
    pub retain: Option<Duration>,
    pub meters: DeliveryMeters,
}

/// What became of the events that a receiver had not got.
#[derive(Default)]
struct Added {
    /// New deliveries that are claimed already.
    claimed: Vec<ClaimedDelivery>,
    /// There are others.
    any_left: bool,
    /// There may be further events.
    may_go_on: bool,
}

/// What one look has read: receivers that keep up are at the same place.
#[derive(Default)]
struct EventsRead {
    after: u64,
    events: Option<Vec<PublicEvent>>,
}

impl EventsRead {
    async fn after(
        &mut self,
        database: &Database,
        position: u64,
    ) -> Result<&[PublicEvent], DbError> {
        if self.after != position {
            self.events = None;
        }
        let events = match self.events.take() {
            Some(events) => events,
            None => {
                let everything = EventsOf::Everything;
                database.events_after(everything, position, GROUP).await?
            }
        };
        self.after = position;
        Ok(self.events.insert(events))
    }
}

/// How many deliveries to each receiver are under way.
type UnderWay = Arc<Mutex<HashMap<Uuid, usize>>>;

impl Deliverer {
    /// Delivers until `stop`; what is under way then is finished within `grace`.
    pub async fn run(self, stop: CancellationToken, grace: Duration) {
        let this = Arc::new(self);
        let (under_way, sending) = (UnderWay::default(), TaskTracker::new());
        let delivering = async {
            tokio::select! {
                () = this.deliver_until(&stop, &under_way, &sending) => {}
                () = this.forget_forever() => {}
            }
            sending.close();
            sending.wait().await;
        };
        let over = async {
            stop.cancelled().await;
            sleep(grace).await;
        };
        tokio::select! {
            () = delivering => {}
            () = over => tracing::warn!("deliveries under way are left to their leases"),
        }
    }

    /// A look is not broken off: what it claims would wait for the end of its lease.
    async fn deliver_until(
        self: &Arc<Self>,
        stop: &CancellationToken,
        under_way: &UnderWay,
        sending: &TaskTracker,
    ) {
        loop {
            let interval = match self.look(under_way, sending).await {
                Ok(true) => BUSY_INTERVAL,
                Ok(false) => INTERVAL.mul_f64(0.7 + 0.6 * rand::random::<f64>()),
                Err(error) => {
                    tracing::debug!(%error, "webhooks are not looked at");
                    INTERVAL
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = sleep(interval) => {}
            }
        }
    }

    async fn forget_forever(&self) {
        const FORGET_INTERVAL: Duration = Duration::from_secs(60);
        const AT_ONCE: u32 = 1000;
        let Some(keeping) = self.retain else {
            return std::future::pending().await;
        };
        loop {
            match self.database.forget_deliveries(keeping, AT_ONCE).await {
                Ok(forgotten) if forgotten >= AT_ONCE as usize => continue,
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "old deliveries are not deleted yet"),
            }
            sleep(FORGET_INTERVAL).await;
        }
    }

    /// Returns whether there may be more soon.
    async fn look(
        self: &Arc<Self>,
        under_way: &UnderWay,
        sending: &TaskTracker,
    ) -> Result<bool, DbError> {
        let mut is_more = false;
        let mut events = EventsRead::default();
        for work in self.database.webhook_work().await? {
            // What waits already goes first.
            let room = match work.has_due {
                true => 0,
                false => room(under_way, work.id),
            };
            let added = match work.is_behind {
                true => self.add(&work, &mut events, room).await?,
                false => Added::default(),
            };
            is_more |= added.may_go_on;
            self.send(added.claimed, under_way, sending);
            if work.has_due || added.any_left {
                is_more |= self.start(work.id, under_way, sending).await?;
            }
        }
        Ok(is_more)
    }

    /// Makes deliveries of the events that a receiver has not got, and claims the first `room`.
    async fn add(
        &self,
        work: &WebhookWork,
        read: &mut EventsRead,
        room: usize,
    ) -> Result<Added, DbError> {
        if self.database.webhook_is_full(work.id).await? {
            return Ok(Added::default());
        }
        let Some(webhook) = self.database.find_webhook(work.id).await? else {
            return Ok(Added::default());
        };
        let events = read.after(&self.database, work.position).await?;
        let Some(last) = events.last().map(|event| event.sequence) else {
            return Ok(Added::default());
        };
        let is_more = events.len() >= GROUP as usize;
        let mut new = Vec::new();
        for event in events
            .iter()
            .filter(|event| webhook.filter.lets_through(event))
        {
            match (self.render)(event) {
                Ok(body) => new.push(NewDelivery {
                    sequence: Some(event.sequence),
                    event_id: event.id,
                    event_type: event.event_type.as_str().to_owned(),
                    body,
                }),
                Err(error) => return Err(DbError::Unreadable(error)),
            }
        }
        if work.lost > 0 {
            tracing::warn!(
                webhook = %work.id,
                events = work.lost,
                "a webhook will not get events that were deleted before it had room for them"
            );
        }
        let any_left = new.len() > room;
        let adding = self
            .database
            .add_deliveries(work.id, work.position, last, new, room);
        let claimed = adding.await?;
        let is_added = claimed.is_some();
        Ok(Added {
            claimed: claimed.unwrap_or_default(),
            any_left: is_added && any_left,
            may_go_on: is_added && is_more,
        })
    }

    /// Sends what is due, as far as there is room; returns whether there may be more.
    async fn start(
        self: &Arc<Self>,
        webhook: Uuid,
        under_way: &UnderWay,
        sending: &TaskTracker,
    ) -> Result<bool, DbError> {
        let room = room(under_way, webhook);
        if room == 0 {
            // The receiver is slow.
            return Ok(false);
        }
        let claimed = self.database.claim_deliveries(webhook, room).await?;
        let is_full = claimed.len() == room;
        self.send(claimed, under_way, sending);
        Ok(is_full)
    }

    fn send(
        self: &Arc<Self>,
        claimed: Vec<ClaimedDelivery>,
        under_way: &UnderWay,
        sending: &TaskTracker,
    ) {
        for claim in claimed {
            *lock(under_way).entry(claim.webhook_id).or_default() += 1;
            let (this, under_way) = (Arc::clone(self), Arc::clone(under_way));
            sending.spawn(async move {
                let tried = send(&this.poster, &this.secrets, &claim).await;
                // The receiver has answered; what is to be written waits for others.
                leave(&under_way, claim.webhook_id);
                this.end(&claim, tried).await;
            });
        }
    }

    async fn end(&self, claim: &ClaimedDelivery, tried: Tried) {
        if let Some(error) = &tried.outcome.error {
            tracing::warn!(
                webhook = %claim.webhook_id,
                event = %claim.event_id,
                attempt = claim.attempt,
                reason = error,
                "a delivery failed"
            );
        }
        let is_gone = tried.is_gone;
        let end = match &tried.end {
            DeliveryEnd::Delivered => DeliveryOutcome::Delivered,
            DeliveryEnd::Failed(Some(_)) => DeliveryOutcome::Retried,
            DeliveryEnd::Failed(None) => DeliveryOutcome::Failed,
        };
        let ended = self
            .database
            .end_delivery(claim, tried.end, tried.outcome)
            .await
            .inspect(|_| self.meters.note(end));
        let outcome = match ended {
            Ok(_) if is_gone => self.disable(claim, DisabledReason::Gone).await,
            Ok(Some(failing)) if failing >= FAILING_FOR => {
                self.disable(claim, DisabledReason::Failing).await
            }
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = outcome {
            // Its lease will end, and it is sent again.
            tracing::warn!(%error, delivery = %claim.id, "how a delivery ended is not written");
        }
    }

    async fn disable(
        &self,
        claim: &ClaimedDelivery,
        reason: DisabledReason,
    ) -> Result<(), DbError> {
        tracing::warn!(
            webhook = %claim.webhook_id,
            reason = reason.as_str(),
            "a webhook is disabled"
        );
        self.database
            .disable_webhook(claim.webhook_id, reason)
            .await
    }
}

/// How many more deliveries to a receiver this process may have under way.
fn room(under_way: &UnderWay, webhook: Uuid) -> usize {
    let taken = lock(under_way).get(&webhook).copied().unwrap_or(0);
    MOST_AT_ONCE.saturating_sub(taken)
}

fn leave(under_way: &UnderWay, webhook: Uuid) {
    let mut counts = lock(under_way);
    if let Some(count) = counts.get_mut(&webhook) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&webhook);
        }
    }
}

fn lock(under_way: &UnderWay) -> std::sync::MutexGuard<'_, HashMap<Uuid, usize>> {
    under_way.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a test sends to a receiver.
pub fn test_delivery(webhook: &Webhook, now: crate::domain::Timestamp) -> NewDelivery {
    let event_id = Uuid::from_u128(rand::random());
    let body = serde_json::json!({
        "type": TEST_TYPE,
        "id": event_id,
        "timestamp": now.to_string(),
        "data": {"webhook_id": webhook.id},
    });
    NewDelivery {
        sequence: None,
        event_id,
        event_type: TEST_TYPE.to_owned(),
        body: body.to_string(),
    }
}

const TEST_TYPE: &str = "webhook.test";
