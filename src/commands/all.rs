//! `thumbforge all`: the HTTP API and the workers in one process.

use super::announce;
use crate::app::{self, App};
use crate::config::Settings;
use crate::lifecycle;

pub(super) async fn run(settings: Settings) -> anyhow::Result<()> {
    let reserved = app::reserve(settings.bind)?;
    let api_keys = app::read_api_keys(&settings)?;
    let stop = lifecycle::stop_on_signals(settings.shutdown_grace)?;
    let app = App::open(settings).await?;
    let listener = app::listen(reserved)?;
    announce(&listener)?;
    Ok(app.all(listener, api_keys, stop).await?)
}
