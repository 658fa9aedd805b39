//! Which jobs: the filters of lists and actions.

use clap::Args;
use serde_json::{Map, Value};

#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
#[command(next_help_heading = "Filters")]
pub struct Filter {
    /// In this state: pending, processing, completed, failed or cancelled
    #[arg(long)]
    status: Option<String>,
    /// Whose last failure this is, e.g. source_timeout
    #[arg(long, value_name = "CODE")]
    error_code: Option<String>,
    /// Whose URL has this host
    #[arg(long)]
    host: Option<String>,
    /// With this tag
    #[arg(long)]
    tag: Option<String>,
    /// Of this batch
    #[arg(long, value_name = "ID")]
    batch: Option<String>,
    /// Submitted by the API key of this name
    #[arg(long, value_name = "NAME")]
    submitted_by: Option<String>,
    /// Created then or later: RFC 3339, or a date
    #[arg(long, value_name = "TIME")]
    created_after: Option<String>,
    /// Created then or earlier
    #[arg(long, value_name = "TIME")]
    created_before: Option<String>,
}

impl Filter {
    /// What is given, by the names of the API.
    pub fn members(&self) -> Vec<(&'static str, String)> {
        let all = [
            ("status", &self.status),
            ("error_code", &self.error_code),
            ("host", &self.host),
            ("tag", &self.tag),
            ("batch_id", &self.batch),
            ("submitted_by", &self.submitted_by),
            ("created_after", &self.created_after),
            ("created_before", &self.created_before),
        ];
        let given = all.into_iter();
        given
            .filter_map(|(name, value)| Some((name, value.clone()?)))
            .collect()
    }

    pub fn object(&self) -> Value {
        let members = self.members().into_iter();
        let members: Map<_, _> = members
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        members.into()
    }

    pub fn is_empty(&self) -> bool {
        self.members().is_empty()
    }
}
