//! Failed jobs by what they have in common: the cause and the host. The newest are looked at, so
//! that the answer costs the same however many there are.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel_async::RunQueryDsl;

use super::failures_sql;
use super::list::bound;
use super::list_sql::{ListSql, Value};
use super::pools::{read_query, read_snapshot};
use super::schema::jobs;
use super::types::{Id, Moment, sql};
use super::{Database, DbError, clock, dialect::Dialect};
use crate::domain::{JobFilter, JobId, JobStatus, Timestamp};

/// Failed jobs, in groups.
#[derive(Debug, Clone, PartialEq)]
pub struct Failures {
    /// The largest first.
    pub groups: Vec<FailureGroup>,
    /// How many groups there are.
    pub group_count: u64,
    /// Jobs in all of them.
    pub job_count: u64,
    /// False if older failed jobs were not looked at. Each group counts all of its jobs that its
    /// filter lets through even then, unless thousands were created at the same moment.
    pub is_exact: bool,
}

/// Failed jobs with one cause and one host.
#[derive(Debug, Clone, PartialEq)]
pub struct FailureGroup {
    pub error_code: String,
    pub host: String,
    pub count: u64,
    /// When they failed.
    pub first_failed_at: Timestamp,
    pub last_failed_at: Timestamp,
    /// The newest jobs.
    pub examples: Vec<FailedJob>,
    /// Lets through just these jobs.
    pub filter: JobFilter,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedJob {
    pub id: JobId,
    pub url: String,
    /// A sentence for humans.
    pub error: Option<String>,
    pub failed_at: Timestamp,
}

#[derive(QueryableByName)]
struct EdgeRow {
    #[diesel(sql_type = Nullable<sql::Moment>)]
    oldest: Option<Moment>,
    #[diesel(sql_type = Nullable<sql::Moment>)]
    newest: Option<Moment>,
}

#[derive(QueryableByName)]
struct GroupRow {
    #[diesel(sql_type = Text)]
    error_code: String,
    #[diesel(sql_type = Text)]
    host: String,
    #[diesel(sql_type = BigInt)]
    n: i64,
    #[diesel(sql_type = sql::Moment)]
    first_at: Moment,
    #[diesel(sql_type = sql::Moment)]
    last_at: Moment,
    #[diesel(sql_type = Nullable<Text>)]
    example_1: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    example_2: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    example_3: Option<String>,
    #[diesel(sql_type = BigInt)]
    all_groups: i64,
    #[diesel(sql_type = BigInt)]
    all_jobs: i64,
}

impl Database {
    /// The failed jobs that `filter` lets through, whatever status it names: the `limit` largest
    /// groups.
    pub async fn failures(&self, filter: &JobFilter, limit: u32) -> Result<Failures, DbError> {
        let mut filter = JobFilter {
            status: Some(JobStatus::Failed),
            ..filter.clone()
        };
        let dialect = Dialect::of(&self.pools);
        let list = ListSql::of(dialect, &filter, None);
        let (rows, since, now): (Vec<GroupRow>, Option<Timestamp>, Moment) = read_snapshot!(self.pools, connection => {
            let now: Moment = diesel::select(clock::now()).get_result(connection).await?;
            let text = failures_sql::edge(dialect, &list);
            let edge: EdgeRow =
                bound!(text, list.values.clone()).get_result(connection).await?;
            let since = edge.since();
            let text = failures_sql::groups(dialect, &list, since, limit);
            let rows = bound!(text, list.values).load(connection).await?;
            Ok::<_, diesel::result::Error>((rows, since, now))
        })?;
        if since.is_some() {
            filter.created_after = since;
        }
        // What fails from now on is of another answer.
        let before = filter.created_before;
        filter.created_before = Some(before.map_or(now.0, |before| before.min(now.0)));
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        let first = rows.as_slice().first();
        let (group_count, job_count) =
            first.map_or((0, 0), |row| (count(row.all_groups), count(row.all_jobs)));
        Ok(Failures {
            group_count,
            job_count,
            is_exact: since.is_none(),
            groups: self.with_examples(rows, &filter).await?,
        })
    }

    async fn with_examples(
        &self,
        rows: Vec<GroupRow>,
        filter: &JobFilter,
    ) -> Result<Vec<FailureGroup>, DbError> {
        let ids: Vec<Id> = rows.iter().flat_map(GroupRow::examples).collect();
        let found: Vec<(Id, String, Option<String>, Moment)> = match ids.is_empty() {
            true => Vec::new(),
            false => read_query!(self.pools, connection => jobs::table
                .filter(jobs::id.eq_any(ids))
                .select((jobs::id, jobs::url, jobs::error, jobs::updated_at))
                .load(connection)
                .await)?,
        };
        let known: HashMap<Id, FailedJob> = found
            .into_iter()
            .map(|(id, url, error, failed_at)| {
                let job = FailedJob {
                    id: JobId(id.0),
                    url,
                    error,
                    failed_at: failed_at.0,
                };
                (id, job)
            })
            .collect();
        let groups = rows.into_iter().map(|row| FailureGroup {
            examples: row
                .examples()
                .filter_map(|id| known.get(&id).cloned())
                .collect(),
            count: u64::try_from(row.n).unwrap_or(0),
            first_failed_at: row.first_at.0,
            last_failed_at: row.last_at.0,
            filter: JobFilter {
                error_code: Some(row.error_code.clone()),
                host: Some(row.host.clone()),
                ..filter.clone()
            },
            error_code: row.error_code,
            host: row.host,
        });
        Ok(groups.collect())
    }
}

impl GroupRow {
    /// Neither database has a largest UUID: they come as texts.
    fn examples(&self) -> impl Iterator<Item = Id> + use<> {
        let texts = [&self.example_1, &self.example_2, &self.example_3];
        let ids = texts.map(|text| text.as_deref().and_then(|text| text.parse().ok()));
        ids.into_iter().flatten().map(Id)
    }
}

impl EdgeRow {
    /// The moment from which on jobs are looked at, if there are older ones. Jobs of one moment are
    /// looked at all or not at all, so that a time divides them from the others; that fails only if
    /// all were created at one moment.
    fn since(&self) -> Option<Timestamp> {
        let (oldest, newest) = (self.oldest?.0, self.newest?.0);
        let next = Timestamp::from_unix_micros(oldest.unix_micros() + 1);
        Some(next.filter(|next| *next <= newest).unwrap_or(oldest))
    }
}
