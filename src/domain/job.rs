//! A job, its states, and its result. The order of the states: [`super::transition`].

use std::time::Duration;

use thumbforge_intake::{FailureCode, JobStatus, Origin, Priority, Timestamp};

use super::exif_summary::ExifSummary;

/// A job's id: UUIDv7 when made here; any UUID is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub uuid::Uuid);

impl JobId {
    /// A new id, greater than every id made before in this process.
    pub fn generate() -> Self {
        Self(uuid::Uuid::now_v7())
    }
}

impl std::fmt::Display for JobId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for JobId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        uuid::Uuid::parse_str(text).map(Self)
    }
}

/// A job as the API shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    pub id: JobId,
    /// The normalised URL.
    pub url: String,
    pub status: JobStatus,
    /// Attempts begun, without those handed back by a shutdown.
    pub attempts: u32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub result: Option<Box<JobResult>>,
    /// A sentence for humans: of the last failure, also while a retry is pending.
    pub error: Option<String>,
    pub error_code: Option<String>,
    pub priority: Priority,
    pub not_before: Option<Timestamp>,
    /// The HTTP status that the source last answered with.
    pub source_status: Option<u16>,
    /// The variant that could not be made, if that is why the last attempt failed.
    pub error_variant: Option<String>,
    pub batch_id: Option<uuid::Uuid>,
    pub tags: Vec<String>,
    /// The client's own words: a JSON object, as text.
    pub metadata: Option<String>,
    /// The name of the API key.
    pub submitted_by: Option<String>,
    /// How long the job is kept after its end; `None`: as the settings say.
    pub expires_in: Option<Duration>,
}

impl Job {
    /// When it ended, if it has.
    pub fn finished_at(&self) -> Option<Timestamp> {
        (!super::transition::is_active(self.status)).then_some(self.updated_at)
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct PastAttempt {
    /// Milliseconds since the Unix epoch.
    pub began: i64,
    pub ended: i64,
    pub worker: Option<uuid::Uuid>,
    pub outcome: String,
    #[serde(default)]
    pub error_code: Option<String>,
}

/// The right to work on a job: every write of its holder is conditional on `fence`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub id: JobId,
    pub url: String,
    /// Of that URL.
    pub origin: Origin,
    /// When the job began to wait: its submission, or the moment before which it must not run.
    pub waits_since: Timestamp,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// Grows with every claim of the job and is never reused, so that a worker whose lease
    /// was taken over can't write.
    pub fence: i64,
    /// What to make, as [`super::Variants::to_json`] wrote it; `None`: the one thumbnail of the
    /// settings.
    pub variants: Option<String>,
}

impl Claim {
    /// No earlier claim of the job was made: it has waited since its submission, or since the moment
    /// before which it must not run.
    pub const fn is_first(&self) -> bool {
        self.fence == 1
    }
}

/// What is known of a completed job; the JSON of the API and of the database.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct JobResult {
    pub width: u32,
    pub height: u32,
    pub format: String,
    pub size_bytes: u64,
    pub source_content_type: Option<String>,
    pub source_url: String,
    pub sha256: String,
    pub thumbnail_path: String,
    pub thumbnail: ThumbnailInfo,
    pub has_alpha: bool,
    pub frames: u32,
    pub orientation: u8,
    pub icc_profile: Option<String>,
    pub exif: Option<ExifSummary>,
    pub dominant_color: String,
    pub thumbhash: String,
    #[serde(default)]
    pub truncated: bool,
    /// In the order of the request; empty for the one thumbnail of the settings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<VariantRecord>,
}

impl JobResult {
    /// The files of all variants.
    pub fn files(&self) -> impl Iterator<Item = &FileRecord> {
        self.variants.iter().flat_map(VariantRecord::files)
    }
}

/// The result of one variant.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct VariantRecord {
    pub name: String,
    #[serde(flatten)]
    pub outcome: VariantOutcome,
}

impl VariantRecord {
    /// In the order of preference; none if it could not be made.
    pub fn files(&self) -> &[FileRecord] {
        match &self.outcome {
            VariantOutcome::Made { files, .. } => files,
            VariantOutcome::Failed { .. } => &[],
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub enum VariantOutcome {
    Made {
        width: u32,
        height: u32,
        /// One a format, in the order of preference; the last is the fallback. Never empty.
        files: Vec<FileRecord>,
    },
    /// Of an optional variant.
    Failed { error_code: String, error: String },
}

/// A stored file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FileRecord {
    /// Within the storage.
    pub path: String,
    pub content_type: String,
    pub size_bytes: u64,
    /// Lower-case hex.
    pub sha256: String,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ThumbnailInfo {
    pub width: u32,
    pub height: u32,
    pub size_bytes: u64,
    pub content_type: String,
}

/// How an attempt ended, to be written under its [`Claim`].
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Completed {
        result: Box<JobResult>,
        source_status: Option<u16>,
    },
    /// Final.
    Failed {
        code: FailureCode,
        message: String,
        source_status: Option<u16>,
        /// The variant that could not be made.
        variant: Option<String>,
    },
    /// Pending again, due after `delay`.
    Retry {
        code: FailureCode,
        message: String,
        source_status: Option<u16>,
        variant: Option<String>,
        delay: Duration,
    },
    /// Pending again, due after `delay`, and the attempt does not count: the origin refused.
    Parked {
        code: FailureCode,
        message: String,
        source_status: Option<u16>,
        delay: Duration,
    },
    /// Pending again after `delay`, and the attempt does not count: the worker is shutting down, or
    /// others needed its memory.
    Released { delay: Duration },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_ids_ascend() {
        let ids: Vec<_> = (0..1000).map(|_| JobId::generate()).collect();
        assert!(ids.is_sorted());
    }
}
