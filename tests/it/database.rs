//! The promises of the database, held against Postgres and SQLite alike.

use std::collections::HashSet;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{Connection, RunQueryDsl, SqliteConnection};
use thumbforge::db::{ClaimSource, Database, JobCounts, Submission, Target};
use thumbforge::domain::{
    Claim, DuplicateHandling, FailureCode, Job, JobFilter, JobId, JobResult, JobStatus, Outcome,
    Request, Schedule, SourceUrl, ThumbnailInfo, WorkerSign,
};
use uuid::Uuid;

use crate::support::deadline::eventually;
use crate::support::postgres::Postgres;

const LEASE: Duration = Duration::from_secs(30);
const EXPIRED: Duration = Duration::ZERO;

#[derive(diesel::QueryableByName)]
struct Line {
    #[diesel(sql_type = diesel::sql_types::Text)]
    line: String,
}

/// A database of one test's own.
pub struct Fixture {
    pub target: Target,
    _folder: Option<tempfile::TempDir>,
}

impl Fixture {
    pub fn postgres() -> Self {
        Self {
            target: Target::Postgres(Postgres::shared().new_database()),
            _folder: None,
        }
    }

    /// Never through a pooler, whose sessions outlive its clients'.
    pub fn postgres_itself() -> Self {
        let server = Postgres::shared();
        let url = server.new_database();
        let (_, name) = url.rsplit_once('/').unwrap();
        Self {
            target: Target::Postgres(server.url(name, server.port)),
            _folder: None,
        }
    }

    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            target: Target::Sqlite(folder.path().join("jobs.db")),
            _folder: Some(folder),
        }
    }

    /// Runs SQL without ThumbForge, whose only column is a text named `line`; `{}` in it is the
    /// name of the database (Postgres).
    pub fn lines(&self, sql: &str) -> Vec<String> {
        match &self.target {
            Target::Postgres(url) => {
                let (_, name) = url.rsplit_once('/').unwrap();
                let output = Postgres::shared().psql(name, &sql.replace("{}", name));
                assert!(output.status.success(), "{output:?}");
                let text = String::from_utf8(output.stdout).unwrap();
                text.lines().map(str::to_owned).collect()
            }
            Target::Sqlite(path) => {
                let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
                connection
                    .batch_execute("PRAGMA busy_timeout = 5000")
                    .unwrap();
                let rows: Vec<Line> = diesel::sql_query(sql).load(&mut connection).unwrap();
                rows.into_iter().map(|row| row.line).collect()
            }
        }
    }

    pub async fn open(&self) -> Database {
        let database = Database::open(&self.target, 8).unwrap();
        database.migrate(&self.target).await.unwrap();
        database
    }
}

/// Each function runs as a test on both databases.
macro_rules! on_both_databases {
    ($($(#[$attribute:meta])* async fn $name:ident($fixture:ident: &Fixture) $body:block)*) => {
        $( async fn $name($fixture: &Fixture) $body )*
        mod postgres { $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() { super::$name(&super::Fixture::postgres()).await; }
        )* }
        mod sqlite { $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() { super::$name(&super::Fixture::sqlite()).await; }
        )* }
    };
}

/// Each path has an origin of its own, whose first job is its only one.
pub fn url(path: &str) -> SourceUrl {
    let host = path.replace('.', "-");
    SourceUrl::parse(&format!("https://{host}.example.com/{path}")).unwrap()
}

pub async fn submitted(database: &Database, path: &str) -> Job {
    match database
        .submit(Request::new(
            &url(path),
            DuplicateHandling::AllowRetry,
            Schedule::default(),
            None,
        ))
        .await
    {
        Ok(Submission::Created(job)) => job,
        other => panic!("not created: {other:?}"),
    }
}

