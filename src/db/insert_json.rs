//! Many new jobs in one statement, for SQLite: it has no arrays, but reads JSON. One statement for
//! each job would cost more than the insert.

use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_async::RunQueryDsl;
use serde::Serialize;

use super::dialect::Dialect;
use super::pools::AsyncSqlite;
use super::prepared::Prepare;
use super::submit::NewJob;
use crate::domain::{Priority, Timestamp};

/// A job as the statement reads it. Moments are microseconds since the Unix epoch.
#[derive(Serialize)]
struct Row<'a> {
    id: uuid::Uuid,
    url: &'a str,
    url_hash: &'a str,
    origin: &'a str,
    priority: u8,
    not_before: i64,
    variants: Option<&'a str>,
    spec_hash: &'a str,
    spec_version: i16,
    batch_id: Option<uuid::Uuid>,
    batch_index: Option<i32>,
    tags: Option<String>,
    metadata: Option<&'a str>,
    submitted_by: Option<&'a str>,
    expires_in: Option<i64>,
    traceparent: Option<String>,
}

/// Of a job that may begin at once.
const NO_MOMENT: i64 = 0;

impl<'a> Row<'a> {
    fn of(new: &'a NewJob) -> Self {
        let not_before = new.schedule.not_before;
        Self {
            id: new.id.0,
            url: &new.url,
            url_hash: &new.url_hash,
            origin: &new.origin,
            priority: new.schedule.priority.get(),
            not_before: not_before.map_or(NO_MOMENT, Timestamp::unix_micros),
            variants: new.variants.as_deref(),
            spec_hash: &new.spec_hash,
            spec_version: new.spec_version,
            batch_id: new.batch.map(|place| place.batch.0),
            batch_index: new.batch.map(|place| place.index),
            tags: new.tags(),
            metadata: new.labels.metadata.as_deref(),
            submitted_by: new.labels.submitted_by.as_deref(),
            expires_in: new.expires_in(),
            traceparent: new.traceparent(),
        }
    }
}

/// Inserts `new_jobs`, none of which is exclusive, inside a transaction.
pub(super) async fn insert_group(
    connection: &mut AsyncSqlite,
    new_jobs: &[NewJob],
) -> QueryResult<()> {
    let rows: Vec<Row<'_>> = new_jobs.iter().map(Row::of).collect();
    let json = serde_json::to_string(&rows)
        .map_err(|error| diesel::result::Error::SerializationError(Box::new(error)))?;
    let inserted = diesel::sql_query(statement())
        .bind::<Text, _>(json)
        .prepared()
        .execute(connection)
        .await?;
    match inserted == new_jobs.len() {
        true => Ok(()),
        false => Err(diesel::result::Error::NotFound),
    }
}

/// What clients wrote as JSON is text within JSON here, so it stays as it was.
fn statement() -> String {
    let Dialect { now, millis, .. } = Dialect::SQLITE;
    let step = Priority::STEP_MILLIS;
    let copied = [
        "id",
        "url",
        "url_hash",
        "origin",
        "priority",
        "variants",
        "spec_hash",
        "spec_version",
        "batch_id",
        "batch_index",
        "tags",
        "metadata",
        "submitted_by",
        "expires_in",
        "traceparent",
    ];
    let values = copied.map(|name| format!("value ->> '{name}'"));
    let begin = "CAST(value ->> 'not_before' AS INTEGER)";
    format!(
        "INSERT INTO jobs ({}, exclusive, created_at, updated_at, not_before, due_at, waiting, \
         rank) SELECT {}, false, {now}, {now}, NULLIF({begin}, {NO_MOMENT}), MAX({now}, {begin}), \
         {begin} > {now}, MAX({millis}, {begin} / 1000) + (value ->> 'priority') * {step} \
         FROM json_each(?1)",
        copied.join(", "),
        values.join(", ")
    )
}
