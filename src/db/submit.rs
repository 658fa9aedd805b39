//! Accepting a job, under the duplicate policy.

use diesel::prelude::*;

use super::begin::{Begin, Rank, Waits};
use super::dialect::Dialect;
use super::idempotency::{Answering, Kept, KeyClaim, claim_key, keep_answer, or_under_way};
use super::insert_many::insert_many;
use super::literal::WithText;
use super::pools::Pools;
use super::row::JobRow;
use super::schema::{idempotency_keys, jobs};
use super::types::{Id, Moment, Status};
use super::{Database, DbError, clock};
use crate::domain::variant::{SPEC_VERSION, SPEC_VERSION_OF_THUMBNAILS, spec_hash};
use crate::domain::{
    DuplicateHandling, Job, JobId, JobStatus, Labels, Request, Schedule, Variants,
};

/// What became of a submission.
#[derive(Debug, Clone, PartialEq)]
pub enum Submission {
    /// A new job is committed.
    Created(Job),
    /// The newest completed job with the same URL and variants (`reuse-completed`).
    Reused(Job),
    /// A job with the same URL and variants that is pending or processing (`reject-active`).
    Rejected { active: JobId },
}

/// A job to be inserted.
#[derive(Debug, Clone)]
pub(super) struct NewJob {
    pub(super) id: Id,
    pub(super) url: String,
    pub(super) url_hash: String,
    pub(super) origin: String,
    pub(super) schedule: Schedule,
    /// In their canonical form.
    pub(super) variants: Option<String>,
    pub(super) spec_hash: String,
    pub(super) spec_version: i16,
    pub(super) labels: Labels,
    pub(super) batch: Option<BatchPlace>,
    pub(super) policy: DuplicateHandling,
}

/// Where a job stands in the batch that made it.
#[derive(Debug, Clone, Copy)]
pub(super) struct BatchPlace {
    pub batch: Id,
    /// From 0.
    pub index: i32,
}

impl NewJob {
    pub(super) fn of(request: Request, batch: Option<BatchPlace>) -> Self {
        let Request {
            url,
            policy,
            schedule,
            variants,
            labels,
        } = request;
        Self {
            id: JobId::generate().into(),
            url: url.as_str().to_owned(),
            url_hash: url.hash(),
            origin: url.origin().to_string(),
            schedule,
            variants: variants.as_ref().map(Variants::to_json),
            spec_hash: spec_hash(variants.as_ref()),
            spec_version: match variants {
                Some(_) => SPEC_VERSION,
                None => SPEC_VERSION_OF_THUMBNAILS,
            },
            labels,
            batch,
            policy,
        }
    }

    /// A JSON array; `None` without tags.
    pub(super) fn tags(&self) -> Option<String> {
        let tags = &self.labels.tags;
        (!tags.is_empty()).then(|| serde_json::json!(tags).to_string())
    }

    /// In seconds.
    pub(super) fn expires_in(&self) -> Option<i64> {
        let expires_in = self.labels.expires_in?;
        Some(i64::try_from(expires_in.as_secs()).unwrap_or(i64::MAX))
    }

    pub(super) fn traceparent(&self) -> Option<String> {
        self.labels.traceparent.map(|parent| parent.to_string())
    }

    /// From 0, in the batch that makes it.
    pub(super) fn place(&self) -> i32 {
        self.batch.map_or(0, |place| place.index)
    }

    /// What duplicates have in common.
    pub(super) fn what(&self) -> (&str, &str) {
        (&self.url_hash, &self.spec_hash)
    }

    /// The job as it was inserted at `created_at`.
    fn into_pending(self, created_at: Moment) -> Job {
        Job {
            id: JobId(self.id.0),
            url: self.url,
            status: JobStatus::Pending,
            attempts: 0,
            created_at: created_at.0,
            updated_at: created_at.0,
            result: None,
            error: None,
            error_code: None,
            priority: self.schedule.priority,
            not_before: self.schedule.not_before,
            source_status: None,
            error_variant: None,
            batch_id: self.batch.map(|place| place.batch.0),
            tags: self.labels.tags,
            metadata: self.labels.metadata,
            submitted_by: self.labels.submitted_by,
            expires_in: self.labels.expires_in,
        }
    }
}

impl Database {
    /// Commits a new job, or returns what the duplicate policy gives instead.
    ///
    /// # Errors
    /// After [`DbError::Unavailable`] it is unknown whether the job exists; if it does, it will
    /// be worked on.
    pub async fn submit(&self, request: Request) -> Result<Submission, DbError> {
        self.committer.submit(NewJob::of(request, None)).await
    }

