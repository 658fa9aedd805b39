//! Events, held against both databases.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use thumbforge::db::{Database, EventsOf};
use thumbforge::domain::{BatchStatus, EventType, JobStatus, PublicEvent, Subject};

use crate::api::harness::on_both_databases;
use crate::database::{claimed_now, completed, retry_after, submitted};
use crate::database_batches::{batch_of, failed, finish, made, plain, refused, running};

/// All events of `of` after a number, once everything is numbered.
async fn events(database: &Database, of: EventsOf, after: u64) -> Vec<PublicEvent> {
    while database.number_events().await.unwrap() > 0 {}
    database.events_after(of, after, 1000).await.unwrap()
}

fn types(events: &[PublicEvent]) -> Vec<EventType> {
    events.iter().map(|event| event.event_type).collect()
}

fn sequences(events: &[PublicEvent]) -> Vec<u64> {
    events.iter().map(|event| event.sequence).collect()
}

on_both_databases! {
    async fn each_end_is_told_once_as_it_was(fixture: &Fixture) {
        let database = fixture.open().await;
        let job = submitted(&database, "a.jpg").await;
        finish(&database, job.id, &retry_after(Duration::ZERO)).await;
        finish(&database, job.id, &failed()).await;
        assert_eq!(database.retry(&[job.id]).await.unwrap(), [job.id]);
        assert_eq!(database.cancel(&[job.id]).await.unwrap(), [job.id]);
        assert_eq!(database.retry(&[job.id]).await.unwrap(), [job.id]);
        finish(&database, job.id, &completed()).await;
        let told = events(&database, EventsOf::Job(job.id), 0).await;
        assert_eq!(types(&told), [
            EventType::ImageFailed,
            EventType::ImageCancelled,
            EventType::ImageCompleted,
        ]);
        assert_eq!(sequences(&told), [1, 2, 3]);
        assert_eq!(told.iter().map(|event| event.id).collect::<HashSet<_>>().len(), 3);
        let shown: Vec<_> = told.iter().map(|event| match &event.subject {
            Subject::Job(job) => job,
            other => panic!("no job: {other:?}"),
        }).collect();
        assert_eq!((shown[0].status, shown[0].attempts), (JobStatus::Failed, 2));
        assert_eq!(shown[0].error_code.as_deref(), Some("source_client_error"));
        assert_eq!((shown[0].source_status, shown[0].result.is_none()), (Some(404), true));
        assert_eq!((shown[1].status, shown[1].attempts, &shown[1].error), (JobStatus::Cancelled, 0, &None));
        assert_eq!((shown[2].status, shown[2].result.is_some()), (JobStatus::Completed, true));
        assert_eq!(shown[2].finished_at(), Some(told[2].happened_at));
        assert_eq!(shown[2].updated_at, crate::database::found(&database, job.id).await.updated_at);
        assert_eq!(database.number_events().await.unwrap(), 0, "nothing is told twice");
    }

    async fn what_ends_nothing_is_not_told(fixture: &Fixture) {
        let database = fixture.open().await;
        let job = submitted(&database, "a.jpg").await;
        let stale = claimed_now(&database, job.id).await;
        assert_eq!(database.cancel(&[job.id]).await.unwrap(), [job.id]);
        assert!(!database.finish(&stale, &completed()).await.unwrap());
        assert_eq!(database.cancel(&[job.id]).await.unwrap(), []);
        let told = events(&database, EventsOf::Everything, 0).await;
        assert_eq!(types(&told), [EventType::ImageCancelled]);
        let other = submitted(&database, "b.jpg").await;
        assert_eq!(database.delete(&[other.id]).await.unwrap().len(), 1);
        assert_eq!(events(&database, EventsOf::Everything, 1).await, []);
    }

    async fn a_batch_is_told_after_its_last_job(fixture: &Fixture) {
        let database = fixture.open().await;
        let (batch, jobs) = running(&database, 3).await;
        finish(&database, jobs[0], &completed()).await;
        finish(&database, jobs[1], &failed()).await;
        assert_eq!(database.cancel(&[jobs[2]]).await.unwrap(), [jobs[2]]);
        let stranger = submitted(&database, "x.jpg").await;
        finish(&database, stranger.id, &completed()).await;
        let told = events(&database, EventsOf::Batch(batch), 0).await;
        assert_eq!(types(&told), [
            EventType::ImageCompleted,
            EventType::ImageFailed,
            EventType::ImageCancelled,
            EventType::BatchFinished,
        ]);
        match &told[3].subject {
            Subject::Batch(batch) => {
                assert_eq!(batch.status, BatchStatus::PartiallyFailed);
                assert_eq!(batch.finished_at, Some(told[3].happened_at));
            }
            other => panic!("no batch: {other:?}"),
        }
        // It runs again, and ends again.
        assert_eq!(database.retry(&[jobs[1]]).await.unwrap(), [jobs[1]]);
        finish(&database, jobs[1], &completed()).await;
        let again = events(&database, EventsOf::Batch(batch), told[3].sequence).await;
        assert_eq!(types(&again), [EventType::ImageCompleted, EventType::BatchFinished]);
    }

    async fn a_batch_without_jobs_is_told_too(fixture: &Fixture) {
        let database = fixture.open().await;
        let refused = made(&database, batch_of(vec![], vec![refused(0)])).await;
        let told = events(&database, EventsOf::Batch(refused.batch.id), 0).await;
        assert_eq!(types(&told), [EventType::BatchFinished]);
        let ending = made(&database, batch_of(vec![plain("a.jpg")], vec![])).await;
        assert_eq!(database.delete(&ending.created).await.unwrap().len(), 1);
        let told = events(&database, EventsOf::Batch(ending.batch.id), 0).await;
        assert_eq!(types(&told), [EventType::BatchFinished], "its last job was deleted");
    }

    async fn a_deleted_job_is_told_without_what_it_was(fixture: &Fixture) {
        let database = fixture.open().await;
        let job = submitted(&database, "a.jpg").await;
        finish(&database, job.id, &failed()).await;
        assert_eq!(database.delete(&[job.id]).await.unwrap().len(), 1);
        let told = events(&database, EventsOf::Job(job.id), 0).await;
        assert_eq!(told[0].subject, Subject::DeletedJob {
            id: job.id,
            status: JobStatus::Failed,
            error_code: Some("source_client_error".to_owned()),
            batch_id: None,
        });
    }

    async fn numbers_have_no_gap_however_many_number_at_once(fixture: &Fixture) {
        let database = Arc::new(fixture.open().await);
        let ending = (0..40).map(|n| {
            let database = Arc::clone(&database);
            tokio::spawn(async move {
                let job = submitted(&database, &format!("{n}.jpg")).await;
                finish(&database, job.id, &completed()).await;
                database.number_events().await.unwrap();
            })
        });
        // A reader that follows sees every event, in its order.
        let mut seen = Vec::new();
        let ending: Vec<_> = ending.collect();
        while seen.len() < 40 {
            database.number_events().await.unwrap();
            let after = seen.last().copied().unwrap_or(0);
            seen.extend(sequences(&database.events_after(EventsOf::Everything, after, 7).await.unwrap()));
        }
        assert_eq!(seen, (1..=40).collect::<Vec<u64>>());
        for task in ending {
            task.await.unwrap();
        }
    }

    async fn old_events_go_and_numbers_go_on(fixture: &Fixture) {
        let database = fixture.open().await;
        for n in 0..5 {
            let job = submitted(&database, &format!("{n}.jpg")).await;
            finish(&database, job.id, &completed()).await;
        }
        assert_eq!(events(&database, EventsOf::Everything, 0).await.len(), 5);
        let hour = Duration::from_secs(3600);
        assert_eq!(database.delete_old_events(hour, 100).await.unwrap(), 0);
        // SQLite's moments are milliseconds: they are not past at once.
        while database.fold_flow().await.unwrap() > 0 {}
        while database.delete_old_events(Duration::ZERO, 3).await.unwrap() == 0 {}
        let range = database.event_range().await.unwrap();
        assert_eq!((range.deleted, range.newest), (3, 5));
        assert!(!range.can_follow(2) && range.can_follow(3) && range.can_follow(5));
        assert!(!range.can_follow(6), "it has seen events of another database");
        assert_eq!(database.delete_old_events(Duration::ZERO, 100).await.unwrap(), 2);
        let range = database.event_range().await.unwrap();
        assert_eq!((range.deleted, range.newest), (5, 5));
        let job = submitted(&database, "new.jpg").await;
        finish(&database, job.id, &completed()).await;
        assert_eq!(sequences(&events(&database, EventsOf::Everything, 5).await), [6]);
    }
}
