//! SIGHUP: the log level and the API keys are read anew, while everything goes on.

use std::sync::Arc;
use std::time::Duration;

use crate::app::KeysFile;
use crate::config::{self, Sources};
use crate::lifecycle::Signals;
use crate::telemetry::LogFilter;

/// Where the settings of this process come from, and the log that they set.
pub(super) struct Reload {
    sources: Sources,
    filter: LogFilter,
}

/// Longest wait for the files of settings.
const PATIENCE: Duration = Duration::from_secs(10);

impl Reload {
    pub(super) const fn new(sources: Sources, filter: LogFilter) -> Self {
        Self { sources, filter }
    }

    /// Obeys from now on; `keys` are those of the API, in a process that serves it.
    pub(super) fn begin(self, signals: Signals, keys: Option<Arc<KeysFile>>) {
        let reload = Arc::new(self);
        tokio::spawn(async move {
            loop {
                signals.reload_asked_for().await;
                let (reload, keys) = (Arc::clone(&reload), keys.clone());
                let reading = move || reload.read(keys.as_deref());
                // Files may lie on a disk that hangs.
                let reading = tokio::task::spawn_blocking(reading);
                let Ok(read) = tokio::time::timeout(PATIENCE, reading).await else {
                    tracing::error!("reading the settings anew takes too long: it is given up");
                    continue;
                };
                match read {
                    Ok(Ok(level)) => tracing::info!(log_level = level, "settings are read anew"),
                    Ok(Err(fault)) => {
                        tracing::error!(
                            "the settings can't be read anew, those from before stay: {fault}"
                        );
                    }
                    Err(error) => tracing::error!(%error, "reading the settings anew has broken"),
                }
            }
        });
    }

    /// All or nothing; returns the log level, or all faults in one line.
    fn read(&self, keys: Option<&KeysFile>) -> Result<String, String> {
        let loaded = config::load(&self.sources).map_err(|faults| {
            let faults: Vec<_> = faults.lines().collect();
            faults.join("; ")
        })?;
        let settings = loaded.settings;
        let read = keys.map(|keys| keys.read_anew(settings.api_keys_file.as_deref()));
        let read = read.transpose()?;
        // It was judged with the other settings.
        let set = self.filter.set(&settings.log_level);
        set.map_err(|error| error.to_string())?;
        if let (Some(keys), Some(read)) = (keys, read) {
            keys.use_now(read);
        }
        Ok(settings.log_level)
    }
}
