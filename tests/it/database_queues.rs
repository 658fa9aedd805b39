//! What the database says of queues; held against both databases.

use thumbforge::db::{QueueNames, QueueUse};
use thumbforge::domain::JobId;

use crate::api::harness::on_both_databases;
use crate::database::submitted;

on_both_databases! {
    async fn queues_of_one_database_are_compared(fixture: &Fixture) {
        let database = fixture.open().await;
        let say = async |uses: &[QueueUse], name: &str, since: i64| {
            database.say_queue(uses, name, since).await.unwrap()
        };
        let (names, began) = say(&[QueueUse::Pushes], "old", i64::MAX).await;
        assert_eq!(names, QueueNames::default());
        say(&[QueueUse::Pops], "new", i64::MAX).await;
        let (names, _) = say(&[QueueUse::Pushes], "old", began - 1).await;
        assert_eq!(names.pushed, ["old"]);
        assert_eq!(names.popped, ["new"]);
        let (names, now) = say(&[QueueUse::Pushes, QueueUse::Pops], "both", began - 1).await;
        assert_eq!(names.popped, ["new"]);
        // What was said before is not counted.
        let (names, _) = say(&[QueueUse::Pushes], "old", now).await;
        assert_eq!(names, QueueNames::default());
    }

    async fn ids_of_no_job_are_told_apart(fixture: &Fixture) {
        let database = fixture.open().await;
        let known = submitted(&database, "a.jpg").await.id;
        let strange = [JobId::generate(), JobId::generate()];
        let asked = [strange[0], known, strange[1]];
        assert_eq!(database.unknown_ids(&asked).await.unwrap(), strange);
        assert_eq!(database.unknown_ids(&[]).await.unwrap(), []);
    }
}
