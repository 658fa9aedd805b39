//! All numbers of a process as text.

use std::sync::Arc;

use prometheus_client::encoding::{prometheus_text, text};
use prometheus_client::registry::Registry;
use tokio::runtime::Handle;

use super::deliveries::DeliveryMeters;
use super::process;
use super::reading::Reading;
use super::requests::RequestMeters;
use super::shared::{AskDatabase, Shared};
use super::work::WorkMeters;

/// How the numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    OpenMetrics,
    /// The older text format of Prometheus.
    Plain,
}

impl Form {
    /// The media type, with its parameters.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Plain => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// What a process shows of itself.
pub struct Exposition {
    /// Under the names that every exporter has.
    common: Registry,
    /// Under names that begin with ours.
    own: Registry,
    shared: Option<Shared>,
    requests: RequestMeters,
    runtime: Handle,
}

impl Exposition {
    /// With what every process has. Must be called inside the runtime on which the parts live.
    pub fn of_this_process() -> Self {
        let mut common = Registry::default();
        process::register(&mut common);
        let mut own = Registry::with_prefix("thumbforge");
        process::register_version(&mut own);
        let requests = RequestMeters::default();
        requests.register(&mut own);
        Self {
            common,
            own,
            shared: None,
            requests,
            runtime: Handle::current(),
        }
    }

    /// The requests to this process.
    pub const fn requests(&self) -> &RequestMeters {
        &self.requests
    }

    /// With the numbers of the whole service.
    #[must_use]
    pub fn with_shared(mut self, ask: AskDatabase) -> Self {
        let shared = Shared::new(ask);
        shared.register(&mut self.own);
        self.shared = Some(shared);
        self
    }

    /// With what workers count.
    #[must_use]
    pub fn with_work(mut self, meters: &WorkMeters) -> Self {
        meters.register(&mut self.own);
        self
    }

    /// With what is counted of deliveries to webhooks.
    #[must_use]
    pub fn with_deliveries(mut self, meters: &DeliveryMeters) -> Self {
        meters.register(&mut self.own);
        self
    }

    /// With a value that is read when somebody looks; it must come at once.
    #[must_use]
    pub fn with_gauge(
        mut self,
        name: &str,
        help: &str,
        read: impl Fn() -> f64 + Send + Sync + 'static,
    ) -> Self {
        self.own.register(name, help, Reading::gauge(read));
        self
    }

    /// The same with a value for each word of `label`.
    #[must_use]
    pub fn with_gauges(
        mut self,
        name: &str,
        help: &str,
        label: &'static str,
        read: impl Fn() -> Vec<(&'static str, f64)> + Send + Sync + 'static,
    ) -> Self {
        let reading = Reading::gauges(label, read);
        self.own.register(name, help, reading);
        self
    }

    /// The same with a value that never shrinks. Its name gets `_total` at its end.
    #[must_use]
    pub fn with_counter(
        mut self,
        name: &str,
        help: &str,
        read: impl Fn() -> f64 + Send + Sync + 'static,
    ) -> Self {
        self.own.register(name, help, Reading::counter(read));
        self
    }

    /// Everything as it is now. `None` if it can't be written.
    pub async fn text(self: &Arc<Self>, form: Form) -> Option<String> {
        let exposition = Arc::clone(self);
        // Connections to the database are bound to that runtime.
        let written = self.runtime.spawn(async move {
            if let Some(shared) = &exposition.shared {
                shared.refresh().await;
            }
            exposition.write(form)
        });
        match written.await {
            Ok(Ok(text)) => Some(text),
            Ok(Err(error)) => {
                tracing::error!(%error, "the metrics could not be written");
                None
            }
            Err(error) => {
                tracing::error!(%error, "writing the metrics has broken");
                None
            }
        }
    }

    fn write(&self, form: Form) -> Result<String, std::fmt::Error> {
        let mut out = String::new();
        match form {
            Form::OpenMetrics => {
                text::encode_registry(&mut out, &self.common)?;
                text::encode_registry(&mut out, &self.own)?;
                text::encode_eof(&mut out)?;
            }
            Form::Plain => {
                prometheus_text::encode(&mut out, &self.common)?;
                prometheus_text::encode(&mut out, &self.own)?;
            }
        }
        Ok(out)
    }
}
