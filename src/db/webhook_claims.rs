//! What is to be delivered, and by which process. A claim is a lease: one that dies while it
//! delivers loses nothing, and another one sends the same again.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::dialect::Dialect;
use super::events::EventRange;
use super::literal::{Literal, literal};
use super::pools::{read_query, write_transaction};
use super::prepared::{Prepare, keeps_plans_of_queues};
use super::schema::{webhook_deliveries as deliveries, webhooks};
use super::types::{Id, Moment, sql};
use super::webhooks::WebhookSecrets;
use super::{Database, DbError, clock};
use crate::domain::Timestamp;

/// What a receiver still has to receive at most; further events wait in their own table.
const MOST_PENDING: i64 = 5000;
/// A try that has not ended within it belongs to a process that died.
pub(super) const LEASE: Duration = Duration::from_secs(30);

/// Most deliveries that are counted.
const MOST_COUNTED: u32 = 10_000;

/// A receiver for which there may be something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookWork {
    pub id: Uuid,
    /// Events up to this number have been looked at.
    pub position: u64,
    pub is_behind: bool,
    /// Events that it has not got, and that were deleted meanwhile.
    pub lost: u64,
    pub has_due: bool,
}

/// A delivery that this process may try once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedDelivery {
    pub id: Uuid,
    pub webhook_id: Uuid,
    pub url: String,
    pub secrets: WebhookSecrets,
    pub event_id: Uuid,
    pub body: String,
    /// Which try this is, from 1.
    pub attempt: u32,
    pub(super) fence: i64,
}

#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = deliveries)]
struct DeliveryRow {
    id: Id,
    webhook_id: Id,
    event_id: Id,
    body: String,
    attempts: i32,
    fence: i64,
}

#[derive(QueryableByName)]
struct Waiting {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

#[derive(QueryableByName)]
struct WorkRow {
    #[diesel(sql_type = sql::Id)]
    id: Id,
    #[diesel(sql_type = BigInt)]
    position: i64,
    #[diesel(sql_type = Bool)]
    has_due: bool,
}

impl WorkRow {
    fn work(self, range: EventRange) -> WebhookWork {
        let position = u64::try_from(self.position).unwrap_or(0);
        WebhookWork {
            id: self.id.0,
            position,
            is_behind: position < range.newest,
            lost: range.deleted.saturating_sub(position),
            has_due: self.has_due,
        }
    }
}

/// Where a delivery goes, and what signs it.
#[derive(Debug, Clone, Queryable)]
pub(super) struct Receiver {
    url: String,
    secret: String,
    old_secret: Option<String>,
    old_secret_until: Option<Moment>,
}

impl Receiver {
    /// The URL, and the secrets that sign at the moment `now`.
    pub(super) fn signers(self, now: Timestamp) -> (String, WebhookSecrets) {
        let signs = self
            .old_secret_until
            .is_some_and(|Moment(until)| until > now);
        let old = self.old_secret.filter(|_| signs);
        let secrets = [Some(self.secret), old].into_iter().flatten().collect();
        (self.url, WebhookSecrets(secrets))
    }
}

/// The columns of a [`Receiver`], and the moment.
macro_rules! receiver_and_now {
    () => {{
        use $crate::db::{clock, schema::webhooks};
        (
            (
                webhooks::url,
                webhooks::secret,
                webhooks::old_secret,
                webhooks::old_secret_until,
            ),
            clock::now(),
        )
    }};
}
pub(super) use receiver_and_now;

impl Database {
    /// Receivers that are behind the events or have deliveries that are due.
    pub async fn webhook_work(&self) -> Result<Vec<WebhookWork>, DbError> {
        let rows: Vec<WorkRow> = {
            let now = Dialect::of(&self.pools).now;
            let text = format!(
                "SELECT id, position, EXISTS (SELECT 1 FROM webhook_deliveries \
                 WHERE webhook_id = webhooks.id AND status = 'pending' AND due_at <= {now}) \
                 AS has_due FROM webhooks WHERE disabled_at IS NULL"
            );
            let is_kept = keeps_plans_of_queues(&self.pools);
            read_query!(self.pools, connection =>
                diesel::sql_query(text).prepared_if(is_kept).load(connection).await)?
        };
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let range = self.event_range().await?;
        let mut work: Vec<WebhookWork> = rows.into_iter().map(|row| row.work(range)).collect();
        work.retain(|work| work.is_behind || work.has_due);
        Ok(work)
    }

