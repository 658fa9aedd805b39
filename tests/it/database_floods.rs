//! A flood of new jobs in a table of which Postgres knows only what was there before: whatever names
//! jobs by their ids, or takes some in the order of an index, reads those and not the backlog.

use std::time::Duration;

use thumbforge::db::{ClaimSource, Database};
use thumbforge::domain::action::{ActionKind, ActionTarget};
use thumbforge::domain::origin_record::Caps;
use thumbforge::domain::{BatchStatus, JobFilter, JobId, JobStatus, Origin, Timestamp};
use uuid::Uuid;

use crate::database::Fixture;
use crate::support::deadline::eventually;

/// The jobs of the backlog, and those that an operation may read of it.
const BACKLOG: usize = 5000;
const FEW: u64 = 1000;
const JOBS_AND_TAGS: &str = "'jobs', 'job_tags'";
const TAGS: &str = "'job_tags'";
const LEASE: Duration = Duration::from_secs(30);

/// Jobs that wait for an origin, all with a tag, beside which Postgres remembers completed ones alone.
struct Flood {
    fixture: Fixture,
}

impl Flood {
    async fn new() -> Self {
        // A session gives its figures when it ends, and a pooler's would not.
        let fixture = Fixture::postgres_itself();
        drop(fixture.open().await);
        let flood = Self { fixture };
        flood.insert(2000, "'completed', NULL::timestamptz, false, '[]'");
        flood.fixture.lines(
            "ALTER TABLE jobs SET (autovacuum_enabled = off); \
             ALTER TABLE job_tags SET (autovacuum_enabled = off); \
             ANALYZE jobs; ANALYZE job_tags",
        );
        flood.insert(BACKLOG, "'pending', now(), false, '[\"mistake\"]'");
        flood
    }

    /// `values`: the status, when it is due, whether it waits for that, and the tags.
    fn insert(&self, jobs: usize, values: &str) {
        self.fixture.lines(&format!(
            "INSERT INTO jobs (id, url, url_hash, exclusive, origin, created_at, updated_at, \
             status, due_at, waiting, tags, result) \
             SELECT gen_random_uuid(), 'https://a.example/', 'a', false, \
             'https://a.example:443', now(), now(), job.*, \
             CASE WHEN job.status = 'completed' THEN jsonb_build_object() END \
             FROM (SELECT {values}) AS job (status, due_at, waiting, tags), \
             generate_series(1, {jobs})"
        ));
    }

    fn some(&self, condition: &str) -> Vec<JobId> {
        let ids = self
            .fixture
            .lines(&format!("SELECT id FROM jobs WHERE {condition} LIMIT 5"));
        let ids: Vec<JobId> = ids.iter().map(|id| id.parse().unwrap()).collect();
        assert_eq!(ids.len(), 5);
        ids
    }

    /// Rows and entries of indexes that were read of these tables since the beginning.
    async fn read(&self, tables: &str) -> u64 {
        let own = "datname = current_database() AND pid <> pg_backend_pid() \
                   AND backend_type = 'client backend'";
        eventually("the sessions end", Duration::from_secs(10), async || {
            let count = format!("SELECT count(*) FROM pg_stat_activity WHERE {own}");
            self.fixture.lines(&count) == ["0"]
        })
        .await;
        let read = self.fixture.lines(&format!(
            "SELECT sum(seq_tup_read)::bigint + (SELECT sum(idx_tup_read)::bigint \
             FROM pg_stat_user_indexes WHERE relname IN ({tables})) \
             FROM pg_stat_user_tables WHERE relname IN ({tables})"
        ));
        read[0].parse().unwrap()
    }

    async fn assert_reads_few(&self, what: &str, work: impl AsyncFnOnce(&Database)) {
        self.assert_reads(what, JOBS_AND_TAGS, FEW, work).await;
    }

    /// Panics if `work` reads as many rows of these tables as `bound`, or none.
    async fn assert_reads(
        &self,
        what: &str,
        tables: &str,
        bound: u64,
        work: impl AsyncFnOnce(&Database),
    ) {
        let before = self.read(tables).await;
        let database = Database::open(&self.fixture.target, 2).unwrap();
        work(&database).await;
        drop(database);
        let read = self.read(tables).await - before;
        assert!((1..bound).contains(&read), "{what} read {read} rows");
    }
}

fn origin() -> Origin {
    "https://a.example:443".parse().unwrap()
}

#[tokio::test]
async fn jobs_named_by_ids_are_looked_up_and_not_the_backlog() {
    let flood = Flood::new().await;
    let pending = flood.some("status = 'pending'");
    let ids = pending.clone();
    flood
        .assert_reads_few("bells", async |database| {
            assert_eq!(database.origins_of(&ids).await.unwrap().len(), 1);
        })
        .await;
    let bells = ClaimSource::Bells {
        ids: pending.clone(),
        room: 5,
        rooms: Vec::new(),
    };
    let turns = ClaimSource::Origins(vec![(origin(), 5)]);
    for source in [bells, turns] {
        flood
            .assert_reads_few("a claim", async |database| {
                let claimed = database.claim(source, Uuid::now_v7(), LEASE).await.unwrap();
                assert_eq!(claimed.claims.len(), 5);
            })
            .await;
    }
    flood
        .assert_reads_few("a claim of few", async |database| {
            let (origin, worker) = (origin(), Uuid::now_v7());
            let claimed = database.claim_limited(&origin, 5, Caps::default(), worker, LEASE);
            assert_eq!(claimed.await.unwrap().claims.len(), 5);
        })
        .await;
    let ids = flood.some("status = 'pending'");
    flood
        .assert_reads_few("a cancellation", async |database| {
            assert_eq!(database.cancel(&ids).await.unwrap().len(), 5);
        })
        .await;
    flood
        .assert_reads_few("a deletion", async |database| {
            assert_eq!(database.delete(&ids).await.unwrap().len(), 5);
        })
        .await;
    flood.insert(5, "'pending', now() - interval '1 s', true, '[]'");
    flood
        .assert_reads_few("the end of a wait", async |database| {
            assert_eq!(database.end_waits().await.unwrap(), 5);
        })
        .await;
    flood.insert(5, "'pending', now() + interval '9 years', true, '[]'");
    flood
        .assert_reads_few("the end of too long a wait", async |database| {
            let longest = Duration::from_secs(3600);
            assert_eq!(database.pull_in_delays(longest).await.unwrap(), 5);
        })
        .await;
}

