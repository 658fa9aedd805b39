//! Changes of many jobs, in slices, held against both databases.

use std::time::Duration;

use thumbforge::db::{Database, Submission};
use thumbforge::domain::action::{Action, ActionCounts, ActionKind, ActionStatus, ActionTarget};
use thumbforge::domain::{
    DuplicateHandling, FailureCode, JobFilter, JobId, JobStatus, Labels, Outcome, Request, Schedule,
};
use uuid::Uuid;

use crate::api::harness::on_both_databases;
use crate::database::{claimed_now, completed, found, submitted, url};

async fn tagged(database: &Database, count: usize) -> Vec<JobId> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let policy = DuplicateHandling::AllowRetry;
        let mut request = Request::new(&url("a.jpg"), policy, Schedule::default(), None);
        request.labels = Labels {
            tags: vec!["mistake".to_owned()],
            ..Labels::default()
        };
        match database.submit(request).await.unwrap() {
            Submission::Created(job) => ids.push(job.id),
            other => panic!("not created: {other:?}"),
        }
    }
    ids
}

fn failed() -> Outcome {
    Outcome::Failed {
        code: FailureCode::CorruptImage,
        message: "broken".to_owned(),
        source_status: Some(200),
        variant: None,
    }
}

fn mistakes() -> ActionTarget {
    ActionTarget::Filter(JobFilter {
        tag: Some("mistake".to_owned()),
        ..JobFilter::default()
    })
}

async fn begun(database: &Database, kind: ActionKind, target: ActionTarget) -> Action {
    let (target, matched) = database.freeze(target).await.unwrap();
    database
        .begin_action(kind, &target, matched, None)
        .await
        .unwrap()
}

/// Does what a process does for its actions, until there is nothing to do.
async fn act(database: &Database) {
    let runner = Uuid::now_v7();
    loop {
        let taken = database.take_actions(runner).await.unwrap();
        if taken.is_empty() {
            return;
        }
        for id in taken {
            database.act_on_slice(id, runner).await.unwrap();
        }
    }
}

async fn ended(database: &Database, action: &Action) -> (ActionStatus, ActionCounts) {
    let action = database.find_action(action.id).await.unwrap().unwrap();
    assert_eq!(
        action.finished_at.is_some(),
        action.status != ActionStatus::Running
    );
    (action.status, action.counts)
}

fn counts(matched: u64, done: u64, skipped: u64) -> ActionCounts {
    ActionCounts {
        matched,
        done,
        skipped,
        failed: 0,
    }
}

