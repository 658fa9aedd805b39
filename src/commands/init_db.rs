//! `thumbforge init-db`: the schema.

use crate::app;
use crate::config::Settings;

pub(super) async fn run(settings: Settings) -> anyhow::Result<()> {
    let applied = app::init_database(&settings).await?;
    for migration in &applied {
        super::print_line(format_args!("applied {migration}"))?;
    }
    super::print_line(format_args!(
        "the schema of {} is up to date ({} migrations applied)",
        settings.database_url,
        applied.len()
    ))
}
