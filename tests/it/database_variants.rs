//! The promises about jobs that ask for variants, held against both databases.

use std::time::Duration;

use serde_json::json;
use thumbforge::db::{ClaimSource, Database, Submission};
use thumbforge::domain::origin_record::Caps;
use thumbforge::domain::{
    Claim, DuplicateHandling, FailureCode, Job, JobStatus, Outcome, Priority, Request, Schedule,
    SourceUrl, Variants,
};
use uuid::Uuid;

use crate::api::harness::on_both_databases;

const LEASE: Duration = Duration::from_secs(30);

fn url() -> SourceUrl {
    SourceUrl::parse("https://images.example.com/a.jpg").unwrap()
}

fn variants(width: u32) -> Variants {
    Variants::read(&json!([{"name": "card", "width": width}])).unwrap()
}

async fn submitted(database: &Database, variants: Option<&Variants>) -> Job {
    let policy = DuplicateHandling::AllowRetry;
    let schedule = Schedule::default();
    match database
        .submit(Request::new(&url(), policy, schedule, variants))
        .await
    {
        Ok(Submission::Created(job)) => job,
        other => panic!("not created: {other:?}"),
    }
}

async fn claim(database: &Database, source: ClaimSource) -> Vec<Claim> {
    let claimed = database.claim(source, Uuid::now_v7(), LEASE).await;
    claimed.unwrap().claims
}

fn of_origin() -> ClaimSource {
    ClaimSource::Origins(vec![(url().origin(), 10)])
}

on_both_databases! {
    async fn a_job_of_a_later_version_is_left_alone(fixture: &Fixture) {
        let database = fixture.open().await;
        let job = submitted(&database, Some(&variants(320))).await;
        let plain = submitted(&database, None).await;
        let version = |version: u32| {
            let set = format!("UPDATE jobs SET spec_version = {version} WHERE variants IS NOT NULL");
            fixture.lines(&set);
        };
        version(3);
        let bells = || ClaimSource::Bells { ids: vec![job.id, plain.id], room: 10, rooms: vec![] };
        let claimed = claim(&database, bells()).await;
        assert_eq!(claimed.iter().map(|claim| claim.id).collect::<Vec<_>>(), [plain.id]);
        assert_eq!(claimed[0].variants, None);
        assert_eq!(claim(&database, bells()).await, []);
        assert_eq!(claim(&database, of_origin()).await, []);
        let origin = url().origin();
        let limited = database.claim_limited(&origin, 10, Caps::default(), Uuid::now_v7(), LEASE);
        assert_eq!(limited.await.unwrap().claims, []);
        assert_eq!(database.ready_origins(None, 10).await.unwrap(), []);
        assert_eq!(database.origins_of(&[job.id]).await.unwrap(), []);
        assert_eq!(database.find(job.id).await.unwrap().unwrap().status, JobStatus::Pending);
        version(2);
        assert_eq!(database.ready_origins(None, 10).await.unwrap().len(), 1);
        assert_eq!(database.origins_of(&[job.id]).await.unwrap().len(), 1);
        let claimed = claim(&database, of_origin()).await;
        assert_eq!(claimed.len(), 1);
        let expected = variants(320).to_json();
        assert_eq!(claimed[0].variants.as_deref(), Some(expected.as_str()));
    }

    async fn of_a_crowd_each_job_keeps_what_it_asked_for(fixture: &Fixture) {
        let database = fixture.open().await;
        // In the groups that are inserted together, some ask for neither, some for both.
        let tries = (0..200_u32).map(|n| {
            let database = database.clone();
            tokio::spawn(async move {
                let asked = (n % 3 == 0).then(|| variants(n + 1));
                let later = "2099-01-01T00:00:00Z".parse().unwrap();
                let schedule = Schedule {
                    priority: Priority::new(u8::try_from(n % 4).unwrap() + 4).unwrap(),
                    not_before: (n % 5 == 0).then_some(later),
                };
                let policy = DuplicateHandling::AllowRetry;
                let submission = database.submit(Request::new(&url(), policy, schedule, asked.as_ref())).await;
                let Ok(Submission::Created(job)) = submission else {
                    panic!("not created: {submission:?}");
                };
                (job, schedule, asked)
            })
        });
        for submission in tries.collect::<Vec<_>>() {
            let (job, schedule, asked) = submission.await.unwrap();
            assert_eq!(database.find(job.id).await.unwrap(), Some(job.clone()));
            assert_eq!((job.priority, job.not_before), (schedule.priority, schedule.not_before));
            let row = fixture.lines(&format!(
                "SELECT coalesce(variants, '') || '|' || spec_hash || '|' || spec_version || '|' \
                 || CASE WHEN waiting THEN 'waits' ELSE 'ready' END AS line \
                 FROM jobs WHERE id = '{}'", job.id
            ));
            let spec = match &asked {
                None => "||1".to_owned(),
                Some(asked) => format!("{}|{}|2", asked.to_json(), asked.hash()),
            };
            let state = schedule.not_before.map_or("ready", |_| "waits");
            assert_eq!(row, [format!("{spec}|{state}")]);
        }
    }

    async fn the_variant_at_fault_is_kept_until_another_end(fixture: &Fixture) {
        let database = fixture.open().await;
        let job = submitted(&database, Some(&variants(320))).await;
        let end = async |outcome: Outcome| {
            let claimed = claim(&database, of_origin()).await;
            assert!(database.finish(&claimed[0], &outcome).await.unwrap());
            database.find(job.id).await.unwrap().unwrap().error_variant
        };
        let retry = |variant: Option<&str>| Outcome::Retry {
            code: FailureCode::Internal,
            message: "a panic".to_owned(),
            source_status: Some(200),
            variant: variant.map(str::to_owned),
            delay: Duration::ZERO,
        };
        assert_eq!(end(retry(Some("card"))).await.as_deref(), Some("card"));
        assert_eq!(end(retry(None)).await, None);
        assert_eq!(end(retry(Some("card"))).await.as_deref(), Some("card"));
        let failed = Outcome::Failed {
            code: FailureCode::VariantTooLarge,
            message: "no quality makes it so small".to_owned(),
            source_status: Some(200),
            variant: Some("card".to_owned()),
        };
        assert_eq!(end(failed).await.as_deref(), Some("card"));
    }

    async fn a_lost_worker_is_no_fault_of_a_variant(fixture: &Fixture) {
        let database = fixture.open().await;
        let job = submitted(&database, Some(&variants(320))).await;
        let claimed = claim(&database, of_origin()).await;
        let retry = Outcome::Retry {
            code: FailureCode::Internal,
            message: "a panic".to_owned(),
            source_status: None,
            variant: Some("card".to_owned()),
            delay: Duration::ZERO,
        };
        assert!(database.finish(&claimed[0], &retry).await.unwrap());
        database.claim(of_origin(), Uuid::now_v7(), Duration::ZERO).await.unwrap();
        crate::support::deadline::eventually("the lease expires", Duration::from_secs(5), async || {
            database.take_over_expired(1, |_| Duration::ZERO).await.unwrap().1 == [(job.id, FailureCode::Poison)]
        }).await;
        let job = database.find(job.id).await.unwrap().unwrap();
        assert_eq!((job.status, job.error_variant), (JobStatus::Failed, None));
        assert_eq!(database.completed_under(job.id, 2).await.unwrap(), None);
    }
}
