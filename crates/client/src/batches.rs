//! `thumbforge batches`

use clap::{Args, Subcommand};
use serde_json::json;

use crate::connection::Connection;
use crate::jobs::pages;
use crate::output::Shape;
use crate::server::in_path;
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
    /// List batches, the newest first
    List {
        /// In this state: accepting, running, completed, partially_failed, failed or cancelled
        #[arg(long)]
        status: Option<String>,
        /// Batches to list at most
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: u64,
    },
    /// Show a batch, its counts and what was refused
    Show {
        /// Of the batch
        id: String,
    },
    /// List the jobs of a batch
    Images {
        /// Of the batch
        id: String,
        /// Jobs to list at most
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: u64,
    },
    /// Cancel the active jobs of a batch
    Cancel {
        /// Of the batch
        id: String,
    },
    /// Give failed and cancelled jobs of a batch all their attempts again
    Retry {
        /// Of the batch
        id: String,
    },
}

const COLUMNS: [(&str, &str); 6] = [
    ("ID", "/id"),
    ("STATUS", "/status"),
    ("CREATED", "/created_at"),
    ("TOTAL", "/counts/total"),
    ("COMPLETED", "/counts/completed"),
    ("FAILED", "/counts/failed"),
];

const IMAGE_COLUMNS: [(&str, &str); 5] = [
    ("INDEX", "/index"),
    ("ID", "/job/id"),
    ("STATUS", "/job/status"),
    ("ERROR", "/job/error_code"),
    ("URL", "/job/url"),
];

pub async fn run(arguments: Arguments, surroundings: &Surroundings) -> Result<Outcome, Trouble> {
    let server = arguments.connection.open(surroundings)?;
    let shape = arguments.shape;
    let path = |id: &str| format!("/v1/batches/{}", in_path(id));
    match arguments.what {
        What::List { status, limit } => {
            let query = status.map(|status| ("status", status));
            let query = query.into_iter().collect();
            pages(&server, "/v1/batches", query, limit, |items, is_first| {
                shape.list(items, &COLUMNS, is_first)
            })
            .await?;
        }
        What::Images { id, limit } => {
            let path = format!("{}/images", path(&id));
            pages(&server, &path, Vec::new(), limit, |items, is_first| {
                shape.list(items, &IMAGE_COLUMNS, is_first)
            })
            .await?;
        }
        What::Show { id } => shape.show(&server.get(&path(&id), &[]).await?)?,
        What::Cancel { id } => {
            let path = format!("{}/cancel", path(&id));
            shape.show(&server.post(&path, &json!({})).await?)?;
        }
        What::Retry { id } => {
            let path = format!("{}/retry", path(&id));
            shape.show(&server.post(&path, &json!({})).await?)?;
        }
    }
    Ok(Outcome::Good)
}
