//! `thumbforge top`: what a service does, as it does it.

mod screen;
mod view;

use std::collections::VecDeque;
use std::time::Duration;

use clap::Args;
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use crate::connection::Connection;
use crate::output;
use crate::server::Server;
use crate::trouble::Trouble;
use crate::{Outcome, Surroundings};
use screen::Screen;

/// The rate is that of this time.
const RATE_OVER: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// Time between two looks
    #[arg(long, value_name = "SECONDS", default_value_t = 1,
        value_parser = clap::value_parser!(u64).range(1..=3600))]
    interval: u64,
    /// Print what is seen now, and exit; so it is if standard output is no terminal
    #[arg(long)]
    once: bool,
    /// Print it once, as JSON
    #[arg(long)]
    json: bool,
}

/// What is seen of a service at once.
pub struct Sight {
    /// The answer of `/v1/metrics`.
    pub counts: Value,
    /// The latest jobs and the busiest origins, as lists have them.
    pub jobs: Vec<Value>,
    pub origins: Vec<Value>,
    /// Processes that work; empty if the service is too old to list them.
    pub workers: Vec<Value>,
    /// Whether an operator has paused everything.
    pub is_paused: bool,
    /// Ended jobs a second; `None` at first.
    pub rate: Option<f64>,
}

pub async fn run(arguments: Arguments, surroundings: &Surroundings) -> Result<Outcome, Trouble> {
    let server = arguments.connection.open(surroundings)?;
    let screen = match arguments.once || arguments.json {
        true => None,
        false => Screen::of_terminal(),
    };
    let Some(mut screen) = screen else {
        let sight = look(&server).await?;
        match arguments.json {
            true => output::json(&sight.as_json())?,
            false => {
                let lines = view::lines(&sight, server.base().as_str(), None);
                lines.iter().try_for_each(output::line)?;
            }
        }
        return Ok(Outcome::Good);
    };
    // A wrong server is reported where it stays to be read.
    let first = look(&server).await?;
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut terminations = signal(SignalKind::terminate())?;
    screen.enter()?;
    let mut rate = Rate::default();
    let mut sight = Ok(first);
    loop {
        let (height, _) = screen.size();
        let lines = match sight {
            Ok(mut sight) => {
                sight.rate = rate.with(&sight.counts);
                view::lines(&sight, server.base().as_str(), Some(height))
            }
            // It may come back.
            Err(trouble) => vec![format!("{trouble}"), "trying again …".to_owned()],
        };
        screen.draw(&lines)?;
        tokio::select! {
            _ = interrupts.recv() => return Ok(Outcome::Good),
            _ = terminations.recv() => return Ok(Outcome::Good),
            () = tokio::time::sleep(Duration::from_secs(arguments.interval)) => {}
        }
        sight = tokio::select! {
            _ = interrupts.recv() => return Ok(Outcome::Good),
            _ = terminations.recv() => return Ok(Outcome::Good),
            sight = look(&server) => sight,
        };
    }
}

async fn look(server: &Server) -> Result<Sight, Trouble> {
    let counts = server.get("/v1/metrics", &[]).await?;
    let jobs = server
        .get("/v1/images", &[("limit", "40".to_owned())])
        .await?;
    let by_need = [("sort", "queued".to_owned()), ("limit", "5".to_owned())];
    let origins = server.get("/v1/origins", &by_need).await?;
    let workers = match server.get("/v1/workers", &[]).await {
        Err(Trouble::Refused(refusal)) if refusal.code() == "not_found" => Value::Null,
        workers => workers?,
    };
    let items = |list: &Value| list["items"].as_array().cloned().unwrap_or_default();
    Ok(Sight {
        counts,
        jobs: items(&jobs),
        origins: items(&origins),
        workers: items(&workers),
        is_paused: origins["paused"] == true,
        rate: None,
    })
}

impl Sight {
    fn as_json(&self) -> Value {
        serde_json::json!({
            "counts": self.counts,
            "jobs": self.jobs,
            "origins": self.origins,
            "workers": self.workers,
            "paused": self.is_paused,
        })
    }
}

/// How many jobs ended lately.
#[derive(Default)]
struct Rate {
    seen: VecDeque<(Instant, f64)>,
}

impl Rate {
    fn with(&mut self, counts: &Value) -> Option<f64> {
        let ended = ["completed", "failed", "cancelled"].map(|name| counts[name].as_f64());
        let ended: f64 = ended.into_iter().flatten().sum();
        let now = Instant::now();
        self.seen.push_back((now, ended));
        while self.seen.len() > 2 && now - self.seen[1].0 >= RATE_OVER {
            self.seen.pop_front();
        }
        let (then, before) = *self.seen.front()?;
        let seconds = (now - then).as_secs_f64();
        // Deleted jobs are counted no more.
        (seconds > 0.0).then(|| ((ended - before) / seconds).max(0.0))
    }
}
