//! Many jobs at once, and the fate of some of them.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;

use crate::stage::Stage;

/// Connections that submit side by side.
const CONNECTIONS: usize = 16;
/// Ids pushed with one command.
const PUSHED_AT_ONCE: usize = 1000;

/// Submits URLs that must all be accepted, over connections that are kept.
pub async fn accept_all(api: SocketAddr, urls: impl IntoIterator<Item = String>) -> Vec<String> {
    let client = crate::support::client::new();
    let submit = |url: String| {
        let json = serde_json::json!({ "url": url });
        let request = client.post(format!("http://{api}/v1/images")).json(&json);
        async {
            let answer = request.send().await.expect("the API answers");
            assert_eq!(answer.status(), 202);
            let job: serde_json::Value = answer.json().await.expect("a job");
            job["id"].as_str().expect("an id").to_owned()
        }
    };
    futures_util::stream::iter(urls.into_iter().map(submit))
        .buffer_unordered(CONNECTIONS)
        .collect()
        .await
}

/// Makes `count` more jobs like a pending one, each with a URL of its own, without the API; their
/// ids are in the queue as after submissions.
pub fn multiply(stage: &Stage, id: &str, count: usize) {
    let ids = stage.lines(&format!(
        "INSERT INTO jobs SELECT (jsonb_populate_record(job, jsonb_build_object( \
             'id', gen_random_uuid(), 'url', job.url || '&copy=' || n))).* \
         FROM jobs AS job, generate_series(1, {count}) AS n WHERE job.id = '{id}' \
         RETURNING id AS line"
    ));
    assert_eq!(ids.len(), count);
    let mut connection = stage.redis().connection();
    for some in ids.chunks(PUSHED_AT_ONCE) {
        redis::cmd("LPUSH")
            .arg(&stage.key)
            .arg(some)
            .exec(&mut connection)
            .expect("Redis answers");
    }
}

/// Takes jobs out of the audit that can't end within its time. `jobs` is a condition.
pub fn forget(stage: &Stage, jobs: &str) {
    stage.lines(&format!(
        "WITH gone AS (DELETE FROM jobs WHERE {jobs} RETURNING id) \
         DELETE FROM job_history USING gone WHERE job_history.id = gone.id"
    ));
}

/// How long jobs took from their submission to their end.
pub struct Took {
    pub id: String,
    pub attempts: usize,
    pub time: Duration,
}

/// Of each job that has completed. `jobs` is a condition.
pub fn took(stage: &Stage, jobs: &str) -> Vec<Took> {
    stage.analyze();
    let lines = stage.lines(&format!(
        "SELECT ended.id || '|' || ended.attempts || '|' || (ended.at - born.at) AS line \
         FROM job_history AS ended JOIN job_history AS born ON born.id = ended.id \
             AND born.fence = 0 AND born.status = 'pending' \
         WHERE ended.status = 'completed' AND ended.id IN (SELECT id FROM jobs WHERE {jobs})"
    ));
    let split = |line: String| {
        let mut fields = line.split('|');
        let mut next = || fields.next().expect("three fields").to_owned();
        Took {
            id: next(),
            attempts: next().parse().expect("a number"),
            time: Duration::from_secs_f64(next().parse::<f64>().expect("a number").max(0.0)),
        }
    };
    lines.into_iter().map(split).collect()
}

/// The longest time; no job may have taken longer than `limit`.
pub fn longest(took: &[Took], limit: Duration) -> Duration {
    let mut late = took.iter().filter(|job| job.time > limit);
    if let Some(Took { id, attempts, time }) = late.next() {
        panic!(
            "{id} took {time:?} with {attempts} attempts; so did {} of {}: {limit:?} are allowed",
            late.count() + 1,
            took.len()
        );
    }
    took.iter().map(|job| job.time).max().unwrap_or_default()
}
