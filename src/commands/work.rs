//! `thumbforge work`: the workers.

use crate::app::App;
use crate::config::Settings;
use crate::lifecycle;

pub(super) async fn run(settings: Settings) -> anyhow::Result<()> {
    let stop = lifecycle::stop_on_signals(settings.shutdown_grace)?;
    Ok(App::open(settings).await?.work(stop).await?)
}
