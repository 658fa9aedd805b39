//! What is printed, and how many did how.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::arguments::Plan;
use super::item::{Done, Ended};
use super::lines::Input;
use super::progress::Progress;
use crate::output::{cell, json_text, line};
use crate::trouble::{Trouble, printable};

pub struct Report {
    json: bool,
    waits: bool,
    tally: Tally,
    progress: Progress,
}

/// Lines by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub begun: u64,
    pub good: u64,
    pub failed: u64,
}

impl Report {
    pub fn new(json: bool, plan: &Plan, input: &Input) -> Self {
        Self {
            json,
            waits: plan.waits,
            tally: Tally::default(),
            progress: Progress::new(input.size(), plan.waits),
        }
    }

    pub fn begin(&mut self) {
        self.tally.begun += 1;
        self.progress.show(self.tally, None);
    }

    /// # Errors
    /// If standard output can't be written: nobody would learn the rest.
    pub fn end(&mut self, done: &Done) -> Result<(), Trouble> {
        let failure = self.failure(&done.ended);
        match failure {
            None => self.tally.good += 1,
            Some(_) => self.tally.failed += 1,
        }
        if let Some(failure) = failure {
            let place = match done.url.is_empty() {
                true => format!("line {}", done.number),
                false => format!("line {}: {}", done.number, printable(&done.url)),
            };
            self.note(&format!("{place}: {failure}"));
        }
        let printed = match self.json {
            true => Some(json_text(&as_json(done))),
            false => as_line(done),
        };
        if let Some(printed) = printed {
            self.progress.aside(|| line(printed))?;
        }
        self.progress.show(self.tally, Some(done.position));
        Ok(())
    }

    /// Why a line counts as failed.
    fn failure(&self, ended: &Ended) -> Option<String> {
        match ended {
            Ended::Refused(trouble) | Ended::Hopeless(trouble) => Some(trouble.to_string()),
            Ended::Job {
                trouble: Some(trouble),
                ..
            } => Some(trouble.to_string()),
            Ended::Job { job, .. } if self.waits && job["status"] != "completed" => {
                let status = cell(job, "/status");
                Some(match job["error_code"].as_str() {
                    Some(code) => {
                        format!("{status}: {} ({})", cell(job, "/error"), printable(code))
                    }
                    None => status,
                })
            }
            Ended::Job { .. } => None,
        }
    }

    /// A line for people.
    pub fn note(&self, text: &str) {
        self.progress.aside(|| crate::complain(text));
    }

    pub fn finish(&mut self) {
        self.progress.finish();
        let Tally {
            begun,
            good,
            failed,
        } = self.tally;
        if begun == 1 && failed == 0 {
            return;
        }
        let verb = if self.waits { "completed" } else { "accepted" };
        let open = begun - good - failed;
        let open = match open {
            0 => String::new(),
            open => format!(", {open} under way"),
        };
        crate::complain(format_args!("{good} {verb}, {failed} failed{open}"));
    }

    pub fn has_failures(&self) -> bool {
        self.tally.failed > 0
    }
}

fn as_line(done: &Done) -> Option<String> {
    let Ended::Job { job, files, .. } = &done.ended else {
        return None;
    };
    let mut cells = vec![cell(job, "/id"), cell(job, "/status"), printable(&done.url)];
    cells.extend(shown(files));
    Some(cells.join("\t"))
}

fn as_json(done: &Done) -> Value {
    let mut object = json!({"line": done.number, "url": done.url});
    match &done.ended {
        Ended::Job {
            job,
            files,
            trouble,
        } => {
            object["job"] = job.clone();
            if !files.is_empty() {
                object["files"] = shown(files).collect();
            }
            if let Some(trouble) = trouble {
                object["error"] = trouble.to_string().into();
            }
        }
        Ended::Refused(trouble) | Ended::Hopeless(trouble) => {
            object["error"] = trouble.to_string().into();
            if let Trouble::Refused(refusal) = trouble {
                object["problem"] = refusal.problem.clone();
            }
        }
    }
    object
}

fn shown(files: &[PathBuf]) -> impl Iterator<Item = String> {
    files.iter().map(|file| file.display().to_string())
}
