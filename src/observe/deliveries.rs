//! What came of the deliveries to webhooks that a process tried.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// How a try ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryOutcome {
    Delivered,
    /// It failed, and is tried again.
    Retried,
    /// It failed, and is given up.
    Failed,
}

/// Handles of what is counted. Clones share the numbers.
#[derive(Debug, Clone)]
pub struct DeliveryMeters {
    delivered: Counter,
    retried: Counter,
    failed: Counter,
    all: Family<OutcomeLabel, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

impl Default for DeliveryMeters {
    /// All at zero: a rate is right from the first time that something happens.
    fn default() -> Self {
        let all: Family<OutcomeLabel, Counter> = Family::default();
        let counter = |outcome| all.get_or_create_owned(&OutcomeLabel { outcome });
        Self {
            delivered: counter("delivered"),
            retried: counter("retried"),
            failed: counter("failed"),
            all,
        }
    }
}

impl DeliveryMeters {
    /// Counts a try, once the database has its end.
    pub fn note(&self, outcome: DeliveryOutcome) {
        let counter = match outcome {
            DeliveryOutcome::Delivered => &self.delivered,
            DeliveryOutcome::Retried => &self.retried,
            DeliveryOutcome::Failed => &self.failed,
        };
        counter.inc();
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "webhook_deliveries",
            "Tries of deliveries to webhooks that this process ended: delivered, retried (failed, \
             and tried again later) or failed (given up)",
            self.all.clone(),
        );
    }
}
