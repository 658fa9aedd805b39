//! `thumbforge submit`: many URLs, a few in flight.
//!
//! | file | thought |
//! | --- | --- |
//! | `arguments` | what the user asks for |
//! | `lines` | the input, line by line, in bounded memory |
//! | `body` | what of a line is sent, and under which key |
//! | `item` | the way of one line: submitted, waited for, downloaded |
//! | `files` | names of downloaded files, and what may not be overwritten |
//! | `progress`, `report` | what is seen meanwhile, and what is printed |
//!
//! Every submission has an `Idempotency-Key` made of the name of the run and its own text. So it
//! may be sent again however often connections break; and a run that is begun again under its name
//! makes no job twice, whatever was added to its input or moved in it.

mod arguments;
mod body;
mod files;
mod item;
mod lines;
mod progress;
mod report;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

pub use arguments::Arguments;

use crate::trouble::Trouble;
use crate::{Outcome, Surroundings, complain};
use item::{Done, Ended, Work};
use report::Report;

/// Why no more lines are taken.
enum Stop {
    Interrupted,
    /// Whatever comes next would fare the same.
    Hopeless(Trouble),
}

pub async fn run(arguments: Arguments, surroundings: &Surroundings) -> Result<Outcome, Trouble> {
    let plan = arguments.plan()?;
    let work = Arc::new(Work {
        server: arguments.connection.open(surroundings)?,
        plan,
        has_answered: false.into(),
    });
    let input = arguments.input()?;
    let mut report = Report::new(arguments.shape.json, &work.plan, &input);
    if arguments.resume.is_none() && input.is_worth_resuming() {
        report.note(&format!(
            "to go on after an interruption, add --resume {}",
            work.plan.run
        ));
    }
    let stop = drive(&work, input, arguments.concurrency(), &mut report).await?;
    report.finish();
    let again = format!(
        "what was accepted goes on in the service; to go on here, run this again with --resume {}",
        work.plan.run
    );
    match stop {
        None => Ok(match report.has_failures() {
            true => Outcome::SomeFailed,
            false => Outcome::Good,
        }),
        Some(Stop::Interrupted) => {
            complain(format_args!("interrupted; {again}"));
            Ok(Outcome::Interrupted)
        }
        Some(Stop::Hopeless(trouble)) => {
            complain(trouble);
            // Something may have been accepted.
            if work.has_answered.load(Ordering::Relaxed) {
                complain(again);
            }
            Ok(Outcome::SomeFailed)
        }
    }
}

async fn drive(
    work: &Arc<Work>,
    input: lines::Input,
    concurrency: usize,
    report: &mut Report,
) -> Result<Option<Stop>, Trouble> {
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut terminations = signal(SignalKind::terminate())?;
    let mut lines = lines::read(input);
    let mut in_flight: JoinSet<Done> = JoinSet::new();
    let mut is_open = true;
    while is_open || !in_flight.is_empty() {
        tokio::select! {
            _ = interrupts.recv() => return Ok(Some(Stop::Interrupted)),
            _ = terminations.recv() => return Ok(Some(Stop::Interrupted)),
            line = lines.recv(), if is_open && in_flight.len() < concurrency => match line {
                Some(Ok(line)) => {
                    report.begin();
                    in_flight.spawn(Arc::clone(work).take(line));
                }
                // The file can't be read further.
                Some(Err(error)) => return Ok(Some(Stop::Hopeless(error.into()))),
                None => is_open = false,
            },
            Some(done) = in_flight.join_next() => {
                let done = done.map_err(|error| Trouble::Other(error.into()))?;
                if let Ended::Hopeless(trouble) = done.ended {
                    return Ok(Some(Stop::Hopeless(trouble)));
                }
                report.end(&done)?;
            }
        }
    }
    Ok(None)
}
