//! The trace of one attempt: a span for the whole, and one for each stage.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{
    Link, Span, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId,
    TraceState, Tracer,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SdkTracer, Span as SdkSpan};

use crate::domain::{Claim, Outcome, TraceParent};

/// Costs nothing where no spans are exported.
pub struct AttemptTrace(Option<Begun>);

struct Begun {
    tracer: SdkTracer,
    context: Context,
    whole: Mutex<SdkSpan>,
}

impl AttemptTrace {
    pub(super) const fn off() -> Self {
        Self(None)
    }

    pub(super) fn begin(tracer: &SdkTracer, claim: &Claim, submitted: Option<TraceParent>) -> Self {
        let mut attributes = vec![
            KeyValue::new("job.id", claim.id.to_string()),
            KeyValue::new("job.attempt", i64::from(claim.attempt)),
            KeyValue::new("job.origin", claim.origin.to_string()),
        ];
        if claim.is_first() {
            let waited = claim.waits_since.elapsed().as_secs_f64();
            attributes.push(KeyValue::new("job.queue_wait_seconds", waited));
        }
        let links = submitted.map(|parent| Link::with_context(remote(parent)));
        let whole = tracer
            .span_builder("attempt")
            .with_kind(SpanKind::Consumer)
            .with_attributes(attributes)
            .with_links(links.into_iter().collect())
            .start_with_context(tracer, &Context::new());
        let context = Context::new().with_remote_span_context(whole.span_context().clone());
        Self(Some(Begun {
            tracer: tracer.clone(),
            context,
            whole: Mutex::new(whole),
        }))
    }

    /// A stage that ended so long ago.
    pub fn note(&self, stage: &'static str, took: Duration, ago: Duration) {
        let Some(Begun {
            tracer, context, ..
        }) = &self.0
        else {
            return;
        };
        let end = now().checked_sub(ago).unwrap_or(SystemTime::UNIX_EPOCH);
        let mut span = tracer
            .span_builder(stage)
            .with_start_time(end.checked_sub(took).unwrap_or(SystemTime::UNIX_EPOCH))
            .start_with_context(tracer, context);
        span.end_with_timestamp(end);
    }

    /// How the attempt ended; `None` if its lease was lost.
    pub fn end(&self, outcome: Option<&Outcome>) {
        let Some(Begun { whole, .. }) = &self.0 else {
            return;
        };
        let (word, code) = outcome.map_or(("lease_lost", None), described);
        let mut whole = whole.lock().unwrap_or_else(PoisonError::into_inner);
        whole.set_attribute(KeyValue::new("job.outcome", word));
        if let Some(code) = code {
            whole.set_attribute(KeyValue::new("error.type", code));
        }
        if matches!(outcome, Some(Outcome::Failed { .. })) {
            whole.set_status(Status::error(""));
        }
        whole.end();
    }
}

fn described(outcome: &Outcome) -> (&'static str, Option<&'static str>) {
    match outcome {
        Outcome::Completed { .. } => ("completed", None),
        Outcome::Failed { code, .. } => ("failed", Some(code.as_str())),
        Outcome::Retry { code, .. } => ("retry", Some(code.as_str())),
        Outcome::Parked { code, .. } => ("parked", Some(code.as_str())),
        Outcome::Released { .. } => ("released", None),
    }
}

fn remote(parent: TraceParent) -> SpanContext {
    SpanContext::new(
        TraceId::from_bytes(parent.trace_id.to_be_bytes()),
        SpanId::from_bytes(parent.span_id.to_be_bytes()),
        TraceFlags::new(parent.flags),
        true,
        TraceState::NONE,
    )
}

#[expect(
    clippy::disallowed_methods,
    reason = "spans have the times of their process"
)]
fn now() -> SystemTime {
    SystemTime::now()
}