    /// The same once for a key, with its answer.
    ///
    /// # Errors
    /// As [`Self::submit`].
    pub async fn submit_once(
        &self,
        request: Request,
        claim: KeyClaim,
        answering: Answering<Submission>,
    ) -> Result<Kept<Submission>, DbError> {
        let new = NewJob::of(request, None);
        let is_postgres = matches!(self.pools, Pools::Postgres(_));
        let of_pools = Dialect::of(&self.pools);
        let made: Result<Result<Kept<Submission>, DbError>, DbError> = write_transaction!(self.pools, connection => {
            if let Some(known) = claim_key!(connection, is_postgres, claim, Some(new.id)) {
                return Ok(Ok(known));
            }
            let new = &new;
            let submission: Result<Submission, DbError> = insert_one!(connection, new, of_pools);
            let answer = submission.as_ref().ok().and_then(|made| answering(made));
            keep_answer!(connection, &claim.scope, &answer);
            let kept = submission.map(|made| Kept::New { made, answer });
            Ok::<_, diesel::result::Error>(kept)
        });
        or_under_way(made.and_then(|kept| kept))
    }
}

/// Inserts all of `new_jobs` in one transaction and reports what became of each, in order.
pub(super) async fn insert(
    pools: &Pools,
    new_jobs: Vec<NewJob>,
) -> Result<Vec<Submission>, DbError> {
    let nothing_to_look_up = |new: &NewJob| new.policy == DuplicateHandling::AllowRetry;
    if let Pools::Postgres(pool) = pools
        && new_jobs.iter().all(nothing_to_look_up)
    {
        let (created_at, new_jobs) = insert_many(pool, new_jobs).await?;
        return Ok(new_jobs
            .into_iter()
            .map(|new| Submission::Created(new.into_pending(created_at)))
            .collect());
    }
    let of_pools = Dialect::of(pools);
    let count = new_jobs.len();
    let mut order: Vec<usize> = (0..count).collect();
    // Processes that insert the same URLs wait for each other in the unique index: in a common
    // order they queue, in any other they deadlock. The sort is stable: one URL stays FIFO.
    order.sort_by(|a, b| new_jobs[*a].what().cmp(&new_jobs[*b].what()));
    let mut submissions = write_transaction!(pools, connection => {
        let mut submissions = Vec::with_capacity(count);
        for index in order {
            let new = &new_jobs[index];
            submissions.push((index, insert_one!(connection, new, of_pools)));
        }
        Ok::<_, diesel::result::Error>(submissions)
    })?;
    submissions.sort_by_key(|(index, _)| *index);
    submissions
        .into_iter()
        .map(|(_, submission)| submission)
        .collect()
}

/// Inserts one job inside a transaction of either database; `Result<Submission, DbError>`.
///
/// Of any number of concurrent `reject-active` submissions, the unique index over active exclusive
/// jobs refuses all but the first. The look before it finds jobs that were accepted under another
/// policy, which the index does not hold.
macro_rules! insert_one {
    ($connection:ident, $new:ident, $dialect:expr) => {{
        let known = match $new.policy {
            DuplicateHandling::AllowRetry => None,
            DuplicateHandling::ReuseCompleted => {
                newest_duplicate!($connection, $new, is_completed($dialect, $new))
            }
            DuplicateHandling::RejectActive => {
                newest_duplicate!($connection, $new, is_active($dialect, &$new.url_hash))
            }
        };
        match known {
            Some(known) => submission_of_known(known),
            None => match insert_row!($connection, $new) {
                Some(row) => Job::try_from(row).map(Submission::Created),
                None => {
                    match newest_duplicate!($connection, $new, is_active($dialect, &$new.url_hash))
                    {
                        Some(active) => submission_of_known(active),
                        // The active job ended between the two statements: now there is room.
                        None => match insert_row!($connection, $new) {
                            Some(row) => Job::try_from(row).map(Submission::Created),
                            None => Err(DbError::Unavailable(
                                "duplicates come and go too quickly".to_owned(),
                            )),
                        },
                    }
                }
            },
        }
    }};
}