pub async fn claimed(
    database: &Database,
    id: JobId,
    worker: Uuid,
    lease: Duration,
) -> Option<Claim> {
    // As the sweep does.
    database.end_waits().await.unwrap();
    let source = ClaimSource::Bells {
        ids: vec![id],
        room: 1,
        rooms: vec![],
    };
    let mut claims = database.claim(source, worker, lease).await.unwrap().claims;
    assert!(claims.len() <= 1);
    claims.pop()
}

pub async fn claimed_now(database: &Database, id: JobId) -> Claim {
    claimed(database, id, Uuid::now_v7(), LEASE).await.unwrap()
}

pub const RELEASED: Outcome = Outcome::Released {
    delay: Duration::ZERO,
};

pub fn completed() -> Outcome {
    let result = Box::new(JobResult {
        width: 640,
        height: 480,
        format: "JPEG".to_owned(),
        size_bytes: 12_345,
        source_content_type: Some("image/jpeg".to_owned()),
        source_url: "https://images.example.com/ä".to_owned(),
        sha256: "0".repeat(64),
        thumbnail_path: "x.jpg".to_owned(),
        thumbnail: ThumbnailInfo {
            width: 256,
            height: 192,
            size_bytes: 4_321,
            content_type: "image/jpeg".to_owned(),
        },
        has_alpha: false,
        frames: 1,
        orientation: 6,
        icc_profile: Some("Display P3".to_owned()),
        exif: None,
        dominant_color: "#102030".to_owned(),
        thumbhash: "AAAA".to_owned(),
        truncated: false,
        variants: vec![],
    });
    Outcome::Completed {
        result,
        source_status: Some(200),
    }
}

pub fn retry_after(delay: Duration) -> Outcome {
    Outcome::Retry {
        code: FailureCode::SourceTimeout,
        message: "the source did not answer in time".to_owned(),
        source_status: None,
        variant: None,
        delay,
    }
}

pub async fn found(database: &Database, id: JobId) -> Job {
    database.find(id).await.unwrap().unwrap()
}

