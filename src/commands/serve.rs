//! `thumbforge serve`: the HTTP API.

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
    Ok(app.serve(listener, api_keys, stop).await?)
}
