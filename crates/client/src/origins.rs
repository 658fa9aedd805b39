//! `thumbforge origins` and `thumbforge queue`

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use crate::connection::Connection;
use crate::jobs::pages;
use crate::output::Shape;
use crate::trouble::Trouble;
use crate::{Outcome, Surroundings};

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
    /// List origins with open jobs, recent jobs or a record
    List {
        /// In this order
        #[arg(long, value_enum, default_value_t = Sort::Origin)]
        sort: Sort,
        /// Origins to list at most
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: u64,
    },
    /// Start no job of an origin until it is resumed
    Pause {
        /// Scheme, host and port, e.g. https://images.example.org
        origin: String,
    },
    /// End a pause
    Resume {
        /// Scheme, host and port, e.g. https://images.example.org
        origin: String,
    },
    /// Forget what was learned of an origin, and visit it at once
    Reset {
        /// Scheme, host and port, e.g. https://images.example.org
        origin: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Sort {
    /// By name
    Origin,
    /// Most queued jobs first
    Queued,
    /// Most jobs in work first
    #[value(name = "in_flight")]
    InFlight,
    /// Most failures of the last hour first
    Failed,
}

impl Sort {
    fn word(self) -> &'static str {
        match self {
            Self::Origin => "origin",
            Self::Queued => "queued",
            Self::InFlight => "in_flight",
            Self::Failed => "failed",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct QueueArguments {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    shape: Shape,
    #[command(subcommand)]
    what: QueueWhat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
enum QueueWhat {
    /// Start no job at all until it is resumed; submissions are accepted
    Pause,
    /// End the pause
    Resume,
}

const COLUMNS: [(&str, &str); 8] = [
    ("ORIGIN", "/origin"),
    ("IN WORK", "/in_flight"),
    ("QUEUED", "/queued"),
    ("LATER", "/waiting"),
    ("DONE 1H", "/done_last_hour"),
    ("FAILED 1H", "/failed_last_hour"),
    ("PARKED", "/park_reason"),
    ("PAUSED", "/paused"),
];

pub async fn run(arguments: Arguments, surroundings: &Surroundings) -> Result<Outcome, Trouble> {
    let server = arguments.connection.open(surroundings)?;
    let shape = arguments.shape;
    let (call, origin) = match arguments.what {
        What::List { sort, limit } => {
            let query = vec![("sort", sort.word().to_owned())];
            pages(&server, "/v1/origins", query, limit, |items, is_first| {
                shape.list(items, &COLUMNS, is_first)
            })
            .await?;
            return Ok(Outcome::Good);
        }
        What::Pause { origin } => ("pause", origin),
        What::Resume { origin } => ("resume", origin),
        What::Reset { origin } => ("reset", origin),
    };
    let path = format!("/v1/origins/{call}");
    shape.show(&server.post(&path, &json!({"origin": origin})).await?)?;
    Ok(Outcome::Good)
}

pub async fn run_queue(
    arguments: QueueArguments,
    surroundings: &Surroundings,
) -> Result<Outcome, Trouble> {
    let server = arguments.connection.open(surroundings)?;
    let path = match arguments.what {
        QueueWhat::Pause => "/v1/queue/pause",
        QueueWhat::Resume => "/v1/queue/resume",
    };
    arguments
        .shape
        .show(&server.post(path, &json!({})).await?)?;
    Ok(Outcome::Good)
}