on_both_databases! {
    async fn jobs_of_a_filter_are_cancelled_and_no_others(fixture: &Fixture) {
        let database = fixture.open().await;
        let ids = tagged(&database, 1200).await;
        let other = submitted(&database, "b.jpg").await;
        let claim = claimed_now(&database, ids[0]).await;
        assert!(database.finish(&claim, &completed()).await.unwrap());
        let action = begun(&database, ActionKind::Cancel, mistakes()).await;
        assert_eq!((action.status, action.counts), (ActionStatus::Running, counts(1200, 0, 0)));
        let later = tagged(&database, 1).await;
        act(&database).await;
        assert_eq!(ended(&database, &action).await, (ActionStatus::Done, counts(1200, 1199, 1)));
        let cancelled = database.count_created(None, None).await.unwrap();
        assert_eq!(cancelled.of(JobStatus::Cancelled), 1199);
        for id in [other.id, later[0]] {
            assert_eq!(found(&database, id).await.status, JobStatus::Pending);
        }
    }

    async fn a_slice_after_a_crash_goes_on_where_the_last_one_ended(fixture: &Fixture) {
        let database = fixture.open().await;
        tagged(&database, 1100).await;
        let action = begun(&database, ActionKind::Cancel, mistakes()).await;
        let dead = Uuid::now_v7();
        assert_eq!(database.take_actions(dead).await.unwrap(), [action.id]);
        assert!(database.act_on_slice(action.id, dead).await.unwrap().is_some());
        assert_eq!(ended(&database, &action).await, (ActionStatus::Running, counts(1100, 500, 0)));
        // It says nothing any more; but until its lease is over nobody goes on.
        let heir = Uuid::now_v7();
        assert_eq!(database.take_actions(heir).await.unwrap(), [] as [Uuid; 0]);
        assert!(database.act_on_slice(action.id, heir).await.unwrap().is_some());
        assert_eq!(ended(&database, &action).await.1.done, 500, "it is another's");
        let over = match fixture.target {
            thumbforge::db::Target::Postgres(_) => "now() - interval '1 second'",
            thumbforge::db::Target::Sqlite(_) => "1",
        };
        fixture.lines(&format!("UPDATE actions SET lease_until = {over}"));
        act(&database).await;
        assert_eq!(ended(&database, &action).await, (ActionStatus::Done, counts(1100, 1100, 0)));
    }

    async fn an_aborted_action_does_no_more(fixture: &Fixture) {
        let database = fixture.open().await;
        tagged(&database, 600).await;
        let action = begun(&database, ActionKind::Delete, mistakes()).await;
        let runner = Uuid::now_v7();
        database.take_actions(runner).await.unwrap();
        database.act_on_slice(action.id, runner).await.unwrap();
        database.abort_action(action.id).await.unwrap();
        assert_eq!(database.act_on_slice(action.id, runner).await.unwrap(), None);
        act(&database).await;
        assert_eq!(ended(&database, &action).await, (ActionStatus::Aborted, counts(600, 500, 0)));
        assert_eq!(database.count_created(None, None).await.unwrap().total(), 100);
    }

    async fn a_retry_of_many_respects_reject_active(fixture: &Fixture) {
        let database = fixture.open().await;
        // Pairs of one URL: each first failed when the second came.
        let mut ids = Vec::new();
        for number in 0..6 {
            let policy = DuplicateHandling::RejectActive;
            let path = format!("{}.jpg", number / 2);
            let request = Request::new(&url(&path), policy, Schedule::default(), None);
            let Submission::Created(job) = database.submit(request).await.unwrap() else {
                panic!("not created");
            };
            let claim = claimed_now(&database, job.id).await;
            assert!(database.finish(&claim, &failed()).await.unwrap());
            ids.push(job.id);
        }
        let plain = submitted(&database, "x.jpg").await;
        let claim = claimed_now(&database, plain.id).await;
        assert!(database.finish(&claim, &failed()).await.unwrap());
        let filter = JobFilter {
            status: Some(JobStatus::Failed),
            error_code: Some("corrupt_image".to_owned()),
            ..JobFilter::default()
        };
        let action = begun(&database, ActionKind::Retry, ActionTarget::Filter(filter)).await;
        act(&database).await;
        assert_eq!(ended(&database, &action).await, (ActionStatus::Done, counts(7, 4, 3)));
    }

    async fn ids_that_are_gone_are_not_matched(fixture: &Fixture) {
        let database = fixture.open().await;
        let ids = tagged(&database, 3).await;
        let mut named = ids.clone();
        named.push(JobId::generate());
        let action = begun(&database, ActionKind::Delete, ActionTarget::Ids(named)).await;
        assert_eq!(action.counts.matched, 3);
        act(&database).await;
        assert_eq!(ended(&database, &action).await, (ActionStatus::Done, counts(4, 3, 1)));
        for id in ids {
            assert_eq!(database.find(id).await.unwrap(), None);
        }
        assert_eq!(database.find_action(Uuid::now_v7()).await.unwrap(), None);
    }

    async fn a_job_that_left_the_filter_is_not_changed(fixture: &Fixture) {
        let database = fixture.open().await;
        let ids = tagged(&database, 2).await;
        for id in &ids {
            let claim = claimed_now(&database, *id).await;
            assert!(database.finish(&claim, &failed()).await.unwrap());
        }
        let filter = JobFilter { status: Some(JobStatus::Failed), ..JobFilter::default() };
        let action = begun(&database, ActionKind::Delete, ActionTarget::Filter(filter)).await;
        // Between the count and the slice a client has one of them tried again.
        database.retry(&ids[..1]).await.unwrap();
        act(&database).await;
        assert_eq!(ended(&database, &action).await, (ActionStatus::Done, counts(2, 1, 1)));
        assert_eq!(found(&database, ids[0]).await.status, JobStatus::Pending);
    }

    async fn several_processes_act_at_once_and_each_job_counts_once(fixture: &Fixture) {
        let database = fixture.open().await;
        tagged(&database, 900).await;
        let action = begun(&database, ActionKind::Cancel, mistakes()).await;
        let others = (0..4).map(|_| {
            let target = fixture.target.clone();
            tokio::spawn(async move { act(&Database::open(&target, 2).unwrap()).await })
        });
        for other in others.collect::<Vec<_>>() {
            tokio::time::timeout(Duration::from_secs(60), other).await.unwrap().unwrap();
        }
        assert_eq!(ended(&database, &action).await, (ActionStatus::Done, counts(900, 900, 0)));
    }
}
