//! `thumbforge work`: the workers.

use super::Service;
use crate::app::App;

pub(super) async fn run(service: Service) -> anyhow::Result<()> {
    let stop = service.signals.stop_within(service.settings.shutdown_grace);
    service.reload.begin(service.signals, None);
    match App::open(service.settings, &stop).await? {
        Some(app) => Ok(app.work(stop).await?),
        None => Ok(()),
    }
}
