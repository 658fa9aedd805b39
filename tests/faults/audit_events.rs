//! What was told: each end of a job or batch, and nothing that did not happen.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::stage::Stage;
use crate::support::deadline::eventually_blocking;

/// A process that died had deliveries for so long at most.
const DELIVERY_LEASE: Duration = Duration::from_secs(30);
/// Beyond that, or beyond the first wait between tries.
const DELIVERING: Duration = Duration::from_secs(15);

/// Every end that the history has was told once in the database, with an id and a number of its
/// own; and each event was delivered, always with one body.
pub fn check_events(stage: &Stage) {
    if !stage.is_told {
        return;
    }
    eventually_blocking("every event has its number", DELIVERING, || {
        unnumbered(stage) == 0
    });
    let happened = counted(
        stage,
        "SELECT id || ' image.' || status || ' ' || count(*) AS line FROM job_history \
         WHERE status IN ('completed', 'failed', 'cancelled') GROUP BY id, status",
    );
    let told = counted(
        stage,
        "SELECT job_id || ' ' || type || ' ' || count(*) AS line FROM events \
         WHERE job_id IN (SELECT id FROM job_history) GROUP BY job_id, type",
    );
    for (what, times) in &happened {
        assert_eq!(told.get(what), Some(times), "{what}: times in the history");
    }
    for (what, times) in &told {
        assert_eq!(happened.get(what), Some(times), "{what}: times told");
    }
    let faults = stage.count(
        "SELECT count(*) - count(DISTINCT id) + max(sequence) - count(*) \
         FROM (SELECT id, sequence FROM events UNION ALL SELECT NULL, 0) AS all_events",
    );
    // The row that is added for the case that there are none.
    assert_eq!(faults, 0, "events without an id or a number of their own");
    let unfinished = stage.lines(
        "SELECT id || '' AS line FROM batches WHERE finished_at IS NOT NULL \
         AND id NOT IN (SELECT batch_id FROM events WHERE type = 'batch.finished')",
    );
    assert!(
        unfinished.is_empty(),
        "batches that ended untold: {unfinished:?}"
    );
    check_deliveries(stage);
}

/// Only Postgres numbers them later.
fn unnumbered(stage: &Stage) -> usize {
    match stage.postgres {
        Some(_) => stage.count("SELECT count(*) FROM event_outbox"),
        None => 0,
    }
}

fn counted(stage: &Stage, sql: &str) -> HashMap<String, usize> {
    let split = |line: String| {
        let (what, times) = line.rsplit_once(' ').expect("a count");
        (what.to_owned(), times.parse().expect("a number"))
    };
    stage.lines(sql).into_iter().map(split).collect()
}

fn check_deliveries(stage: &Stage) {
    let events: HashSet<String> = stage
        .lines("SELECT lower(replace(CAST(id AS text), '-', '')) AS line FROM events")
        .into_iter()
        .collect();
    let received = || -> HashMap<String, String> {
        let mut bodies = HashMap::new();
        for posted in stage.receiver.posted() {
            let id = posted.id().replace('-', "");
            let known = bodies.entry(id).or_insert_with(|| posted.body.clone());
            assert_eq!(*known, posted.body, "one id with two bodies");
        }
        bodies
    };
    eventually_blocking(
        "every event is delivered",
        DELIVERY_LEASE + DELIVERING,
        || received().len() >= events.len(),
    );
    let received: HashSet<String> = received().into_keys().collect();
    let invented: Vec<&String> = received.difference(&events).collect();
    let lost: Vec<&String> = events.difference(&received).collect();
    assert!(
        invented.is_empty() && lost.is_empty(),
        "invented {invented:?}, lost {lost:?}"
    );
}
