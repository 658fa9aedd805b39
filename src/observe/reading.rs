//! Values that a part knows anyway, and that are asked for when somebody looks.

use std::fmt;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

type Read<T> = Box<dyn Fn() -> T + Send + Sync>;

/// A value, or several under the words of one label.
pub(super) struct Reading {
    kind: MetricType,
    read: Values,
}

enum Values {
    One(Read<Option<f64>>),
    Labelled(&'static str, Read<Vec<(&'static str, f64)>>),
}

impl Reading {
    pub(super) fn gauge(read: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        Self::optional_gauge(move || Some(read()))
    }

    /// A gauge that is left out while its value is unknown.
    pub(super) fn optional_gauge(read: impl Fn() -> Option<f64> + Send + Sync + 'static) -> Self {
        Self::new(MetricType::Gauge, Values::One(Box::new(read)))
    }

    /// What `read` returns must never shrink.
    pub(super) fn counter(read: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        let read = move || Some(read());
        Self::new(MetricType::Counter, Values::One(Box::new(read)))
    }

    /// A gauge for each word of `label`.
    pub(super) fn gauges(
        label: &'static str,
        read: impl Fn() -> Vec<(&'static str, f64)> + Send + Sync + 'static,
    ) -> Self {
        Self::new(MetricType::Gauge, Values::Labelled(label, Box::new(read)))
    }

    const fn new(kind: MetricType, read: Values) -> Self {
        Self { kind, read }
    }

    fn encode_one(&self, encoder: &mut MetricEncoder, value: f64) -> fmt::Result {
        match self.kind {
            MetricType::Counter => encoder.encode_counter::<NoLabelSet, _, f64>(&value, None),
            _ => encoder.encode_gauge(&value),
        }
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reading({})", self.kind.as_str())
    }
}

impl EncodeMetric for Reading {
    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        match &self.read {
            Values::One(read) => match read() {
                Some(value) => self.encode_one(&mut encoder, value),
                None => Ok(()),
            },
            Values::Labelled(label, read) => {
                for (word, value) in read() {
                    let labels = [(*label, word)];
                    self.encode_one(&mut encoder.encode_family(&labels)?, value)?;
                }
                Ok(())
            }
        }
    }

    fn metric_type(&self) -> MetricType {
        self.kind
    }
}
