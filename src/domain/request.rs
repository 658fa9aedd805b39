//! What a client asks for.

use std::time::Duration;

use super::{DuplicateHandling, Schedule, SourceUrl, TraceParent, Variants};

/// A job to be made.
#[derive(Debug, Clone)]
pub struct Request {
    pub url: SourceUrl,
    pub policy: DuplicateHandling,
    pub schedule: Schedule,
    /// `None`: the one thumbnail of the settings.
    pub variants: Option<Variants>,
    pub labels: Labels,
}

/// What clients write on their jobs; nothing depends on it but what they look for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels {
    pub tags: Vec<String>,
    /// A JSON object, as text.
    pub metadata: Option<String>,
    /// The name of the API key.
    pub submitted_by: Option<String>,
    /// How long the job is kept after its end; `None`: as the settings say.
    pub expires_in: Option<Duration>,
    /// In which trace the job was submitted.
    pub traceparent: Option<TraceParent>,
}

impl Request {
    /// Without labels.
    pub fn new(
        url: &SourceUrl,
        policy: DuplicateHandling,
        schedule: Schedule,
        variants: Option<&Variants>,
    ) -> Self {
        Self {
            url: url.clone(),
            policy,
            schedule,
            variants: variants.cloned(),
            labels: Labels::default(),
        }
    }
}
