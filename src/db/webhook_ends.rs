//! How tries of deliveries ended, written in groups: those that end at the same time share a
//! transaction, and each receiver's row is touched once.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_async::RunQueryDsl;
use serde::Serialize;
use uuid::Uuid;

use super::dialect::Dialect;
use super::pools::{Pools, write_transaction};
use super::prepared::{Prepare, keeps_plans_of_queues};
use super::schema::{webhook_deliveries as deliveries, webhooks};
use super::types::{Id, Moment, sql};
use super::webhook_claims::{ClaimedDelivery, LEASE, is_pending};
use super::webhook_inserts::json;
use super::{Database, DbError, clock};
use crate::domain::Timestamp;
use crate::domain::webhook::{DeliveryStatus, TriedDelivery};

/// How often a success is noted.
const SUCCESS_NOTED: Duration = Duration::from_secs(1);

/// How a try ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryEnd {
    Delivered,
    /// Tried again after that; `None`: never.
    Failed(Option<Duration>),
}

/// A claim, and what is to be written under it, as the statement reads it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct DeliveryEnding {
    id: Uuid,
    fence: i64,
    #[serde(skip)]
    webhook: Uuid,
    status: &'static str,
    /// Before the next try; `None`: there is none.
    wait_millis: Option<i64>,
    response_status: Option<u16>,
    response_body: Option<String>,
    error: Option<String>,
    duration_millis: Option<i64>,
}

impl DeliveryEnding {
    fn is_success(&self) -> bool {
        self.status == DeliveryStatus::Delivered.as_str()
    }
}

/// What became of the deliveries to one receiver.
#[derive(Default, Clone, Copy)]
struct Came {
    success: bool,
    failure: bool,
}

#[derive(QueryableByName)]
struct Written {
    #[diesel(sql_type = sql::Id)]
    id: Id,
}

impl Database {
    /// Writes how a try ended, if its claim still holds. Returns since when the receiver has failed
    /// without a success, if it has.
    pub async fn end_delivery(
        &self,
        claim: &ClaimedDelivery,
        end: DeliveryEnd,
        tried: TriedDelivery,
    ) -> Result<Option<Duration>, DbError> {
        let (status, wait) = match end {
            DeliveryEnd::Delivered => (DeliveryStatus::Delivered, None),
            DeliveryEnd::Failed(None) => (DeliveryStatus::Failed, None),
            DeliveryEnd::Failed(wait) => (DeliveryStatus::Pending, wait),
        };
        let ending = DeliveryEnding {
            id: claim.id,
            fence: claim.fence,
            webhook: claim.webhook_id,
            status: status.as_str(),
            wait_millis: wait.map(clock::millis),
            response_status: tried.response_status,
            response_body: tried.response_body,
            error: tried.error,
            duration_millis: tried.duration.map(clock::millis),
        };
        self.committer.end_delivery(ending).await
    }
}

/// Writes all of `endings` in one transaction; for each, how long its receiver has failed.
pub(super) async fn write(
    pools: &Pools,
    endings: Vec<DeliveryEnding>,
) -> Result<Vec<Option<Duration>>, DbError> {
    let (statement, rows) = (update(Dialect::of(pools)), json(&endings)?);
    let is_kept = keeps_plans_of_queues(pools);
    let of_rows: Vec<(Uuid, Uuid, bool)> = endings
        .iter()
        .map(|ending| (ending.id, ending.webhook, ending.is_success()))
        .collect();
    let failing: HashMap<Uuid, Duration> = write_transaction!(*pools, connection => {
        let written: Vec<Written> = diesel::sql_query(statement)
            .bind::<Text, _>(rows)
            .prepared_if(is_kept)
            .load(connection)
            .await?;
        let written: HashSet<Uuid> = written.into_iter().map(|row| row.id.0).collect();
        let mut failing = HashMap::new();
        for (webhook, came) in receivers(&of_rows, &written) {
            if came.success {
                note_success!(connection, webhook);
            }
            if came.failure
                && let Some(since) = note_failure!(connection, webhook)
            {
                failing.insert(webhook, since);
            }
        }
        Ok(failing)
    })?;
    let since = |ending: &DeliveryEnding| match ending.is_success() {
        true => None,
        false => failing.get(&ending.webhook).copied(),
    };
    Ok(endings.iter().map(since).collect())
}

