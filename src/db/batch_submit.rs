//! Accepting batches: all items in one transaction, or slice by slice while they come in.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::batch_items::{StoreItems, Stored};
use super::idempotency::{Answering, Kept, KeyClaim, claim_key, keep_answer, or_under_way};
use super::insert_many::{BatchRow, insert_batch};
use super::pools::{Pools, write_transaction};
use super::schema::{batches, idempotency_keys};
use super::submit::{BatchPlace, NewJob};
use super::types::{Id, Moment};
use super::{Database, DbError, clock};
use crate::domain::batch::{Batch, BatchCounts, ExplainActive, ItemError, MOST_ERRORS};
use crate::domain::{BatchStatus, DuplicateHandling, JobId, Request};

/// A batch whose items are all there.
#[derive(Debug)]
pub struct NewBatch {
    pub id: Uuid,
    /// With their places, from 0.
    pub items: Vec<(u32, Request)>,
    /// The other items: why they are refused.
    pub errors: Vec<ItemError>,
    /// A JSON object, as text.
    pub metadata: Option<String>,
    pub submitted_by: Option<String>,
    pub explain: ExplainActive,
}

/// A batch that was stored, and the jobs that were made for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeBatch {
    pub batch: Batch,
    pub created: Vec<JobId>,
}

/// The next items of a batch that comes in.
#[derive(Debug)]
pub struct BatchSlice {
    pub id: Uuid,
    /// With the first slice the batch begins.
    pub opening: Option<BatchOpening>,
    pub items: Vec<(u32, Request)>,
    /// The other items of the slice: why they are refused.
    pub errors: Vec<ItemError>,
    /// Those that are kept of earlier slices.
    pub kept: Vec<ItemError>,
    pub explain: ExplainActive,
}

#[derive(Debug, Clone)]
pub struct BatchOpening {
    pub submitted_by: Option<String>,
    pub key: Option<KeyClaim>,
}

/// What became of a slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SliceOutcome {
    pub created: Vec<JobId>,
    /// Items for which an earlier job stands, or in whose way one stands.
    pub duplicates: usize,
    /// The reasons that are kept of all slices.
    pub kept: Vec<ItemError>,
    /// False: the batch takes no more items, and nothing of the slice was stored.
    pub accepted: bool,
}

impl Database {
    /// Stores a batch with all its items, or nothing.
    ///
    /// # Errors
    /// After [`DbError::Unavailable`] it is unknown whether the batch exists.
    pub async fn submit_batch(
        &self,
        batch: NewBatch,
        key: Option<(KeyClaim, Answering<MadeBatch>)>,
    ) -> Result<Kept<MadeBatch>, DbError> {
        let NewBatch {
            id,
            items,
            errors,
            metadata,
            submitted_by,
            explain,
        } = batch;
        let total = items.len() + errors.len();
        let new_jobs = new_jobs(id, items);
        let row = BatchRow {
            id: Id(id),
            total: count(total),
            metadata,
            submitted_by,
        };
        let is_plain = |new: &NewJob| new.policy == DuplicateHandling::AllowRetry;
        if let Pools::Postgres(pool) = &self.pools
            && key.is_none()
            && !new_jobs.is_empty()
            && new_jobs.iter().all(is_plain)
        {
            let created = new_jobs.iter().map(|new| JobId(new.id.0)).collect();
            let made = Tally::of(errors, Stored::default(), explain);
            let row = insert_batch(pool, new_jobs, row, made.rejected, made.errors_json()).await?;
            let stored = Stored {
                created,
                ..Stored::default()
            };
            let made = made_batch(row.0, row.1, None, made, stored);
            return Ok(Kept::New { made, answer: None });
        }
        let is_postgres = matches!(self.pools, Pools::Postgres(_));
        or_under_way(write_transaction!(self.pools, connection => {
            if let Some((claim, _)) = &key
                && let Some(known) = claim_key!(connection, is_postgres, claim, Some(Id(id)))
            {
                return Ok(known);
            }
            let mut stored = connection.store(new_jobs).await?;
            let refused = std::mem::take(&mut stored.refused);
            let tally = Tally::of(errors, Stored { refused, ..Stored::default() }, explain);
            let created_at: Moment = diesel::insert_into(batches::table)
                .values((
                    batches::id.eq(row.id),
                    batches::status.eq(BatchStatus::Running.as_str()),
                    batches::total.eq(row.total),
                    batches::rejected.eq(tally.rejected),
                    batches::reused.eq(count(stored.reused.len())),
                    batches::errors.eq(tally.errors_json()),
                    batches::metadata.eq(&row.metadata),
                    batches::submitted_by.eq(&row.submitted_by),
                    batches::created_at.eq(clock::now()),
                    batches::updated_at.eq(clock::now()),
                ))
                .returning(batches::created_at)
                .get_result(connection)
                .await?;
            connection.note_reused(row.id, &stored.reused).await?;
            let ended = match stored.created.is_empty() {
                true => {
                    end_if_idle!(connection, is_postgres, row.id);
                    let ended: (String, Option<Moment>) = batches::table
                        .find(row.id)
                        .select((batches::status, batches::finished_at))
                        .first(connection)
                        .await?;
                    Some(ended)
                }
                false => None,
            };
            let made = made_batch(row, created_at, ended, tally, stored);
            let answer = key.as_ref().and_then(|(_, answering)| answering(&made));
            if let Some((claim, _)) = &key {
                keep_answer!(connection, &claim.scope, &answer);
            }
            Ok::<_, diesel::result::Error>(Kept::New { made, answer })
        }))
    }

