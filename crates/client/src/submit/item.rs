//! The way of one line.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::{Method, header};
use serde_json::Value;
use tokio::time::Instant;

use super::arguments::Plan;
use super::body::{self, Body};
use super::files;
use super::lines::Line;
use crate::patience::{Patience, retried};
use crate::server::{Server, in_path};
use crate::trouble::Trouble;

/// Seconds that the service is asked to hold an answer back.
const LONG_POLL: u64 = 25;
/// Between two looks, if the service answers at once because too many wait.
const SHORT_POLL: Duration = Duration::from_secs(1);

/// What all lines have in common.
pub struct Work {
    pub server: Server,
    pub plan: Plan,
    /// Whether there is a service at all.
    pub has_answered: AtomicBool,
}

/// A line that is through.
pub struct Done {
    pub number: u64,
    pub position: u64,
    /// As the line has it.
    pub url: String,
    pub ended: Ended,
}

pub enum Ended {
    /// The job as it was seen last, the files that are there now, and why some are not.
    Job {
        job: Value,
        files: Vec<PathBuf>,
        trouble: Option<Trouble>,
    },
    /// There is no job, or it is gone.
    Refused(Trouble),
    /// Neither will other lines have one.
    Hopeless(Trouble),
}

impl Work {
    pub async fn take(self: Arc<Self>, line: Line) -> Done {
        let shown = line.text.clone().unwrap_or_default();
        let body = line
            .text
            .map_err(str::to_owned)
            .and_then(|text| body::of_line(&text, &self.plan.members));
        let (url, ended) = match body {
            Ok(body) => (body.url.clone(), self.run(&body).await),
            Err(reason) => {
                let refused = Ended::Refused(Trouble::Other(anyhow::anyhow!("{reason}")));
                (shown, refused)
            }
        };
        Done {
            number: line.number,
            position: line.position,
            url,
            ended,
        }
    }

    async fn run(&self, body: &Body) -> Ended {
        let mut job = match self.submitted(body).await {
            Ok(job) => job,
            Err(trouble) => return ended_by(trouble),
        };
        if self.plan.waits {
            job = match self.waited_for(job).await {
                Ok(job) => job,
                Err(trouble) => return ended_by(trouble),
            };
        }
        let (mut files, mut trouble) = (Vec::new(), None);
        if let Some(folder) = &self.plan.output
            && job["status"] == "completed"
        {
            match files::save_all(self, folder, body, &job, &mut files).await {
                Ok(()) => {}
                Err(of_all) if is_of_all_lines(&of_all) => return Ended::Hopeless(of_all),
                // E.g. a file that may not be overwritten.
                Err(of_line) => trouble = Some(of_line),
            }
        }
        Ended::Job {
            job,
            files,
            trouble,
        }
    }

    async fn submitted(&self, body: &Body) -> Result<Value, Trouble> {
        let key = body::key(&self.plan.run, body);
        self.patiently(|server| {
            server
                .request(Method::POST, "/v1/images")
                .header(header::CONTENT_TYPE, "application/json")
                .header("Idempotency-Key", &key)
                .body(body.json.clone())
        })
        .await
    }

    async fn waited_for(&self, mut job: Value) -> Result<Value, Trouble> {
        let id = job["id"].as_str().unwrap_or_default();
        let path = format!("/v1/images/{}?wait={LONG_POLL}", in_path(id));
        // The first answer may be an old one, which the key brought back.
        loop {
            let began = Instant::now();
            job = self
                .patiently(|server| server.request(Method::GET, &path))
                .await?;
            if !["pending", "processing"].contains(&job["status"].as_str().unwrap_or_default()) {
                return Ok(job);
            }
            if began.elapsed() < SHORT_POLL {
                tokio::time::sleep(SHORT_POLL).await;
            }
        }
    }

    /// Makes a request until it is answered, or the plan says to give up. As long as nothing ever
    /// answered, perhaps a wrong server was named, and that is said at once.
    async fn patiently(
        &self,
        request: impl Fn(&Server) -> reqwest::RequestBuilder,
    ) -> Result<Value, Trouble> {
        let patience = Patience::new(self.plan.give_up_after);
        let may = |_: &Trouble| self.has_answered.load(Ordering::Relaxed);
        let attempt = || async {
            let answer = self.server.once(request(&self.server)).await;
            if matches!(answer, Ok(_) | Err(Trouble::Refused(_))) {
                self.has_answered.store(true, Ordering::Relaxed);
            }
            answer
        };
        retried(patience, may, attempt).await
    }
}

/// How a line ends that has no job.
fn ended_by(trouble: Trouble) -> Ended {
    match trouble {
        Trouble::Refused(_) if !is_of_all_lines(&trouble) => Ended::Refused(trouble),
        _ => Ended::Hopeless(trouble),
    }
}

/// Whether the service would answer other lines with the same, after all patience.
fn is_of_all_lines(trouble: &Trouble) -> bool {
    match trouble {
        Trouble::Unreachable(_) => true,
        // The key, and what it may; the limits; an outage.
        Trouble::Refused(refusal) => {
            matches!(refusal.status.as_u16(), 401 | 403 | 429 | 502..=504)
        }
        Trouble::Usage(_) | Trouble::Other(_) => false,
    }
}
