//! A client that cancels, retries and deletes its jobs at random, and notes what each may be.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::RngExt;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::load::Urls;
use crate::support::http_client::{self, Answer};

/// It gives up on an answer after this.
const PATIENCE: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(250);
/// Jobs of a batch.
const BATCH: usize = 5;
/// The numbers of its URLs begin here: no other job has them.
const FIRST: usize = 1_000_000;

/// What was asked of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Cancel,
    Retry,
    Delete,
}

/// What is known of a job from the answers alone.
#[derive(Debug, Clone, Default)]
pub struct Deeds {
    /// The last change that was confirmed.
    confirmed: Option<Deed>,
    /// Whether it was ever asked for, with or without an answer.
    cancelled: bool,
    deleted: bool,
    /// A retry whose answer was lost may take effect late.
    maybe_retried: bool,
}

impl Deeds {
    /// Panics if a job in this state, or without a row, contradicts what its client was told.
    pub fn check(&self, id: &str, status: Option<&str>) {
        match status {
            None => assert!(self.deleted, "{id}: gone, and nobody deleted it: {self:?}"),
            Some(status) => {
                assert_ne!(
                    self.confirmed,
                    Some(Deed::Delete),
                    "{id}: deleted, and there"
                );
                if status == "cancelled" {
                    assert!(self.cancelled, "{id}: cancelled by nobody: {self:?}");
                }
                let stays = self.confirmed == Some(Deed::Cancel) && !self.maybe_retried;
                assert!(
                    !stays || status == "cancelled",
                    "{id}: {status}, after a cancel"
                );
            }
        }
    }

    fn note(&mut self, deed: Deed, done: Option<bool>) {
        let may_be_done = done != Some(false);
        match deed {
            Deed::Cancel => self.cancelled |= may_be_done,
            Deed::Delete => self.deleted |= may_be_done,
            Deed::Retry => self.maybe_retried |= done.is_none(),
        }
        if done == Some(true) {
            self.confirmed = Some(deed);
        }
    }
}

/// All that it did.
#[derive(Debug, Default)]
pub struct Meddling {
    pub jobs: BTreeMap<String, Deeds>,
    /// The batches that were accepted.
    pub batches: Vec<String>,
    /// Batches whose answers were lost.
    pub lost: usize,
    /// Answers that no client should ever see.
    pub improper: Vec<String>,
}

pub async fn meddle(
    apis: Vec<SocketAddr>,
    urls: Arc<Urls>,
    stop: CancellationToken,
    record: Arc<Mutex<Meddling>>,
) {
    for number in 0.. {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
        let api = apis[number % apis.len()];
        let known: Vec<String> = {
            let record = record.lock().expect("not poisoned");
            record.jobs.keys().cloned().collect()
        };
        let dice = rand::rng().random_range(0..8);
        if number % 8 == 4 {
            let urls = (0..BATCH).map(|item| urls(FIRST + number * BATCH + item));
            submit_batch(api, urls.collect(), number, &record).await;
        } else if dice < 3 || known.is_empty() {
            submit(api, urls(FIRST + number * BATCH), &record).await;
        } else {
            let deed = match dice {
                3..=4 => Deed::Cancel,
                5..=6 => Deed::Retry,
                _ => Deed::Delete,
            };
            // Of late: those are still active.
            let lately = known.len().saturating_sub(6);
            let id = &known[rand::rng().random_range(lately..known.len())];
            change(api, deed, id, &record).await;
        }
    }
}

async fn submit(api: SocketAddr, url: String, record: &Mutex<Meddling>) {
    let body = json!({ "url": url, "tags": ["meddled"] });
    let answer = http_client::try_post(api, "/v1/images", &body.to_string(), PATIENCE).await;
    let mut record = record.lock().expect("not poisoned");
    match answer {
        Ok(answer) if answer.status == 202 => {
            let id = answer.json()["id"].as_str().expect("an id").to_owned();
            record.jobs.insert(id, Deeds::default());
        }
        Ok(answer) if answer.status != 503 => record.improper.push(format!("{answer:?}")),
        Ok(_) | Err(_) => {}
    }
}

/// A batch whose answer is lost is submitted again with its key: it is there once.
async fn submit_batch(api: SocketAddr, urls: Vec<String>, number: usize, record: &Mutex<Meddling>) {
    let items: Vec<Value> = urls.iter().map(|url| json!({ "url": url })).collect();
    let body = json!({ "items": items, "defaults": { "tags": ["meddled"] } }).to_string();
    let key = format!("batch-{number}");
    for _ in 0..3 {
        let keyed = [("Idempotency-Key", key.as_str())];
        let answer =
            http_client::try_request_with(api, "POST", "/v1/batches", &keyed, &body, PATIENCE);
        match answer.await {
            Ok(answer) if answer.status == 202 => {
                let id = answer.json()["id"].as_str().expect("an id").to_owned();
                let jobs = answer.json()["counts"]["total"].clone();
                let mut record = record.lock().expect("not poisoned");
                if jobs != BATCH {
                    record.improper.push(format!("{answer:?}"));
                }
                record.batches.push(id);
                return;
            }
            Ok(answer) if !matches!(answer.status, 409 | 503) => {
                let mut record = record.lock().expect("not poisoned");
                record.improper.push(format!("{answer:?}"));
                return;
            }
            // Under way still, or nobody knows.
            Ok(_) | Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
    record.lock().expect("not poisoned").lost += 1;
}

async fn change(api: SocketAddr, deed: Deed, id: &str, record: &Mutex<Meddling>) {
    let (method, target) = match deed {
        Deed::Cancel => ("POST", format!("/v1/images/{id}/cancel")),
        Deed::Retry => ("POST", format!("/v1/images/{id}/retry")),
        Deed::Delete => ("DELETE", format!("/v1/images/{id}")),
    };
    let answer = http_client::try_request(api, method, &target, "", PATIENCE).await;
    let mut record = record.lock().expect("not poisoned");
    let done = match &answer {
        Ok(answer) => match answer.status {
            200 | 204 => Some(true),
            404 | 409 => Some(false),
            503 => None,
            _ => {
                record.improper.push(format!("{deed:?}: {answer:?}"));
                None
            }
        },
        Err(_) => None,
    };
    let deeds = record.jobs.get_mut(id).expect("its own job");
    if let Ok(answer) = &answer
        && let Some(fault) = contradiction(deeds, answer)
    {
        let fault = format!("{id}: {fault} {deeds:?}: {answer:?}");
        record.improper.push(fault);
        return;
    }
    deeds.note(deed, done);
}

/// A job that nobody deleted is found.
fn contradiction(deeds: &Deeds, answer: &Answer) -> Option<&'static str> {
    match answer.status {
        404 if !deeds.deleted => Some("not found, and nobody deleted it"),
        200 if deeds.confirmed == Some(Deed::Delete) => Some("found after it was deleted"),
        200 if answer.json()["id"] == Value::Null => Some("no job"),
        _ => None,
    }
}