on_both_databases! {
    async fn a_submitted_job_is_pending_and_found(fixture: &Fixture) {
        let database = fixture.open().await;
        let job = submitted(&database, "a.jpg").await;
        assert_eq!(job.status, JobStatus::Pending);
        assert_eq!(job.attempts, 0);
        assert_eq!(job.url, "https://a-jpg.example.com/a.jpg");
        assert_eq!(job.id.0.get_version_num(), 7);
        assert_eq!(found(&database, job.id).await, job);
        assert_eq!(database.find(JobId::generate()).await.unwrap(), None);
    }

    async fn of_many_concurrent_claims_one_wins(fixture: &Fixture) {
        let database = fixture.open().await;
        let job = submitted(&database, "a.jpg").await;
        let tries = (0..32).map(|_| {
            let database = database.clone();
            tokio::spawn(async move { claimed(&database, job.id, Uuid::now_v7(), LEASE).await })
        });
        let mut wins = 0;
        for attempt in tries.collect::<Vec<_>>() {
            wins += usize::from(attempt.await.unwrap().is_some());
        }
        assert_eq!(wins, 1);
        let job = found(&database, job.id).await;
        assert_eq!((job.status, job.attempts), (JobStatus::Processing, 1));
    }

    async fn a_completed_job_keeps_its_whole_result(fixture: &Fixture) {
        let database = fixture.open().await;
        let job = submitted(&database, "a.jpg").await;
        let claim = claimed_now(&database, job.id).await;
        assert!(database.finish(&claim, &completed()).await.unwrap());
        let job = found(&database, job.id).await;
        assert_eq!(job.status, JobStatus::Completed);
        let Outcome::Completed { result: expected, .. } = completed() else { unreachable!() };
        assert_eq!(job.result, Some(expected));
        assert!(job.updated_at >= job.created_at);
        assert!(!database.finish(&claim, &completed()).await.unwrap(), "written twice");
    }

    async fn a_lost_lease_cannot_publish(fixture: &Fixture) {
        let database = fixture.open().await;
        let job = submitted(&database, "a.jpg").await;
        let (slow, quick) = (Uuid::now_v7(), Uuid::now_v7());
        let stale = claimed(&database, job.id, slow, EXPIRED).await.unwrap();
        eventually("the lease expires", Duration::from_secs(5), async || {
            database.take_over_expired(3, |_| Duration::ZERO).await.unwrap().0 == [job.id]
        }).await;
        let fresh = claimed(&database, job.id, quick, LEASE).await.unwrap();
        assert_eq!(fresh.attempt, 2);
        for outcome in [completed(), retry_after(Duration::ZERO), RELEASED] {
            assert!(!database.finish(&stale, &outcome).await.unwrap(), "{outcome:?}");
        }
        let kept = database.renew(std::slice::from_ref(&stale), slow, LEASE).await.unwrap();
        assert_eq!(kept, HashSet::new());
        let held = database.held(&[(stale.id, stale.fence), (fresh.id, fresh.fence)]).await.unwrap();
        assert_eq!(held, HashSet::from([(fresh.id, fresh.fence)]));
        assert!(database.finish(&fresh, &completed()).await.unwrap());
    }

    async fn attempts_that_end_at_the_same_time_are_told_apart(fixture: &Fixture) {
        let database = fixture.open().await;
        let mut writes = Vec::new();
        for number in 0..60 {
            let job = submitted(&database, &number.to_string()).await;
            let mut claim = claimed_now(&database, job.id).await;
            let outcome = match number % 4 {
                0 => completed(),
                1 => retry_after(Duration::from_secs(3600)),
                2 => Outcome::Failed {
                    code: FailureCode::CorruptImage,
                    message: format!("failure {number}"),
                    source_status: Some(404),
                    variant: None,
                },
                _ => RELEASED,
            };
            let stale = number % 3 == 0;
            claim.fence -= i64::from(stale);
            let database = database.clone();
            writes.push(tokio::spawn(async move {
                let written = database.finish(&claim, &outcome).await.unwrap();
                (number, stale, written, database.find(claim.id).await.unwrap().unwrap())
            }));
        }
        for write in writes {
            let (number, stale, written, job) = write.await.unwrap();
            assert_eq!(written, !stale, "{number}");
            let expected = match number % 4 {
                _ if stale => (JobStatus::Processing, 1, None),
                0 => (JobStatus::Completed, 1, None),
                1 => (JobStatus::Pending, 1, Some("the source did not answer in time".to_owned())),
                2 => (JobStatus::Failed, 1, Some(format!("failure {number}"))),
                _ => (JobStatus::Pending, 0, None),
            };
            assert_eq!((job.status, job.attempts, job.error), expected, "{number}");
            assert_eq!(job.result.is_some(), expected.0 == JobStatus::Completed, "{number}");
        }
    }

    async fn a_renewed_lease_is_not_taken_over(fixture: &Fixture) {
        let database = fixture.open().await;
        let job = submitted(&database, "a.jpg").await;
        let worker = Uuid::now_v7();
        let claim = claimed(&database, job.id, worker, EXPIRED).await.unwrap();
        let kept = database.renew(&[claim], worker, LEASE).await.unwrap();
        assert_eq!(kept, HashSet::from([job.id]));
        let taken = database.take_over_expired(3, |_| Duration::ZERO).await.unwrap();
        assert_eq!(taken, (vec![], vec![]));
    }

    async fn leases_are_renewed_beside_ends_without_deadlock(fixture: &Fixture) {
        let database = fixture.open().await;
        let worker = Uuid::now_v7();
        let mut claims = Vec::new();
        for number in 0..60 {
            let job = submitted(&database, &number.to_string()).await;
            claims.push(claimed(&database, job.id, worker, LEASE).await.unwrap());
        }
        // The order of the list is not that of the ids.
        claims.reverse();
        let renewals = tokio::spawn({
            let (database, claims) = (database.clone(), claims.clone());
            async move {
                loop {
                    let kept = database.renew(&claims, worker, LEASE).await.unwrap();
                    if kept.is_empty() {
                        return;
                    }
                }
            }
        });
        let ends = claims.into_iter().map(|claim| {
            let database = database.clone();
            tokio::spawn(async move {
                // Several ends a job, so that the two meet often.
                assert!(database.finish(&claim, &RELEASED).await.unwrap());
                // A claim skips a row that a renewal has just locked.
                let claim = loop {
                    if let Some(claim) = claimed(&database, claim.id, worker, LEASE).await {
                        break claim;
                    }
                };
                assert!(database.finish(&claim, &completed()).await.unwrap());
            })
        });
        for end in ends.collect::<Vec<_>>() {
            end.await.unwrap();
        }
        renewals.await.unwrap();
    }

    async fn a_job_that_always_kills_its_worker_ends_as_poison(fixture: &Fixture) {
        let database = fixture.open().await;
        let job = submitted(&database, "a.jpg").await;
        for attempt in 1..=3 {
            let claim = claimed(&database, job.id, Uuid::now_v7(), EXPIRED).await.unwrap();
            assert_eq!(claim.attempt, attempt);
            eventually("the lease expires", Duration::from_secs(5), async || {
                let (requeued, poisoned) = database.take_over_expired(3, |_| Duration::ZERO).await.unwrap();
                if attempt < 3 { requeued == [job.id] } else { poisoned == [(job.id, FailureCode::Poison)] }
            }).await;
        }
        let job = found(&database, job.id).await;
        assert_eq!(job.status, JobStatus::Failed);
        assert_eq!(job.error_code.as_deref(), Some("poison"));
        assert!(job.error.is_some());
    }

    async fn a_death_in_the_last_attempt_alone_is_no_poison(fixture: &Fixture) {
        let database = fixture.open().await;
        let job = submitted(&database, "a.jpg").await;
        for _ in 0..2 {
            let claim = claimed_now(&database, job.id).await;
            assert!(database.finish(&claim, &retry_after(Duration::ZERO)).await.unwrap());
        }
        claimed(&database, job.id, Uuid::now_v7(), EXPIRED).await.unwrap();
        eventually("the lease expires", Duration::from_secs(5), async || {
            database.take_over_expired(3, |_| Duration::ZERO).await.unwrap().1 == [(job.id, FailureCode::WorkerLost)]
        }).await;
        let job = found(&database, job.id).await;
        assert_eq!((job.status, job.attempts), (JobStatus::Failed, 3));
        assert_eq!(job.error_code.as_deref(), Some("worker_lost"));
    }

    async fn processes_that_submit_the_same_urls_do_not_deadlock(fixture: &Fixture) {
        let databases = [fixture.open().await, fixture.open().await];
        for round in 0..8 {
            // Up in one process, down in the other.
            let tries = (0..200_usize).map(|number| {
                let place = if number % 2 == 0 { number / 2 } else { 99 - number / 2 };
                let (database, url) = (databases[number % 2].clone(), url(&format!("{round}/{place}")));
                tokio::spawn(async move { database.submit(Request::new(&url, DuplicateHandling::RejectActive, Schedule::default(), None)).await })
            });
            let mut created = 0;
            for submission in tries.collect::<Vec<_>>() {
                match submission.await.unwrap().unwrap() {
                    Submission::Created(_) => created += 1,
                    Submission::Rejected { .. } => {}
                    Submission::Reused(_) => panic!("nothing was completed"),
                }
            }
            assert_eq!(created, 100);
        }
    }

    async fn a_retry_waits_until_it_is_due(fixture: &Fixture) {
        let database = fixture.open().await;
        let job = submitted(&database, "a.jpg").await;
        let claim = claimed_now(&database, job.id).await;
        assert!(database.finish(&claim, &retry_after(Duration::from_secs(3600))).await.unwrap());
        assert_eq!(claimed(&database, job.id, Uuid::now_v7(), LEASE).await, None);
        let waiting = found(&database, job.id).await;
        assert_eq!(waiting.status, JobStatus::Pending);
        assert_eq!(waiting.error_code.as_deref(), Some("source_timeout"));

        let other = submitted(&database, "b.jpg").await;
        let claim = claimed_now(&database, other.id).await;
        assert!(database.finish(&claim, &retry_after(Duration::ZERO)).await.unwrap());
        let origin = url("b.jpg").origin();
        let ready = database.ready_origins(None, 10).await.unwrap();
        assert_eq!(ready.iter().map(|ready| &ready.origin).collect::<Vec<_>>(), [&origin]);
        let source = ClaimSource::Origins(vec![(origin, 10)]);
        let claims = database.claim(source, Uuid::now_v7(), LEASE).await.unwrap().claims;
        assert_eq!(claims.iter().map(|claim| (claim.id, claim.attempt)).collect::<Vec<_>>(), [(other.id, 2)]);
    }

    async fn a_released_job_loses_no_attempt_and_its_old_claim_is_void(fixture: &Fixture) {
        let database = fixture.open().await;
        let job = submitted(&database, "a.jpg").await;
        let first = claimed_now(&database, job.id).await;
        assert!(database.finish(&first, &RELEASED).await.unwrap());
        assert_eq!(found(&database, job.id).await.attempts, 0);
        let second = claimed_now(&database, job.id).await;
        assert_eq!((first.attempt, second.attempt), (1, 1));
        assert!(!database.finish(&first, &completed()).await.unwrap());
        assert!(database.finish(&second, &completed()).await.unwrap());
    }

    async fn reject_active_lets_one_of_64_in(fixture: &Fixture) {
        // Two handles stand for two processes.
        let databases = [fixture.open().await, fixture.open().await];
        let url = url("same.jpg");
        let tries = (0..64).map(|number| {
            let (database, url) = (databases[number % 2].clone(), url.clone());
            tokio::spawn(async move { database.submit(Request::new(&url, DuplicateHandling::RejectActive, Schedule::default(), None)).await })
        });
        let (mut created, mut rejected) = (Vec::new(), Vec::new());
        for submission in tries.collect::<Vec<_>>() {
            match submission.await.unwrap().unwrap() {
                Submission::Created(job) => created.push(job.id),
                Submission::Rejected { active } => rejected.push(active),
                Submission::Reused(_) => panic!("nothing was completed"),
            }
        }
        assert_eq!((created.len(), rejected.len()), (1, 63));
        assert!(rejected.iter().all(|active| *active == created[0]));

        let claim = claimed_now(&databases[0], created[0]).await;
        assert!(matches!(
            databases[1].submit(Request::new(&url, DuplicateHandling::RejectActive, Schedule::default(), None)).await.unwrap(),
            Submission::Rejected { .. }
        ));
        assert!(databases[0].finish(&claim, &completed()).await.unwrap());
        assert!(matches!(
            databases[1].submit(Request::new(&url, DuplicateHandling::RejectActive, Schedule::default(), None)).await.unwrap(),
            Submission::Created(_)
        ));
    }

    async fn reject_active_sees_jobs_of_other_policies(fixture: &Fixture) {
        let database = fixture.open().await;
        let job = submitted(&database, "a.jpg").await;
        assert_eq!(
            database.submit(Request::new(&url("a.jpg"), DuplicateHandling::RejectActive, Schedule::default(), None)).await.unwrap(),
            Submission::Rejected { active: job.id }
        );
        assert_ne!(submitted(&database, "a.jpg").await.id, job.id, "allow-retry makes a new job");
    }

    async fn reuse_completed_answers_with_the_newest(fixture: &Fixture) {
        let database = fixture.open().await;
        let mut newest = None;
        for _ in 0..2 {
            let job = submitted(&database, "a.jpg").await;
            let claim = claimed_now(&database, job.id).await;
            assert!(database.finish(&claim, &completed()).await.unwrap());
            newest = Some(job.id);
        }
        submitted(&database, "a.jpg").await;
        match database.submit(Request::new(&url("a.jpg"), DuplicateHandling::ReuseCompleted, Schedule::default(), None)).await.unwrap() {
            Submission::Reused(job) => assert_eq!(Some(job.id), newest),
            other => panic!("not reused: {other:?}"),
        }
        assert!(matches!(
            database.submit(Request::new(&url("b.jpg"), DuplicateHandling::ReuseCompleted, Schedule::default(), None)).await.unwrap(),
            Submission::Created(_)
        ));
    }

    async fn the_list_is_newest_first_filtered_and_paged(fixture: &Fixture) {
        let database = fixture.open().await;
        let mut jobs = Vec::new();
        for number in 0..5 {
            jobs.push(submitted(&database, &number.to_string()).await);
        }
        let claim = claimed_now(&database, jobs[2].id).await;
        assert!(database.finish(&claim, &completed()).await.unwrap());
        let list = async |filter: JobFilter, limit, offset| {
            let page = database.list(&filter, limit, offset, None).await.unwrap();
            let total = database.total_of(&filter).await.unwrap();
            assert!(total.is_exact);
            (page.jobs.iter().map(|job| job.id).collect::<Vec<_>>(), total.total)
        };
        let any = JobFilter::default;
        assert_eq!(list(any(), 2, 0).await, (vec![jobs[4].id, jobs[3].id], 5));
        assert_eq!(list(any(), 2, 4).await, (vec![jobs[0].id], 5));
        assert_eq!(list(any(), 2, u64::MAX).await, (vec![], 5));
        let of = |status| JobFilter { status: Some(status), ..any() };
        assert_eq!(list(of(JobStatus::Completed), 9, 0).await, (vec![jobs[2].id], 1));
        assert_eq!(list(of(JobStatus::Failed), 9, 0).await, (vec![], 0));
        let between = JobFilter {
            created_after: Some(jobs[1].created_at),
            created_before: Some(jobs[3].created_at),
            ..any()
        };
        let (ids, total) = list(between, 9, 0).await;
        assert!(total >= 3 && ids.contains(&jobs[2].id), "{ids:?}");
    }

    async fn counts_tell_states_backlog_and_workers(fixture: &Fixture) {
        let database = fixture.open().await;
        let counts = database.counts().await.unwrap();
        assert_eq!((counts.by_status.of(JobStatus::Pending), counts.oldest_pending_seconds, counts.workers_alive), (0, None, 0));
        let job = submitted(&database, "a.jpg").await;
        submitted(&database, "b.jpg").await;
        claimed_now(&database, job.id).await;
        let worker = Uuid::now_v7();
        database.mark_worker_alive(&WorkerSign::ready(worker)).await.unwrap();
        database.mark_worker_alive(&WorkerSign::ready(worker)).await.unwrap();
        let counts = database.counts().await.unwrap();
        assert_eq!((counts.by_status.of(JobStatus::Pending), counts.by_status.of(JobStatus::Processing), counts.workers_alive), (1, 1, 1));
        let age = counts.oldest_pending_seconds.unwrap();
        assert!((0.0..30.0).contains(&age), "{age}");
        assert_eq!(database.pending_up_to(100).await.unwrap(), 1);
        database.mark_worker_gone(worker).await.unwrap();
        assert_eq!(database.counts().await.unwrap().workers_alive, 0);
    }

    async fn a_trial_write_is_no_worker_and_is_cleaned_up(fixture: &Fixture) {
        let database = fixture.open().await;
        let trials = (0..16).map(|_| {
            let database = database.clone();
            tokio::spawn(async move { database.try_writing().await.unwrap() })
        });
        for trial in trials.collect::<Vec<_>>() {
            trial.await.unwrap();
        }
        let counts = database.counts().await.unwrap();
        assert_eq!(counts, JobCounts::default());
        let worker = Uuid::now_v7();
        database.mark_worker_alive(&WorkerSign::ready(worker)).await.unwrap();
        assert_eq!(fixture.lines("SELECT CAST(id AS text) AS line FROM workers"), [worker.to_string()]);
    }

    async fn a_clock_set_back_strands_no_waiting_job(fixture: &Fixture) {
        let database = fixture.open().await;
        let hour = Duration::from_secs(3600);
        let mut waiting = Vec::new();
        for (path, delay) in [("far.jpg", hour * 2), ("near.jpg", hour / 2)] {
            let job = submitted(&database, path).await;
            let claim = claimed_now(&database, job.id).await;
            assert!(database.finish(&claim, &retry_after(delay)).await.unwrap());
            waiting.push(job.id);
        }
        assert_eq!(database.pull_in_delays(hour).await.unwrap(), 1);
        assert_eq!(database.pull_in_delays(hour).await.unwrap(), 0);
        assert!(claimed(&database, waiting[0], Uuid::now_v7(), LEASE).await.is_some());
        assert_eq!(claimed(&database, waiting[1], Uuid::now_v7(), LEASE).await, None);
    }

    async fn a_clock_set_back_strands_no_job_of_a_dead_worker(fixture: &Fixture) {
        let database = fixture.open().await;
        let hour = Duration::from_secs(3600);
        let dead = submitted(&database, "far.jpg").await;
        claimed(&database, dead.id, Uuid::now_v7(), hour * 2).await.unwrap();
        let near = submitted(&database, "near.jpg").await;
        let near = claimed(&database, near.id, Uuid::now_v7(), hour / 2).await.unwrap();
        let worker = Uuid::now_v7();
        let alive = submitted(&database, "alive.jpg").await;
        let alive = claimed(&database, alive.id, worker, hour * 2).await.unwrap();
        assert_eq!(database.pull_in_leases(hour, LEASE).await.unwrap(), 2);
        assert_eq!(database.pull_in_leases(hour, LEASE).await.unwrap(), 0);
        let taken = database.take_over_expired(3, |_| Duration::ZERO).await.unwrap();
        assert_eq!(taken, (vec![], vec![]), "who works has time to renew");
        assert_eq!(database.pull_in_leases(Duration::ZERO, EXPIRED).await.unwrap(), 3);
        let alive_id = alive.id;
        database.renew(&[alive], worker, LEASE).await.unwrap();
        eventually("the dead are taken over", Duration::from_secs(5), async || {
            database.take_over_expired(3, |_| Duration::ZERO).await.unwrap();
            found(&database, dead.id).await.status == JobStatus::Pending
                && found(&database, near.id).await.status == JobStatus::Pending
        }).await;
        assert_eq!(found(&database, alive_id).await.status, JobStatus::Processing);
    }

    async fn workers_of_the_future_are_not_alive_and_are_forgotten(fixture: &Fixture) {
        let database = fixture.open().await;
        database.mark_worker_alive(&WorkerSign::ready(Uuid::now_v7())).await.unwrap();
        assert_eq!(database.counts().await.unwrap().workers_alive, 1);
        fixture.lines(match fixture.target {
            Target::Postgres(_) => "UPDATE workers SET seen_at = seen_at + interval '2 hours'",
            Target::Sqlite(_) => "UPDATE workers SET seen_at = seen_at + 7200000000",
        });
        assert_eq!(database.counts().await.unwrap().workers_alive, 0);
        let worker = Uuid::now_v7();
        database.mark_worker_alive(&WorkerSign::ready(worker)).await.unwrap();
        assert_eq!(fixture.lines("SELECT CAST(id AS text) AS line FROM workers"), [worker.to_string()]);
    }

    async fn ten_migrations_at_once_are_one(fixture: &Fixture) {
        let tries = (0..10).map(|_| {
            let target = fixture.target.clone();
            tokio::spawn(async move {
                let database = Database::open(&target, 2).unwrap();
                database.migrate(&target).await.unwrap().len()
            })
        });
        let mut applied = 0;
        for migration in tries.collect::<Vec<_>>() {
            applied += migration.await.unwrap();
        }
        let of = match fixture.target {
            Target::Postgres(_) => "postgres",
            Target::Sqlite(_) => "sqlite",
        };
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
        let there = std::fs::read_dir(std::path::Path::new(folder).join(of));
        assert_eq!(applied, there.unwrap().count(), "each once");
        submitted(&fixture.open().await, "a.jpg").await;
    }

    async fn a_thousand_submissions_at_once_are_all_kept(fixture: &Fixture) {
        let database = fixture.open().await;
        let tries = (0..1000).map(|number| {
            let database = database.clone();
            tokio::spawn(async move { submitted(&database, &number.to_string()).await.id })
        });
        let mut ids = HashSet::new();
        for submission in tries.collect::<Vec<_>>() {
            ids.insert(submission.await.unwrap());
        }
        assert_eq!(ids.len(), 1000);
        assert_eq!(database.counts().await.unwrap().by_status.of(JobStatus::Pending), 1000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_server_is_unavailable_within_seconds() {
    let port = crate::support::server_process::free_port();
    let target = Target::Postgres(format!("postgres://u:secret@127.0.0.1:{port}/x"));
    let database = Database::open(&target, 2).unwrap();
    let begun = std::time::Instant::now();
    let error = database.ping().await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(10));
}

/// A worker of a hundred jobs on a distant server would otherwise spend its lease on round trips.
#[tokio::test(flavor = "multi_thread")]
async fn all_leases_of_a_worker_are_renewed_by_one_statement() {
    let fixture = Fixture::postgres();
    let database = fixture.open().await;
    let worker = Uuid::now_v7();
    let mut claims = Vec::new();
    for number in 0..20 {
        let job = submitted(&database, &number.to_string()).await;
        claims.push(claimed(&database, job.id, worker, LEASE).await.unwrap());
    }
    let other = submitted(&database, "other").await;
    let other = claimed_now(&database, other.id).await;
    fixture.lines(
        "CREATE TABLE statements (at timestamptz NOT NULL);
         CREATE FUNCTION note_statement() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             INSERT INTO statements VALUES (now());
             RETURN NULL;
         END $$;
         CREATE TRIGGER note_statement AFTER UPDATE ON jobs
             FOR EACH STATEMENT EXECUTE FUNCTION note_statement()",
    );
    let asked = [&claims[..], &[other]].concat();
    let kept = database.renew(&asked, worker, LEASE).await.unwrap();
    let own: HashSet<JobId> = claims.iter().map(|claim| claim.id).collect();
    assert_eq!(kept, own);
    assert_eq!(fixture.lines("SELECT count(*) FROM statements"), ["1"]);
}

/// After a failover the old primary is a standby: its connections live, and can only read.
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_can_only_read_are_replaced() {
    let fixture = Fixture::postgres_itself();
    fixture.open().await;
    fixture.lines("ALTER DATABASE {} SET default_transaction_read_only = on");
    let database = Database::open(&fixture.target, 4).unwrap();
    // Several at once, so that several connections are made.
    let pings = (0..16).map(|_| {
        let database = database.clone();
        tokio::spawn(async move { database.ping().await.unwrap() })
    });
    for ping in pings.collect::<Vec<_>>() {
        ping.await.unwrap();
    }
    fixture.lines(
        "SET transaction_read_only = off; ALTER DATABASE {} RESET default_transaction_read_only",
    );
    let submit = async || {
        let url = url("a.jpg");
        database
            .submit(Request::new(
                &url,
                DuplicateHandling::AllowRetry,
                Schedule::default(),
                None,
            ))
            .await
    };
    let error = submit().await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    for _ in 0..8 {
        submit().await.unwrap();
    }
}
