//! `thumbforge init-db`: the schema.

use std::fmt::Display;

use crate::app;
use crate::config::{LogFormat, Settings};

pub(super) async fn run(settings: Settings) -> anyhow::Result<()> {
    let applied = app::init_database(&settings).await?;
    let format = settings.log_format;
    for migration in &applied {
        say(format, format_args!("applied {migration}"))?;
    }
    let (database, number) = (&settings.database_url, applied.len());
    let line = format_args!("the schema of {database} is up to date ({number} migrations applied)");
    say(format, line)
}

/// It is often a step of a start, whose output goes where the log of the service goes.
fn say(format: LogFormat, line: impl Display) -> anyhow::Result<()> {
    match format {
        LogFormat::Text => super::print_line(line),
        LogFormat::Json => {
            tracing::info!("{line}");
            Ok(())
        }
    }
}
