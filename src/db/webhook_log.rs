//! Deliveries as they are looked at, and sent again.

use std::time::Duration;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::events::EventsOf;
use super::literal::literal;
use super::pools::{read_query, write_query, write_transaction};
use super::schema::{webhook_deliveries as deliveries, webhooks};
use super::types::{Id, Moment, sql};
use super::{Database, DbError, clock};
use crate::domain::webhook::{Delivery, DeliveryPage, DeliveryStatus, TriedDelivery};
use crate::domain::{ListPlace, Timestamp};

#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = deliveries)]
struct DeliveryRow {
    id: Id,
    sequence: Option<i64>,
    event_id: Id,
    event_type: String,
    status: String,
    attempts: i32,
    due_at: Option<Moment>,
    response_status: Option<i32>,
    response_body: Option<String>,
    error: Option<String>,
    duration_millis: Option<i64>,
    created_at: Moment,
    updated_at: Moment,
}

impl TryFrom<DeliveryRow> for Delivery {
    type Error = DbError;

    fn try_from(row: DeliveryRow) -> Result<Self, DbError> {
        let unreadable = || DbError::Unreadable(format!("delivery {}", row.id.0));
        Ok(Self {
            id: row.id.0,
            event_id: row.event_id.0,
            sequence: row.sequence.and_then(|number| u64::try_from(number).ok()),
            event_type: row.event_type,
            status: DeliveryStatus::of(&row.status).ok_or_else(unreadable)?,
            attempts: u32::try_from(row.attempts).unwrap_or(0),
            due_at: row.due_at.map(|Moment(moment)| moment),
            last: TriedDelivery {
                response_status: row
                    .response_status
                    .and_then(|status| u16::try_from(status).ok()),
                response_body: row.response_body,
                error: row.error,
                duration: row
                    .duration_millis
                    .and_then(|millis| u64::try_from(millis).ok())
                    .map(Duration::from_millis),
            },
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        })
    }
}

impl Database {
    /// A page of the deliveries of a receiver, newest first.
    pub async fn deliveries(
        &self,
        webhook: Uuid,
        status: Option<DeliveryStatus>,
        limit: u32,
        after: Option<ListPlace>,
    ) -> Result<DeliveryPage, DbError> {
        let rows: Vec<DeliveryRow> = read_query!(self.pools, connection => {
            let mut query = deliveries::table
                .filter(deliveries::webhook_id.eq(Id(webhook)))
                .order((deliveries::created_at.desc(), deliveries::id.desc()))
                .select(DeliveryRow::as_select())
                .limit(i64::from(limit) + 1)
                .into_boxed();
            if let Some(status) = status {
                query = query.filter(deliveries::status.eq(status.as_str()));
            }
            if let Some(place) = after {
                // A comparison of rows, so that the index leads to the place.
                query = query.filter(
                    diesel::dsl::sql::<diesel::sql_types::Bool>("(created_at, id) < (")
                        .bind::<sql::Moment, _>(Moment(place.created_at))
                        .sql(", ")
                        .bind::<sql::Id, _>(Id(place.id))
                        .sql(")"),
                );
            }
            query.load(connection).await
        })?;
        let found: Result<Vec<Delivery>, DbError> =
            rows.into_iter().map(Delivery::try_from).collect();
        let mut found = found?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let is_more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| is_more).map(|last| ListPlace {
            created_at: last.created_at,
            id: last.id,
        });
        Ok(DeliveryPage {
            deliveries: found,
            next,
        })
    }

    pub async fn find_delivery(
        &self,
        webhook: Uuid,
        id: Uuid,
    ) -> Result<Option<Delivery>, DbError> {
        let row: Option<DeliveryRow> = read_query!(self.pools, connection => deliveries::table
            .find(Id(id))
            .filter(deliveries::webhook_id.eq(Id(webhook)))
            .select(DeliveryRow::as_select())
            .first(connection)
            .await
            .optional())?;
        row.map(Delivery::try_from).transpose()
    }

    /// Sends what a delivery sent once more, with all its tries; at once if it waits for one.
    pub async fn resend_delivery(&self, webhook: Uuid, id: Uuid) -> Result<(), DbError> {
        write_query!(self.pools, connection => diesel::update(
                deliveries::table
                    .find(Id(id))
                    .filter(deliveries::webhook_id.eq(Id(webhook))),
            )
            .set((
                deliveries::status.eq(DeliveryStatus::Pending.as_str()),
                deliveries::attempts.eq(0),
                deliveries::due_at.eq(clock::now().nullable()),
                // Whoever tries it at this moment must not end it.
                deliveries::fence.eq(deliveries::fence + 1),
                deliveries::updated_at.eq(clock::now()),
            ))
            .execute(connection)
            .await)
        .map(|_| ())
    }

    /// Makes a receiver receive what happened since a moment and was not delivered to it: events
    /// that it never received, and deliveries that failed.
    pub async fn recover_webhook(&self, webhook: Uuid, since: Timestamp) -> Result<(), DbError> {
        let before = self.last_event_before(since).await?;
        let before = i64::try_from(before).unwrap_or(i64::MAX);
        write_transaction!(self.pools, connection => {
            diesel::update(
                webhooks::table.find(Id(webhook)).filter(webhooks::position.gt(before)),
            )
            .set(webhooks::position.eq(before))
            .execute(connection)
            .await?;
            diesel::update(
                deliveries::table
                    .filter(deliveries::webhook_id.eq(Id(webhook)))
                    .filter(deliveries::sequence.gt(before))
                    .filter(deliveries::status.eq(DeliveryStatus::Failed.as_str())),
            )
            .set((
                deliveries::status.eq(DeliveryStatus::Pending.as_str()),
                deliveries::attempts.eq(0),
                deliveries::due_at.eq(clock::now().nullable()),
                deliveries::updated_at.eq(clock::now()),
            ))
            .execute(connection)
            .await
        })
        .map(|_| ())
    }

    /// The number of the last event that happened before `since`; 0 if there is none. Numbers follow
    /// moments closely enough: what is told twice is told with one id.
    async fn last_event_before(&self, since: Timestamp) -> Result<u64, DbError> {
        let range = self.event_range().await?;
        let (mut low, mut high) = (range.deleted, range.newest);
        while low < high {
            let middle = low + (high - low) / 2;
            let events = self.events_after(EventsOf::Everything, middle, 1).await?;
            match events.into_iter().next() {
                Some(event) if event.happened_at < since => low = event.sequence,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    /// Deletes deliveries that ended more than `keeping` ago, `limit` at most; returns how many.
    pub async fn forget_deliveries(&self, keeping: Duration, limit: u32) -> Result<usize, DbError> {
        let old: Vec<Id> = read_query!(self.pools, connection => deliveries::table
            .filter(literal::<diesel::sql_types::Bool>("status <> 'pending'"))
            .filter(deliveries::updated_at.lt(clock::before(keeping)))
            .order(deliveries::updated_at.asc())
            .select(deliveries::id)
            .limit(i64::from(limit))
            .load(connection)
            .await)?;
        if old.is_empty() {
            return Ok(0);
        }
        write_query!(self.pools, connection => diesel::delete(
                deliveries::table
                    .filter(deliveries::id.eq_any(old))
                    // Not as above: the ids are looked up, not all that ended.
                    .filter(literal::<diesel::sql_types::Bool>("status || '' <> 'pending'")),
            )
            .execute(connection)
            .await)
    }
}