    /// Whether a receiver has so much to receive that no more should be added.
    pub async fn webhook_is_full(&self, id: Uuid) -> Result<bool, DbError> {
        let beyond: Option<Id> = read_query!(self.pools, connection => deliveries::table
            .filter(deliveries::webhook_id.eq(Id(id)))
            .filter(is_pending())
            .select(deliveries::id)
            .order(deliveries::due_at.asc())
            .offset(MOST_PENDING)
            .first(connection)
            .await
            .optional())?;
        Ok(beyond.is_some())
    }

    /// How many deliveries are to be made, at once or later; counted up to 10,000.
    pub async fn count_waiting_deliveries(&self) -> Result<u64, DbError> {
        // In the order of the index of those that wait, however many have ended.
        let text = format!(
            "SELECT count(*) AS n FROM (SELECT webhook_id FROM webhook_deliveries \
             WHERE status = 'pending' ORDER BY webhook_id, due_at LIMIT {MOST_COUNTED}) AS waiting"
        );
        let waiting: Waiting = read_query!(self.pools, connection =>
            diesel::sql_query(text).get_result(connection).await)?;
        Ok(u64::try_from(waiting.n).unwrap_or(0))
    }

    /// Takes up to `limit` deliveries of a receiver that are due.
    pub async fn claim_deliveries(
        &self,
        webhook: Uuid,
        limit: usize,
    ) -> Result<Vec<ClaimedDelivery>, DbError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let claimed: Option<(Receiver, Moment, Vec<DeliveryRow>)> = write_transaction!(self.pools, connection => {
            // Locked, so that two processes do not take the same, nor wait for each other's.
            let touched: Option<(Receiver, Moment)> = diesel::update(
                webhooks::table.find(Id(webhook)).filter(webhooks::disabled_at.is_null()),
            )
            .set(webhooks::position.eq(webhooks::position))
            .returning(receiver_and_now!())
            .prepared()
            .get_result(connection)
            .await
            .optional()?;
            let Some((receiver, now)) = touched else {
                return Ok(None);
            };
            let due: Vec<Id> = deliveries::table
                .filter(deliveries::webhook_id.eq(Id(webhook)))
                .filter(is_pending())
                .filter(deliveries::due_at.le(clock::now().nullable()))
                .order((deliveries::due_at.asc(), deliveries::sequence.asc()))
                .select(deliveries::id)
                .limit(limit)
                .load(connection)
                .await?;
            if due.is_empty() {
                return Ok(Some((receiver, now, Vec::new())));
            }
            let rows: Vec<DeliveryRow> = diesel::update(
                deliveries::table.filter(deliveries::id.eq_any(due)),
            )
            .set((
                deliveries::attempts.eq(deliveries::attempts + 1),
                deliveries::fence.eq(deliveries::fence + 1),
                deliveries::due_at.eq(clock::after(LEASE).nullable()),
                deliveries::updated_at.eq(clock::now()),
            ))
            .returning(DeliveryRow::as_returning())
            .get_results(connection)
            .await?;
            Ok(Some((receiver, now, rows)))
        })?;
        let Some((receiver, Moment(now), rows)) = claimed else {
            return Ok(Vec::new());
        };
        let (url, secrets) = receiver.signers(now);
        let claim = |row: DeliveryRow| ClaimedDelivery {
            id: row.id.0,
            webhook_id: row.webhook_id.0,
            url: url.clone(),
            secrets: secrets.clone(),
            event_id: row.event_id.0,
            body: row.body,
            attempt: u32::try_from(row.attempts).unwrap_or(u32::MAX),
            fence: row.fence,
        };
        Ok(rows.into_iter().map(claim).collect())
    }
}

/// A literal, so that the partial index is found.
pub(super) fn is_pending() -> Literal<diesel::sql_types::Bool> {
    literal("webhook_deliveries.status = 'pending'")
}
