//! The JSON of the curves of ends.

use serde::Serialize;
use utoipa::ToSchema;

use crate::db::{FlowBucket, JobFlow};
use crate::domain::{FlowCounts, FlowRange, FlowStep, Histogram};

/// Jobs that ended, in buckets of time.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Flow)]
pub struct FlowBody {
    step: StepWord,
    /// When the first bucket begins; UTC.
    #[schema(format = DateTime)]
    from: String,
    /// When the last bucket ends; UTC. It may lie in the future: then that bucket is not complete.
    #[schema(format = DateTime)]
    to: String,
    /// Every bucket, the oldest first.
    #[schema(max_items = 1500)]
    items: Vec<FlowItem>,
    /// All buckets together.
    total: FlowTotal,
    /// False for a while after the service was away or upgraded, until all ends are counted.
    #[schema(example = true)]
    is_exact: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = FlowStep)]
enum StepWord {
    Minute,
    Hour,
    Day,
}

/// Jobs that ended in a bucket.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FlowBucket)]
pub struct FlowItem {
    /// When the bucket begins; UTC.
    #[schema(format = DateTime)]
    at: String,
    #[serde(flatten)]
    counts: FlowTotal,
}

/// Jobs that ended. One that was retried by a client may have ended more than once.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FlowCounts)]
pub struct FlowTotal {
    #[schema(example = 1180)]
    completed: u64,
    #[schema(example = 12)]
    failed: u64,
    #[schema(example = 0)]
    cancelled: u64,
    /// From the submission, the retry by a client, or `not_before`, to the first claim; of all jobs
    /// that were claimed. Null without any.
    #[schema(required)]
    wait: Option<Spread>,
    /// From the last claim to the end, of completed and failed jobs. Null without any.
    #[schema(required)]
    work: Option<Spread>,
}

/// How long it took, to within 7 %.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FlowSpread)]
pub struct Spread {
    /// Half took no longer.
    #[schema(example = 0.18)]
    p50_seconds: f64,
    /// 95 of 100 took no longer.
    #[schema(example = 0.92)]
    p95_seconds: f64,
}

impl FlowBody {
    pub fn new(range: FlowRange, flow: JobFlow) -> Self {
        let begin = |bucket| {
            let moment = range.step.begin(bucket);
            moment.map(|moment| moment.to_string()).unwrap_or_default()
        };
        let item = |bucket: FlowBucket| FlowItem {
            at: begin(bucket.number),
            counts: FlowTotal::from(&bucket.counts),
        };
        Self {
            step: match range.step {
                FlowStep::Minute => StepWord::Minute,
                FlowStep::Hour => StepWord::Hour,
                FlowStep::Day => StepWord::Day,
            },
            from: begin(range.first),
            to: begin(range.last + 1),
            items: flow.buckets.into_iter().map(item).collect(),
            total: FlowTotal::from(&flow.total),
            is_exact: flow.is_exact,
        }
    }
}

impl From<&FlowCounts> for FlowTotal {
    fn from(counts: &FlowCounts) -> Self {
        Self {
            completed: counts.completed,
            failed: counts.failed,
            cancelled: counts.cancelled,
            wait: Spread::of(&counts.waits),
            work: Spread::of(&counts.works),
        }
    }
}

impl Spread {
    fn of(histogram: &Histogram) -> Option<Self> {
        Some(Self {
            p50_seconds: histogram.percentile(50)?.as_secs_f64(),
            p95_seconds: histogram.percentile(95)?.as_secs_f64(),
        })
    }
}
