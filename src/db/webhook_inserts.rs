//! New deliveries, many in one statement: the events that a receiver has not got come in groups.
//! Those that this process sends at once are claimed by the same statement: a row less is written.

use std::collections::HashSet;

use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_async::RunQueryDsl;
use serde::Serialize;
use uuid::Uuid;

use super::dialect::Dialect;
use super::pools::write_transaction;
use super::prepared::Prepare;
use super::schema::webhooks;
use super::types::{Id, Moment, sql};
use super::webhook_claims::{ClaimedDelivery, LEASE, Receiver, receiver_and_now};
use super::{Database, DbError};

/// A delivery to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewDelivery {
    /// `None` of a test.
    pub sequence: Option<u64>,
    pub event_id: Uuid,
    #[serde(rename = "type")]
    pub event_type: String,
    pub body: String,
}

/// As the statement reads it.
#[derive(Serialize)]
struct Row<'a> {
    id: Uuid,
    /// Which try is under way, and under which fence; 0: none is.
    claimed: u32,
    #[serde(flatten)]
    new: &'a NewDelivery,
}

impl<'a> Row<'a> {
    fn of(new: &'a NewDelivery, claimed: u32) -> Self {
        let id = Uuid::now_v7();
        Self { id, claimed, new }
    }
}

/// The first try of a delivery.
const FIRST: u32 = 1;

#[derive(QueryableByName)]
struct Inserted {
    #[diesel(sql_type = sql::Id)]
    id: Id,
}

impl Database {
    /// Adds deliveries, and notes that events up to `to` have been looked at; both, unless somebody
    /// has looked at those after `from` already, or the receiver is gone or disabled: then `None`.
    /// The first `claimed` of them are claimed, and returned.
    pub async fn add_deliveries(
        &self,
        webhook: Uuid,
        from: u64,
        to: u64,
        new: Vec<NewDelivery>,
        claimed: usize,
    ) -> Result<Option<Vec<ClaimedDelivery>>, DbError> {
        let [from, to] = [from, to].map(|number| i64::try_from(number).unwrap_or(i64::MAX));
        let statement = insertion(Dialect::of(&self.pools));
        let rows: Vec<Row<'_>> = new
            .iter()
            .enumerate()
            .map(|(place, new)| Row::of(new, if place < claimed { FIRST } else { 0 }))
            .collect();
        let json = json(&rows)?;
        let added: Option<(Receiver, Moment, Vec<Inserted>)> = write_transaction!(self.pools, connection => {
            let moved: Option<(Receiver, Moment)> = diesel::update(
                webhooks::table
                    .find(Id(webhook))
                    .filter(webhooks::position.eq(from))
                    .filter(webhooks::disabled_at.is_null()),
            )
            .set(webhooks::position.eq(to))
            .returning(receiver_and_now!())
            .prepared()
            .get_result(connection)
            .await
            .optional()?;
            let Some((receiver, now)) = moved else {
                return Ok(None);
            };
            let inserted = insert!(connection, statement, webhook, json).await?;
            Ok(Some((receiver, now, inserted)))
        })?;
        let Some((receiver, Moment(now), inserted)) = added else {
            return Ok(None);
        };
        let inserted: HashSet<Uuid> = inserted.into_iter().map(|row| row.id.0).collect();
        let (url, secrets) = receiver.signers(now);
        let ours = rows
            .iter()
            .filter(|row| row.claimed == FIRST && inserted.contains(&row.id));
        let claims = ours.map(|row| ClaimedDelivery {
            id: row.id,
            webhook_id: webhook,
            url: url.clone(),
            secrets: secrets.clone(),
            event_id: row.new.event_id,
            body: row.new.body.clone(),
            attempt: row.claimed,
            fence: i64::from(row.claimed),
        });
        Ok(Some(claims.collect()))
    }

    /// Adds a delivery that no event asked for; its id, or `None` if the receiver is gone.
    pub async fn add_test_delivery(
        &self,
        webhook: Uuid,
        new: NewDelivery,
    ) -> Result<Option<Uuid>, DbError> {
        let row = Row::of(&new, 0);
        let (id, rows) = (row.id, json(&[row])?);
        let statement = insertion(Dialect::of(&self.pools));
        write_transaction!(self.pools, connection => {
            let there: Option<Id> = webhooks::table
                .find(Id(webhook))
                .select(webhooks::id)
                .first(connection)
                .await
                .optional()?;
            if there.is_none() {
                return Ok(None);
            }
            let _inserted: Vec<Inserted> = insert!(connection, statement, webhook, rows).await?;
            Ok(Some(id))
        })
    }
}

/// Inserts `$rows` of `$webhook`, but none of an event of which there is one; gives the ids. (A
/// macro, because the connections have no common type.)
macro_rules! insert {
    ($connection:ident, $statement:ident, $webhook:expr, $rows:ident) => {
        diesel::sql_query($statement)
            .bind::<sql::Id, _>(Id($webhook))
            .bind::<Text, _>($rows)
            .prepared()
            .load($connection)
    };
}
use insert;

/// A receiver, and a JSON array of [`Row`]. Claims are written as [`Database::claim_deliveries`]
/// writes them.
fn insertion(dialect: Dialect) -> String {
    let (now, webhook, rows) = (dialect.now, dialect.parameter(1), dialect.parameter(2));
    let lease = LEASE.as_millis();
    let (values, claimed, due, source) = match dialect.is_postgres {
        true => (
            "id, sequence, event_id, type, body".to_owned(),
            "claimed",
            format!("{now} + claimed * {lease} * interval '1 millisecond'"),
            format!(
                "json_to_recordset(CAST({rows} AS json)) AS new \
                 (id uuid, claimed integer, sequence bigint, event_id uuid, type text, body text)"
            ),
        ),
        false => (
            ["id", "sequence", "event_id", "type", "body"]
                .map(|name| format!("value ->> '{name}'"))
                .join(", "),
            "value ->> 'claimed'",
            format!("{now} + (value ->> 'claimed') * {lease} * 1000"),
            // Without a condition, `ON` would belong to the join.
            format!("json_each({rows}) WHERE true"),
        ),
    };
    format!(
        "INSERT INTO webhook_deliveries (webhook_id, created_at, updated_at, due_at, attempts, \
         fence, id, sequence, event_id, type, body) \
         SELECT {webhook}, {now}, {now}, {due}, {claimed}, {claimed}, {values} FROM {source} \
         ON CONFLICT DO NOTHING RETURNING id"
    )
}

/// For a statement that reads JSON.
pub(super) fn json(rows: &impl Serialize) -> Result<String, DbError> {
    serde_json::to_string(rows).map_err(|error| DbError::Refused(format!("no JSON: {error}")))
}