    /// Stores the next items of a batch, or nothing.
    ///
    /// # Errors
    /// After [`DbError::Unavailable`] it is unknown whether the items were stored.
    pub async fn extend_batch(&self, slice: BatchSlice) -> Result<Kept<SliceOutcome>, DbError> {
        let BatchSlice {
            id,
            opening,
            items,
            errors,
            kept,
            explain,
        } = slice;
        let id = Id(id);
        let total = count(items.len() + errors.len());
        let new_jobs = new_jobs(id.0, items);
        let is_postgres = matches!(self.pools, Pools::Postgres(_));
        let accepting = BatchStatus::Accepting.as_str();
        let outcome = write_transaction!(self.pools, connection => {
            if let Some(opening) = &opening {
                if let Some(claim) = &opening.key
                    && let Some(known) = claim_key!(connection, is_postgres, claim, Some(id))
                {
                    return Ok(known);
                }
                diesel::insert_into(batches::table)
                    .values((
                        batches::id.eq(id),
                        batches::status.eq(accepting),
                        batches::submitted_by.eq(&opening.submitted_by),
                        batches::created_at.eq(clock::now()),
                        batches::updated_at.eq(clock::now()),
                    ))
                    .execute(connection)
                    .await?;
            }
            // The jobs first: what ends a job holds it and asks for the batch, in this order too.
            let mut stored = connection.store(new_jobs).await?;
            let refused = std::mem::take(&mut stored.refused);
            let duplicates = stored.reused.len() + refused.len();
            let mut tally = Tally::of(errors, Stored { refused, ..Stored::default() }, explain);
            let room = MOST_ERRORS.saturating_sub(kept.len());
            let mut kept = kept;
            kept.extend(tally.errors.drain(..room.min(tally.errors.len())));
            let updated = diesel::update(
                    batches::table.find(id).filter(batches::status.eq(accepting)),
                )
                .set((
                    batches::total.eq(batches::total + total),
                    batches::rejected.eq(batches::rejected + tally.rejected),
                    batches::reused.eq(batches::reused + count(stored.reused.len())),
                    batches::errors.eq(errors_json(&kept)),
                    batches::updated_at.eq(clock::now()),
                ))
                .execute(connection)
                .await?;
            if updated == 0 {
                return Err(diesel::result::Error::RollbackTransaction);
            }
            connection.note_reused(id, &stored.reused).await?;
            let outcome = SliceOutcome { created: stored.created, duplicates, kept, accepted: true };
            Ok::<_, diesel::result::Error>(Kept::New { made: outcome, answer: None })
        });
        match or_under_way(outcome) {
            Err(DbError::Refused(reason)) if reason == rolled_back() => Ok(Kept::New {
                made: SliceOutcome {
                    created: Vec::new(),
                    duplicates: 0,
                    kept: Vec::new(),
                    accepted: false,
                },
                answer: None,
            }),
            other => other,
        }
    }

