//! `thumbforge all`: the HTTP API and the workers in one process.

use std::sync::Arc;

use super::{Service, announce};
use crate::app::{self, App, KeysFile};

pub(super) async fn run(service: Service) -> anyhow::Result<()> {
    let settings = service.settings;
    let format = settings.log_format;
    let reserved = app::reserve(settings.bind, "THUMBFORGE_BIND")?;
    let keys = Arc::new(KeysFile::open(settings.api_keys_file.as_deref())?);
    let stop = service.signals.stop_within(settings.shutdown_grace);
    service.reload.begin(service.signals, Some(keys.clone()));
    let Some(app) = App::open(settings, &stop).await? else {
        return Ok(());
    };
    let listener = app::listen(reserved, "THUMBFORGE_BIND")?;
    announce(&listener, format)?;
    Ok(app.all(listener, &keys, stop).await?)
}