/// In the order of their ids, so that two processes never wait for each other.
fn receivers(endings: &[(Uuid, Uuid, bool)], written: &HashSet<Uuid>) -> BTreeMap<Uuid, Came> {
    let mut receivers: BTreeMap<Uuid, Came> = BTreeMap::new();
    for (id, webhook, is_success) in endings {
        if written.contains(id) {
            let came = receivers.entry(*webhook).or_default();
            came.success |= is_success;
            came.failure |= !is_success;
        }
    }
    receivers
}

/// (Macros, because the connections have no common type.)
macro_rules! note_success {
    ($connection:ident, $webhook:expr) => {{
        let receiver = webhooks::table.find(Id($webhook));
        let recovered = diesel::update(receiver.filter(webhooks::failing_since.is_not_null()))
            .set(webhooks::failing_since.eq(None::<Moment>))
            .prepared()
            .execute($connection)
            .await?;
        // Not with each delivery: many would wait for one row.
        let is_old = webhooks::last_success_at
            .is_null()
            .or(webhooks::last_success_at.lt(clock::before(SUCCESS_NOTED).nullable()));
        diesel::update(receiver.filter(is_old))
            .set(webhooks::last_success_at.eq(clock::now().nullable()))
            .prepared()
            .execute($connection)
            .await?;
        if recovered > 0 {
            // It is back: what waits for its hour need not wait longer.
            diesel::update(
                deliveries::table
                    .filter(deliveries::webhook_id.eq(Id($webhook)))
                    .filter(is_pending())
                    .filter(deliveries::due_at.gt(clock::after(2 * LEASE).nullable())),
            )
            .set(deliveries::due_at.eq(clock::now().nullable()))
            .execute($connection)
            .await?;
        }
    }};
}

/// Since when the receiver has failed.
macro_rules! note_failure {
    ($connection:ident, $webhook:expr) => {{
        let receiver = webhooks::table.find(Id($webhook));
        diesel::update(receiver.filter(webhooks::failing_since.is_null()))
            .set(webhooks::failing_since.eq(clock::now().nullable()))
            .execute($connection)
            .await?;
        let state: Option<(Option<Moment>, Moment)> = receiver
            .select((webhooks::failing_since, clock::now()))
            .first($connection)
            .await
            .optional()?;
        state.and_then(|(since, Moment(now))| Some(elapsed(since?.0, now)))
    }};
}
use {note_failure, note_success};

fn elapsed(since: Timestamp, now: Timestamp) -> Duration {
    let micros = now.unix_micros().saturating_sub(since.unix_micros());
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

/// A JSON array of [`DeliveryEnding`]; gives the ids whose claim still held.
fn update(dialect: Dialect) -> String {
    const COLUMNS: [(&str, &str); 8] = [
        ("id", "uuid"),
        ("fence", "bigint"),
        ("status", "text"),
        ("wait_millis", "bigint"),
        ("response_status", "integer"),
        ("response_body", "text"),
        ("error", "text"),
        ("duration_millis", "bigint"),
    ];
    let (now, rows) = (dialect.now, dialect.parameter(1));
    let (ended, source, due): (fn(&str) -> String, _, _) = match dialect.is_postgres {
        true => (
            |name| format!("ended.{name}"),
            format!(
                "json_to_recordset(CAST({rows} AS json)) AS ended ({})",
                COLUMNS
                    .map(|(name, kind)| format!("{name} {kind}"))
                    .join(", ")
            ),
            "now() + ended.wait_millis * interval '1 millisecond'".to_owned(),
        ),
        false => (
            |name| format!("(ended.value ->> '{name}')"),
            format!("json_each({rows}) AS ended"),
            format!("{now} + (ended.value ->> 'wait_millis') * 1000"),
        ),
    };
    let copied = COLUMNS.map(|(name, _)| name);
    let copied = copied
        .iter()
        .filter(|name| !["id", "fence", "wait_millis"].contains(name));
    let set: Vec<String> = copied
        .map(|name| format!("{name} = {}", ended(name)))
        .collect();
    // No index fits the status as an expression: the ids are looked up, not all that is pending.
    format!(
        "UPDATE webhook_deliveries SET {}, updated_at = {now}, due_at = {due} FROM {source} \
         WHERE webhook_deliveries.id = {} AND webhook_deliveries.fence = {} \
         AND webhook_deliveries.status || '' = 'pending' RETURNING webhook_deliveries.id",
        set.join(", "),
        ended("id"),
        ended("fence"),
    )
}
