//! New deliveries, many in one statement: the events that a receiver has not got come in groups.

use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_async::RunQueryDsl;
use serde::Serialize;
use uuid::Uuid;

use super::dialect::Dialect;
use super::pools::write_transaction;
use super::schema::webhooks;
use super::types::{Id, sql};
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
    #[serde(flatten)]
    new: &'a NewDelivery,
}

impl<'a> Row<'a> {
    fn of(new: &'a NewDelivery) -> Self {
        let id = Uuid::now_v7();
        Self { id, new }
    }
}

impl Database {
    /// Adds deliveries, and notes that events up to `to` have been looked at; both, unless somebody
    /// has looked at those after `from` already, or the receiver is gone.
    pub async fn add_deliveries(
        &self,
        webhook: Uuid,
        from: u64,
        to: u64,
        new: Vec<NewDelivery>,
    ) -> Result<bool, DbError> {
        let [from, to] = [from, to].map(|number| i64::try_from(number).unwrap_or(i64::MAX));
        let statement = insertion(Dialect::of(&self.pools));
        let rows = json(&new.iter().map(Row::of).collect::<Vec<_>>())?;
        write_transaction!(self.pools, connection => {
            let moved = diesel::update(
                webhooks::table.find(Id(webhook)).filter(webhooks::position.eq(from)),
            )
            .set(webhooks::position.eq(to))
            .execute(connection)
            .await?;
            if moved == 0 {
                return Ok(false);
            }
            insert!(connection, statement, webhook, rows).await?;
            Ok(true)
        })
    }

    /// Adds a delivery that no event asked for; its id, or `None` if the receiver is gone.
    pub async fn add_test_delivery(
        &self,
        webhook: Uuid,
        new: NewDelivery,
    ) -> Result<Option<Uuid>, DbError> {
        let row = Row::of(&new);
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
            insert!(connection, statement, webhook, rows).await?;
            Ok(Some(id))
        })
    }
}

/// Inserts `$rows` of `$webhook`, but none of an event of which there is one. (A macro, because the
/// connections have no common type.)
macro_rules! insert {
    ($connection:ident, $statement:ident, $webhook:expr, $rows:ident) => {
        diesel::sql_query($statement)
            .bind::<sql::Id, _>(Id($webhook))
            .bind::<Text, _>($rows)
            .execute($connection)
    };
}
use insert;

/// A receiver, and a JSON array of [`Row`].
fn insertion(dialect: Dialect) -> String {
    let (now, webhook, rows) = (dialect.now, dialect.parameter(1), dialect.parameter(2));
    let (values, source) = match dialect.is_postgres {
        true => (
            "id, sequence, event_id, type, body".to_owned(),
            format!(
                "json_to_recordset(CAST({rows} AS json)) \
                 AS new (id uuid, sequence bigint, event_id uuid, type text, body text)"
            ),
        ),
        false => (
            ["id", "sequence", "event_id", "type", "body"]
                .map(|name| format!("value ->> '{name}'"))
                .join(", "),
            // Without a condition, `ON` would belong to the join.
            format!("json_each({rows}) WHERE true"),
        ),
    };
    format!(
        "INSERT INTO webhook_deliveries (webhook_id, due_at, created_at, updated_at, \
         id, sequence, event_id, type, body) \
         SELECT {webhook}, {now}, {now}, {now}, {values} FROM {source} ON CONFLICT DO NOTHING"
    )
}

/// For a statement that reads JSON.
pub(super) fn json(rows: &impl Serialize) -> Result<String, DbError> {
    serde_json::to_string(rows).map_err(|error| DbError::Refused(format!("no JSON: {error}")))
}
