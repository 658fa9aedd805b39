//! What the user asks for.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;
use serde_json::{Map, Value};
use thumbforge_intake::{Variants, variant_members};

use super::lines::{Input, STANDARD_STREAM};
use crate::connection::Connection;
use crate::output::Shape;
use crate::trouble::Trouble;

#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "\
Standard output has a line for each job: its id, its status, its URL, and the files that were \
written, separated by tabs; with --json, an object for each line of the input. Everything else \
goes to standard error. The exit code is 0 if all went well, 1 if anything failed, 2 for wrong \
usage, and 130 after an interruption.")]
pub struct Arguments {
    /// URLs of images, or - for standard input
    #[arg(
        value_name = "URL",
        required_unless_present = "from",
        conflicts_with = "from"
    )]
    urls: Vec<String>,
    /// A file with a URL in each line, or a JSON object as the API takes it; - for standard input
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Wait until the jobs have ended
    #[arg(long)]
    wait: bool,
    /// Wait, and download the thumbnails or variants into this folder
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Replace files in DIR that have the same name and other bytes
    #[arg(long, requires = "output")]
    overwrite: bool,
    /// A variant, e.g. name=card,width=320,height=240,fit=cover,format=webp; may be repeated
    #[arg(
        long = "variant",
        value_name = "NAME=…,WIDTH=…",
        conflicts_with = "preset"
    )]
    variants: Vec<String>,
    /// Variants by the name that the operator gave them
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// allow-retry, reuse-completed or reject-active: what a duplicate of an earlier job gets
    #[arg(long, value_name = "POLICY")]
    duplicate: Option<String>,
    /// From 0, which runs first, to 9
    #[arg(long, value_name = "0-9")]
    priority: Option<u8>,
    /// A tag of the jobs; may be repeated
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Lines under way at once: submitted, and with --wait not ended yet
    #[arg(long, value_name = "N", default_value_t = 32,
        value_parser = clap::value_parser!(u16).range(1..=1000))]
    concurrency: u16,
    /// Go on with the run of this name: what it submitted within 24 hours is not submitted again
    #[arg(long, value_name = "NAME")]
    pub(super) resume: Option<String>,
    /// How long a service may be away or busy before this gives up
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    give_up_after: u64,
    #[command(flatten)]
    pub(super) shape: Shape,
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// What is done with each line.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Members for every submission.
    pub members: Map<String, Value>,
    pub waits: bool,
    pub output: Option<PathBuf>,
    pub overwrite: bool,
    /// The name of the run.
    pub run: String,
    pub give_up_after: Duration,
}

impl Arguments {
    pub(super) fn plan(&self) -> Result<Plan, Trouble> {
        if let Some(folder) = &self.output {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("can't make the folder {}", folder.display()))
                .map_err(Trouble::Usage)?;
        }
        let run = match &self.resume {
            Some(name) => name.clone(),
            None => new_name(),
        };
        Ok(Plan {
            members: self.members().map_err(Trouble::Usage)?,
            waits: self.wait || self.output.is_some(),
            output: self.output.clone(),
            overwrite: self.overwrite,
            run,
            give_up_after: Duration::from_secs(self.give_up_after),
        })
    }

    fn members(&self) -> anyhow::Result<Map<String, Value>> {
        let mut members = Map::new();
        if !self.variants.is_empty() {
            let list = self.variants.iter().map(|text| {
                variant_members(text).map_err(|reason| anyhow!("--variant {text:?}: {reason}"))
            });
            let list = Value::Array(list.collect::<Result<_, _>>()?);
            Variants::read(&list).map_err(|faults| {
                let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
                anyhow!("--variant: {}", faults.join("; "))
            })?;
            members.insert("variants".to_owned(), list);
        }
        let tags = (!self.tags.is_empty()).then(|| self.tags.clone().into());
        let others = [
            ("preset", self.preset.clone().map(Value::from)),
            ("duplicate", self.duplicate.clone().map(Value::from)),
            ("priority", self.priority.map(Value::from)),
            ("tags", tags),
        ];
        for (name, value) in others {
            if let Some(value) = value {
                members.insert(name.to_owned(), value);
            }
        }
        Ok(members)
    }

    pub(super) fn concurrency(&self) -> usize {
        usize::from(self.concurrency)
    }

    pub(super) fn input(&self) -> Result<Input, Trouble> {
        match &self.from {
            Some(path) if path.as_os_str() == STANDARD_STREAM => Ok(Input::Stream),
            Some(path) => Input::open(path)
                .with_context(|| format!("can't read {}", path.display()))
                .map_err(Trouble::Usage),
            None if self.urls == [STANDARD_STREAM] => Ok(Input::Stream),
            None if self.urls.iter().any(|url| url == STANDARD_STREAM) => Err(Trouble::Usage(
                anyhow!("- stands for standard input, and can't be mixed with URLs"),
            )),
            None => Ok(Input::Urls(self.urls.clone())),
        }
    }
}

/// Short enough to be typed, and unlike that of another run.
fn new_name() -> String {
    let mut random = uuid::Uuid::now_v7().simple().to_string();
    random.split_off(20)
}