#[tokio::test]
async fn retries_look_at_their_jobs_and_not_at_what_failed_or_is_active() {
    let flood = Flood::new().await;
    flood.insert(BACKLOG, "'failed', NULL::timestamptz, false, '[]'");
    let failed = flood.some("status = 'failed'");
    let (exclusive, others) = failed.split_first().unwrap();
    flood.fixture.lines(&format!(
        "UPDATE jobs SET exclusive = true, url_hash = 'b' WHERE id = '{exclusive}'"
    ));
    for ids in [others, &[*exclusive]] {
        flood
            .assert_reads_few("a retry", async |database| {
                assert_eq!(database.retry(ids).await.unwrap().len(), ids.len());
            })
            .await;
    }
}

#[tokio::test]
async fn a_batch_reads_its_own_active_jobs() {
    let flood = Flood::new().await;
    let (batch, ids) = (Uuid::now_v7(), flood.some("status = 'pending'"));
    let list: Vec<String> = ids.iter().map(|id| format!("'{id}'")).collect();
    flood.fixture.lines(&format!(
        "INSERT INTO batches (id, status, total, created_at, updated_at) \
         VALUES ('{batch}', 'running', 5, now(), now()); \
         UPDATE jobs SET batch_id = '{batch}' WHERE id IN ({})",
        list.join(", ")
    ));
    flood
        .assert_reads_few("a look for active jobs", async |database| {
            let mut active = database.active_of_batch(batch, 100).await.unwrap();
            active.sort();
            let mut ids = ids.clone();
            ids.sort();
            assert_eq!(active, ids);
        })
        .await;
    // Each looks whether it was the last one.
    flood
        .assert_reads_few("the ends of its jobs", async |database| {
            for id in &ids {
                assert_eq!(database.cancel(&[*id]).await.unwrap(), [*id]);
            }
            let ended = database.find_batch(batch).await.unwrap().unwrap();
            assert_eq!(ended.status, BatchStatus::Cancelled);
        })
        .await;
}

#[tokio::test]
async fn some_jobs_in_the_order_of_an_index_are_read_and_not_the_backlog() {
    let flood = Flood::new().await;
    let by_tag = || JobFilter {
        tag: Some("mistake".to_owned()),
        ..JobFilter::default()
    };
    let by_status = || JobFilter {
        status: Some(JobStatus::Pending),
        ..JobFilter::default()
    };
    let by_both = JobFilter {
        status: by_status().status,
        ..by_tag()
    };
    for filter in [by_tag(), by_status(), by_both] {
        flood
            .assert_reads_few("a page", async |database| {
                let page = database.list(&filter, 20, 0, None).await.unwrap();
                assert_eq!(page.jobs.len(), 20);
            })
            .await;
    }
    let begun = Database::open(&flood.fixture.target, 2).unwrap();
    let target = ActionTarget::Filter(by_tag());
    let (target, matched) = begun.freeze(target).await.unwrap();
    let action = begun.begin_action(ActionKind::Cancel, &target, matched, None);
    let action = action.await.unwrap();
    let runner = Uuid::now_v7();
    assert_eq!(begun.take_actions(runner).await.unwrap(), [action.id]);
    drop(begun);
    let work = async |database: &Database| {
        let kind = database.act_on_slice(action.id, runner).await.unwrap();
        assert_eq!(kind, Some(ActionKind::Cancel));
        let action = database.find_action(action.id).await.unwrap().unwrap();
        assert_eq!(action.counts.done, 500);
    };
    // Of its jobs it may read the whole table while that is small.
    flood.assert_reads("a slice", TAGS, 3 * FEW, work).await;
}

#[tokio::test]
async fn a_count_of_a_range_of_time_reads_few_buckets() {
    let flood = Flood::new().await;
    flood.fixture.lines(
        "INSERT INTO job_counts SELECT 0, minute, 'completed', 1 \
         FROM generate_series(1000, 30000) AS minute ON CONFLICT DO NOTHING; \
         INSERT INTO job_counts SELECT 1, hour, 'completed', 64 \
         FROM generate_series(16, 468) AS hour ON CONFLICT DO NOTHING; \
         ANALYZE job_counts",
    );
    let minute = |minute: i64| Timestamp::from_unix_micros(minute * 60_000_000);
    let (from, to) = (minute(64 * 20 + 7), minute(64 * 25 + 7));
    let work = async |database: &Database| {
        let counts = database.count_created(from, to).await.unwrap();
        assert_eq!(counts.total(), 64 * 5);
    };
    flood
        .assert_reads("a count", "'job_counts'", FEW, work)
        .await;
}
