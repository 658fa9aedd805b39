//! Spans of attempts, for OpenTelemetry.
//!
//! An attempt is a trace of its own: jobs wait, and are tried again, so that a trace from the
//! submission to the last end would never be whole. It links to the span that submitted the job.

mod attempt;
mod transport;

use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

pub use attempt::AttemptTrace;
use transport::Transport;

use crate::domain::{Claim, TraceParent};

/// What the service is called where its operator gives it no name.
const SERVICE: &str = "thumbforge";
/// How long the last spans may take to go out.
const LAST: Duration = Duration::from_secs(2);

#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    #[error("spans can't be exported: {0}")]
    Exporter(String),
    #[error("TLS with the receiver of spans can't be set up: {0}")]
    Tls(#[from] rustls::Error),
    #[error("the client for spans can't be set up: {0}")]
    Client(#[from] reqwest::Error),
}

/// Where spans go. Clones share it.
#[derive(Clone, Default)]
pub struct Traces(Option<Exporting>);

#[derive(Clone)]
struct Exporting {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl Traces {
    /// Exports as the variables of OpenTelemetry say. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// If they can't be read.
    pub fn exporting() -> Result<Self, TracesError> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Transport::new()?)
            .build()
            .map_err(|error| TracesError::Exporter(error.to_string()))?;
        let resource = Resource::builder()
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
        let unnamed = Resource::builder().build();
        let resource = match unnamed.get(&"service.name".into()) {
            Some(name) if !name.as_str().starts_with("unknown_service") => resource,
            _ => resource.with_service_name(SERVICE),
        };
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource.build())
            .build();
        let scope = InstrumentationScope::builder(SERVICE)
            .with_version(env!("CARGO_PKG_VERSION"))
            .build();
        let tracer = provider.tracer_with_scope(scope);
        Ok(Self(Some(Exporting { provider, tracer })))
    }

    pub const fn are_exported(&self) -> bool {
        self.0.is_some()
    }

    /// Begins the trace of an attempt. `submitted` is where the job was submitted.
    pub fn attempt(&self, claim: &Claim, submitted: Option<TraceParent>) -> AttemptTrace {
        match &self.0 {
            Some(Exporting { tracer, .. }) => AttemptTrace::begin(tracer, claim, submitted),
            None => AttemptTrace::off(),
        }
    }

    /// Exports what is left.
    pub async fn end(self) {
        let Some(Exporting { provider, .. }) = self.0 else {
            return;
        };
        let ending = move || provider.shutdown_with_timeout(LAST);
        match tokio::task::spawn_blocking(ending).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the last spans are not exported"),
            Err(error) => tracing::error!(%error, "exporting the last spans failed"),
        }
    }
}
