//! `thumbforge jobs`

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use crate::actions::{self, Change};
use crate::connection::Connection;
use crate::filter::Filter;
use crate::output::{self, Shape, confirmed};
use crate::server::{Server, in_path};
use crate::trouble::Trouble;
use crate::{Outcome, Surroundings, complain};

/// Jobs in a page, as the service has it by default.
const PAGE: u64 = 100;

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
    /// List jobs, the newest first
    List {
        #[command(flatten)]
        filter: Filter,
        /// Jobs to list at most
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: u64,
        /// List all of them
        #[arg(long, conflicts_with = "limit")]
        all: bool,
    },
    /// Show a job with all that is known of it
    Show {
        /// Of the job
        id: String,
    },
    /// Give failed and cancelled jobs all their attempts again
    Retry(Selected),
    /// Cancel jobs that are pending or in work
    Cancel(Selected),
    /// Delete jobs in any state, and their files
    Delete(Selected),
}

/// Jobs by their ids, or by filters.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
struct Selected {
    /// Of the jobs; or use filters
    ids: Vec<String>,
    #[command(flatten)]
    filter: Filter,
    /// Only show how many jobs match
    #[arg(long)]
    dry_run: bool,
    /// Don't ask
    #[arg(long)]
    yes: bool,
}

pub async fn run(arguments: Arguments, surroundings: &Surroundings) -> Result<Outcome, Trouble> {
    let server = arguments.connection.open(surroundings)?;
    let shape = arguments.shape;
    match arguments.what {
        What::List { filter, limit, all } => {
            let limit = if all { u64::MAX } else { limit };
            list(&server, shape, &filter, limit).await
        }
        What::Show { id } => {
            let path = format!("/v1/images/{}", in_path(&id));
            shape.show(&server.get(&path, &[]).await?)?;
            Ok(Outcome::Good)
        }
        What::Retry(selected) => change(&server, shape, Change::Retry, selected).await,
        What::Cancel(selected) => change(&server, shape, Change::Cancel, selected).await,
        What::Delete(selected) => change(&server, shape, Change::Delete, selected).await,
    }
}

pub const COLUMNS: [(&str, &str); 5] = [
    ("ID", "/id"),
    ("STATUS", "/status"),
    ("CREATED", "/created_at"),
    ("ERROR", "/error_code"),
    ("URL", "/url"),
];

/// Page by page, so that the first is seen at once, and no list is held.
async fn list(
    server: &Server,
    shape: Shape,
    filter: &Filter,
    limit: u64,
) -> Result<Outcome, Trouble> {
    pages(
        server,
        "/v1/images",
        filter.members(),
        limit,
        |items, is_first| shape.list(items, &COLUMNS, is_first),
    )
    .await?;
    Ok(Outcome::Good)
}

/// Calls `show` for each page, with whether it is the first, until `limit` items were shown.
pub async fn pages(
    server: &Server,
    path: &str,
    mut query: Vec<(&'static str, String)>,
    limit: u64,
    mut show: impl FnMut(&[Value], bool) -> Result<(), Trouble>,
) -> Result<(), Trouble> {
    let filters = query.clone();
    let (mut left, mut is_first) = (limit, true);
    loop {
        query.push(("limit", left.clamp(1, PAGE).to_string()));
        let page = server.get(path, &query).await?;
        let items = page["items"].as_array().map_or(&[][..], Vec::as_slice);
        let items = &items[..items.len().min(usize::try_from(left).unwrap_or(usize::MAX))];
        // A page may be empty and yet have a next one.
        if is_first || !items.is_empty() {
            show(items, is_first)?;
            is_first = false;
        }
        left -= items.len() as u64;
        match page
            .pointer("/pagination/next_cursor")
            .and_then(Value::as_str)
        {
            Some(cursor) if left > 0 => {
                query.clone_from(&filters);
                query.push(("cursor", cursor.to_owned()));
            }
            _ => return Ok(()),
        }
    }
}

async fn change(
    server: &Server,
    shape: Shape,
    change: Change,
    selected: Selected,
) -> Result<Outcome, Trouble> {
    let Selected {
        ids,
        filter,
        dry_run,
        yes,
    } = selected;
    match (ids.is_empty(), filter.is_empty()) {
        (true, true) => Err(Trouble::Usage(anyhow::anyhow!(
            "which jobs? Name their ids, or use a filter, e.g. --status failed"
        ))),
        (false, false) => Err(Trouble::Usage(anyhow::anyhow!(
            "name ids or use filters, not both"
        ))),
        (true, false) => actions::change_all(server, shape, change, &filter, dry_run, yes).await,
        (false, true) => {
            let named = actions::jobs(ids.len() as u64);
            let question = format!("{} {named} and their files?", change.verb());
            // The rest can be undone.
            if dry_run {
                match shape.json {
                    true => output::json(&json!({"counts": {"matched": ids.len()}}))?,
                    false => output::line(named)?,
                }
                return Ok(Outcome::Good);
            }
            if change == Change::Delete && ids.len() > 1 && !confirmed(&question, yes)? {
                return Ok(Outcome::SomeFailed);
            }
            change_each(server, shape, change, &ids).await
        }
    }
}

/// One call each, which needs no more than the right to submit.
async fn change_each(
    server: &Server,
    shape: Shape,
    change: Change,
    ids: &[String],
) -> Result<Outcome, Trouble> {
    let mut outcome = Outcome::Good;
    for id in ids {
        let path = format!("/v1/images/{}", in_path(id));
        let changed = match change {
            Change::Delete => server.call(Method::DELETE, &path, &[], None).await,
            other => {
                let path = format!("{path}/{}", other.word());
                server.call(Method::POST, &path, &[], None).await
            }
        };
        match changed {
            Ok(Value::Null) => shape.deleted(id)?,
            Ok(job) if shape.json => output::json(&job)?,
            Ok(job) => output::line(format_args!("{id}\t{}", output::cell(&job, "/status")))?,
            Err(trouble @ Trouble::Refused(_)) => {
                complain(format_args!("{id}: {trouble}"));
                outcome = Outcome::SomeFailed;
            }
            Err(trouble) => return Err(trouble),
        }
    }
    Ok(outcome)
}