/// The new row, or `None` if there is an active exclusive job with the same URL and variants.
macro_rules! insert_row {
    ($connection:ident, $new:ident) => {{
        let row: Option<JobRow> = diesel::insert_into(jobs::table)
            .values((
                jobs::id.eq($new.id),
                jobs::url.eq(&$new.url),
                jobs::url_hash.eq(&$new.url_hash),
                jobs::exclusive.eq($new.policy == DuplicateHandling::RejectActive),
                jobs::status.eq(Status(JobStatus::Pending)),
                jobs::created_at.eq(clock::now()),
                jobs::updated_at.eq(clock::now()),
                jobs::due_at.eq(Begin::of($new.schedule).nullable()),
                jobs::waiting.eq(Waits::of($new.schedule)),
                jobs::origin.eq(&$new.origin),
                jobs::priority.eq(i16::from($new.schedule.priority.get())),
                jobs::rank.eq(Rank::of($new.schedule)),
                jobs::not_before.eq($new.schedule.not_before.map(Moment)),
                jobs::variants.eq(&$new.variants),
                jobs::spec_hash.eq(&$new.spec_hash),
                jobs::spec_version.eq($new.spec_version),
                jobs::batch_id.eq($new.batch.map(|place| place.batch)),
                jobs::batch_index.eq($new.batch.map(|place| place.index)),
                jobs::tags.eq($new.tags()),
                jobs::metadata.eq(&$new.labels.metadata),
                jobs::submitted_by.eq(&$new.labels.submitted_by),
                jobs::expires_in.eq($new.expires_in()),
            ))
            .on_conflict_do_nothing()
            .returning(JobRow::as_returning())
            .get_result($connection)
            .await
            .optional()?;
        if let (Some(row), Some(parent)) = (&row, $new.traceparent()) {
            diesel::update($crate::db::schema::traced_jobs::table.find(row.id))
                .set($crate::db::schema::traced_jobs::traceparent.eq(parent))
                .execute($connection)
                .await?;
        }
        row
    }};
}

macro_rules! newest_duplicate {
    ($connection:ident, $new:ident, $state:expr) => {
        jobs::table
            .filter(jobs::url_hash.eq(&$new.url_hash))
            .filter(jobs::spec_hash.eq(&$new.spec_hash))
            .filter($state)
            .order(jobs::created_at.desc())
            .select(JobRow::as_select())
            .first($connection)
            .await
            .optional()?
    };
}
use super::pools::write_transaction;
use diesel_async::RunQueryDsl;
pub(super) use {insert_one, insert_row, newest_duplicate};

pub(super) fn submission_of_known(row: JobRow) -> Result<Submission, DbError> {
    if crate::domain::transition::is_active(row.status.0) {
        return Ok(Submission::Rejected {
            active: JobId(row.id.0),
        });
    }
    Job::try_from(row).map(Submission::Reused)
}

/// True of every completed job, in Postgres: it makes the planner look into each week of the index
/// of completed URLs.
pub(super) fn is_in_any_week() -> String {
    let week = |which: &str| {
        format!(
            "(SELECT thumbforge_minute({which}(created_at)) / 10080 FROM jobs \
             WHERE status = 'completed')"
        )
    };
    format!(
        "thumbforge_minute(jobs.created_at) / 10080 = ANY (ARRAY(SELECT generate_series({}, {})))",
        week("min"),
        week("max")
    )
}

/// Completed, and of the URL of `new`. In Postgres the index has the jobs week by week
/// (`indexes.rs`), and each week is looked into.
pub(super) fn is_completed(dialect: Dialect, new: &NewJob) -> WithText<'_> {
    let mut state = "jobs.status = 'completed'".to_owned();
    if dialect.is_postgres {
        state += &format!(" AND {}", is_in_any_week());
    }
    // A plan that Postgres made when there were few jobs could read all of them when there are many.
    of_url(dialect, &state, &new.url_hash).kept_if(!dialect.is_postgres)
}

/// Active, and of the URL with this hash.
pub(super) fn is_active(dialect: Dialect, url_hash: &str) -> WithText<'_> {
    of_url(
        dialect,
        "jobs.status IN ('pending', 'processing')",
        url_hash,
    )
}

/// In a state, and of the URL with this hash. In Postgres the indexes hold a short form of it, which
/// other URLs may share.
fn of_url<'a>(dialect: Dialect, state: &str, url_hash: &'a str) -> WithText<'a> {
    match dialect.is_postgres {
        true => WithText::new(
            format!("{state} AND hashtextextended(jobs.url_hash, 0) = hashtextextended("),
            url_hash,
            ", 0)",
        ),
        false => WithText::new(format!("{state} AND jobs.url_hash = "), url_hash, ""),
    }
}
