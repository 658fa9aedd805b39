//! `thumbforge webhooks`

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::connection::Connection;
use crate::jobs::pages;
use crate::output::Shape;
use crate::server::in_path;
use crate::trouble::Trouble;
use crate::{Outcome, Surroundings, complain};

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
    /// List all webhooks
    List,
    /// Make a webhook, and show its secret, once
    Create {
        /// Where events are posted to
        url: String,
        #[command(flatten)]
        wanted: Wanted,
    },
    /// Show a webhook
    Show {
        /// Of the webhook
        id: String,
    },
    /// Change the address, events, tags or description of a webhook
    Change {
        /// Of the webhook
        id: String,
        /// Where events are posted to
        #[arg(long)]
        url: Option<String>,
        #[command(flatten)]
        wanted: Wanted,
    },
    /// Send events to a webhook again
    Enable {
        /// Of the webhook
        id: String,
    },
    /// Send nothing to a webhook until it is enabled
    Disable {
        /// Of the webhook
        id: String,
    },
    /// Delete a webhook and its deliveries
    Delete {
        /// Of the webhook
        id: String,
    },
    /// Send an event of the type webhook.test
    Test {
        /// Of the webhook
        id: String,
    },
    /// List what was sent, and what was answered, the newest first
    Deliveries {
        /// Of the webhook
        id: String,
        /// In this state: pending, delivered or failed
        #[arg(long)]
        status: Option<String>,
        /// Deliveries to list at most
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: u64,
    },
    /// Send a delivery again
    Resend {
        /// Of the webhook
        id: String,
        /// Of the delivery
        delivery: String,
    },
    /// Make a new secret, and show it, once
    Rotate {
        /// Of the webhook
        id: String,
        /// How long the old secret signs too
        #[arg(long, value_name = "SECONDS", default_value_t = 86_400)]
        overlap: u32,
    },
    /// Send what was missed, and what failed, since a moment
    Recover {
        /// Of the webhook
        id: String,
        /// RFC 3339, e.g. 2026-01-31T12:00:00Z
        #[arg(long, value_name = "TIME")]
        since: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Args)]
struct Wanted {
    /// Only events of this type, e.g. image.completed; may be repeated
    #[arg(long = "event", value_name = "TYPE")]
    events: Vec<String>,
    /// Only of jobs with one of these tags; may be repeated
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// For people
    #[arg(long)]
    description: Option<String>,
}

impl Wanted {
    /// What is given.
    fn members(self, url: Option<String>) -> Value {
        let list = |list: Vec<String>| (!list.is_empty()).then(|| json!(list));
        let all = [
            ("url", url.map(Value::from)),
            ("events", list(self.events)),
            ("tags", list(self.tags)),
            ("description", self.description.map(Value::from)),
        ];
        let given = all.into_iter();
        let given: Map<_, _> = given
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect();
        given.into()
    }
}

const COLUMNS: [(&str, &str); 5] = [
    ("ID", "/id"),
    ("EVENTS", "/events"),
    ("DISABLED", "/disabled"),
    ("REASON", "/disabled_reason"),
    ("URL", "/url"),
];

const DELIVERY_COLUMNS: [(&str, &str); 7] = [
    ("ID", "/id"),
    ("TYPE", "/type"),
    ("STATUS", "/status"),
    ("TRIES", "/attempts"),
    ("ANSWER", "/response_status"),
    ("UPDATED", "/updated_at"),
    ("ERROR", "/error"),
];

pub async fn run(arguments: Arguments, surroundings: &Surroundings) -> Result<Outcome, Trouble> {
    let server = arguments.connection.open(surroundings)?;
    let shape = arguments.shape;
    let path = |id: &str| format!("/v1/webhooks/{}", in_path(id));
    let below = |id: &str, more: &str| format!("{}/{more}", path(id));
    let (method, path, body) = match arguments.what {
        What::List => {
            let list = server.get("/v1/webhooks", &[]).await?;
            let items = list["items"].as_array().map_or(&[][..], Vec::as_slice);
            shape.list(items, &COLUMNS, true)?;
            return Ok(Outcome::Good);
        }
        What::Deliveries { id, status, limit } => {
            let query = status.map(|status| ("status", status));
            let query = query.into_iter().collect();
            let path = below(&id, "deliveries");
            pages(&server, &path, query, limit, |items, is_first| {
                shape.list(items, &DELIVERY_COLUMNS, is_first)
            })
            .await?;
            return Ok(Outcome::Good);
        }
        What::Show { id } => (Method::GET, path(&id), None),
        What::Delete { id } => {
            let path = path(&id);
            server.call(Method::DELETE, &path, &[], None).await?;
            shape.deleted(&id)?;
            return Ok(Outcome::Good);
        }
        What::Create { url, wanted } => {
            let body = wanted.members(Some(url));
            (Method::POST, "/v1/webhooks".to_owned(), Some(body))
        }
        What::Change { id, url, wanted } => (Method::PATCH, path(&id), Some(wanted.members(url))),
        What::Enable { id } => (Method::PATCH, path(&id), Some(json!({"disabled": false}))),
        What::Disable { id } => (Method::PATCH, path(&id), Some(json!({"disabled": true}))),
        What::Test { id } => (Method::POST, below(&id, "test"), Some(json!({}))),
        What::Resend { id, delivery } => {
            let resend = format!("deliveries/{}/resend", in_path(&delivery));
            (Method::POST, below(&id, &resend), Some(json!({})))
        }
        What::Rotate { id, overlap } => {
            let body = json!({"overlap_seconds": overlap});
            (Method::POST, below(&id, "secret/rotate"), Some(body))
        }
        What::Recover { id, since } => {
            let body = json!({"since": since});
            (Method::POST, below(&id, "recover"), Some(body))
        }
    };
    let answer = server.call(method, &path, &[], body.as_ref()).await?;
    shape.show(&answer)?;
    if answer["secret"].is_string() {
        complain("keep the secret: it is not shown again");
    }
    Ok(Outcome::Good)
}
