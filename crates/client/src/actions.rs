//! Changes of many jobs by a filter, and `thumbforge actions`.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use crate::connection::Connection;
use crate::filter::Filter;
use crate::output::{self, Shape, confirmed};
use crate::patience::Patience;
use crate::server::{Server, in_path};
use crate::trouble::Trouble;
use crate::{Outcome, Surroundings, complain};

/// Between two looks at an action.
const LOOK: Duration = Duration::from_millis(300);
/// How long the service may be away meanwhile.
const AWAY: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Retry,
    Cancel,
    Delete,
}

impl Change {
    /// The word of the API.
    pub fn word(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Cancel => "cancel",
            Self::Delete => "delete",
        }
    }

    /// In a question.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Retry => "Retry",
            Self::Cancel => "Cancel",
            Self::Delete => "Delete",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    shape: Shape,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
enum What {
    /// Show how far an action is
    Show {
        /// Of the action
        id: String,
    },
    /// End an action; what it did stays
    Abort {
        /// Of the action
        id: String,
    },
}

pub async fn run(arguments: Arguments, surroundings: &Surroundings) -> Result<Outcome, Trouble> {
    let server = arguments.connection.open(surroundings)?;
    let action = match arguments.what {
        What::Show { id } => server.get(&path(&id), &[]).await?,
        What::Abort { id } => {
            let path = format!("{}/abort", path(&id));
            server.post(&path, &json!({})).await?
        }
    };
    arguments.shape.show(&action)?;
    Ok(Outcome::Good)
}

/// A number of them.
pub fn jobs(number: u64) -> String {
    match number {
        1 => "1 job".to_owned(),
        number => format!("{number} jobs"),
    }
}

fn path(id: &str) -> String {
    format!("/v1/actions/{}", in_path(id))
}

/// Counts, asks, changes, and waits for the end.
pub async fn change_all(
    server: &Server,
    shape: Shape,
    change: Change,
    filter: &Filter,
    dry_run: bool,
    yes: bool,
) -> Result<Outcome, Trouble> {
    let mut body = json!({"action": change.word(), "filter": filter.object()});
    if dry_run || !yes {
        let mut question = body.clone();
        question["dry_run"] = true.into();
        let counted = server.post("/v1/actions", &question).await?;
        let matched = counted["counts"]["matched"].as_u64().unwrap_or_default();
        if dry_run {
            match shape.json {
                true => output::json(&counted)?,
                false => output::line(jobs(matched))?,
            }
            return Ok(Outcome::Good);
        }
        if matched == 0 {
            complain("no job matches");
            return Ok(Outcome::Good);
        }
        if !confirmed(&format!("{} {}?", change.verb(), jobs(matched)), yes)? {
            complain("nothing was changed");
            return Ok(Outcome::SomeFailed);
        }
        // Nothing else than what was agreed to.
        body["expected_count"] = matched.into();
    }
    let begun = server.post("/v1/actions", &body).await?;
    follow(server, shape, begun).await
}

async fn follow(server: &Server, shape: Shape, begun: Value) -> Result<Outcome, Trouble> {
    let id = begun["id"].as_str().unwrap_or_default().to_owned();
    let path = path(&id);
    let mut action = begun;
    let mut interrupts = signal(SignalKind::interrupt())?;
    while action["status"] == "running" {
        let look = async {
            tokio::time::sleep(LOOK).await;
            let request = |server: &Server| server.request(reqwest::Method::GET, &path);
            server.patiently(Patience::new(AWAY), request).await
        };
        action = tokio::select! {
            seen = look => seen?,
            _ = interrupts.recv() => {
                complain(format_args!(
                    "the service goes on with it; `thumbforge actions show {id}` shows how far it \
                     is, `thumbforge actions abort {id}` ends it"
                ));
                return Ok(Outcome::Interrupted);
            }
        };
    }
    match shape.json {
        true => output::json(&action)?,
        false => output::line(summary(&action))?,
    }
    let is_whole = action["status"] == "done" && action["counts"]["failed"] == 0;
    Ok(match is_whole {
        true => Outcome::Good,
        false => Outcome::SomeFailed,
    })
}

fn summary(action: &Value) -> String {
    let count = |name: &str| output::cell(&action["counts"], &format!("/{name}"));
    format!(
        "{}: {} of {} done, {} skipped, {} failed",
        output::cell(action, "/status"),
        count("done"),
        count("matched"),
        count("skipped"),
        count("failed")
    )
}