    /// Ends the acceptance of a batch, and the batch if it has no active job. False if it was not
    /// accepting.
    pub async fn end_acceptance(&self, id: Uuid, incomplete: bool) -> Result<bool, DbError> {
        let id = Id(id);
        let is_postgres = matches!(self.pools, Pools::Postgres(_));
        write_transaction!(self.pools, connection => {
            let ended = diesel::update(
                    batches::table
                        .find(id)
                        .filter(batches::status.eq(BatchStatus::Accepting.as_str())),
                )
                .set((
                    batches::status.eq(BatchStatus::Running.as_str()),
                    batches::incomplete.eq(incomplete),
                    batches::updated_at.eq(clock::now()),
                ))
                .execute(connection)
                .await?;
            if ended == 0 {
                return Ok(false);
            }
            end_if_idle!(connection, is_postgres, id);
            Ok::<_, diesel::result::Error>(true)
        })
    }
}

fn rolled_back() -> String {
    diesel::result::Error::RollbackTransaction.to_string()
}

fn new_jobs(batch: Uuid, items: Vec<(u32, Request)>) -> Vec<NewJob> {
    let batch = Id(batch);
    let places = items.into_iter().map(|(index, request)| {
        let index = i32::try_from(index).unwrap_or(i32::MAX);
        NewJob::of(request, Some(BatchPlace { batch, index }))
    });
    places.collect()
}

fn count(items: usize) -> i64 {
    i64::try_from(items).unwrap_or(i64::MAX)
}

fn errors_json(errors: &[ItemError]) -> String {
    serde_json::json!(errors).to_string()
}

/// The refused items of a batch or slice.
struct Tally {
    rejected: i64,
    /// In the order of the items.
    errors: Vec<ItemError>,
}

impl Tally {
    fn of(mut errors: Vec<ItemError>, stored: Stored, explain: ExplainActive) -> Self {
        let refused = stored.refused.into_iter();
        errors.extend(
            refused
                .map(|(index, active)| explain(u32::try_from(index).unwrap_or(u32::MAX), active)),
        );
        errors.sort_by_key(|error| error.index);
        let rejected = count(errors.len());
        errors.truncate(MOST_ERRORS);
        Self { rejected, errors }
    }

    fn errors_json(&self) -> String {
        errors_json(&self.errors)
    }
}

fn made_batch(
    row: BatchRow,
    created_at: Moment,
    ended: Option<(String, Option<Moment>)>,
    tally: Tally,
    stored: Stored,
) -> MadeBatch {
    let (status, finished_at) = ended.map_or((BatchStatus::Running, None), |(word, moment)| {
        (word.parse().unwrap_or(BatchStatus::Running), moment)
    });
    let unsigned = |n: i64| u64::try_from(n).unwrap_or(0);
    let updated_at = finished_at.unwrap_or(created_at);
    MadeBatch {
        batch: Batch {
            id: row.id.0,
            status,
            counts: BatchCounts {
                total: unsigned(row.total),
                pending: stored.created.len() as u64,
                rejected: unsigned(tally.rejected),
                reused: stored.reused.len() as u64,
                ..BatchCounts::default()
            },
            errors: tally.errors,
            incomplete: false,
            metadata: row.metadata,
            submitted_by: row.submitted_by,
            created_at: created_at.0,
            updated_at: updated_at.0,
            finished_at: finished_at.map(|Moment(moment)| moment),
        },
        created: stored.created,
    }
}

/// Ends a batch without active jobs, in a statement after the one that let it run.
macro_rules! end_if_idle {
    ($connection:ident, $is_postgres:expr, $id:expr) => {{
        let text = match $is_postgres {
            true => "SELECT thumbforge_end_batch($1)",
            false => "INSERT INTO batch_ends VALUES (?1)",
        };
        diesel::sql_query(text)
            .bind::<$crate::db::types::sql::Id, _>($id)
            .execute($connection)
            .await?
    }};
}

use end_if_idle;
