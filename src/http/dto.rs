//! The JSON that clients read: the public contract, apart from what we hold inside.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;
use thumbforge_imaging::formats::FORMATS;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::{
    ExifSummary, FileRecord, Job, JobId, JobResult, JobStatus, PastAttempt, ThumbnailInfo,
    Timestamp, VariantOutcome, VariantRecord,
};

/// What became of a submitted URL.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Job)]
pub struct JobBody {
    /// UUID version 7.
    #[schema(example = "01980a5c-7f1e-7cc3-9d7a-6a0f5b1f8e21")]
    id: Uuid,
    /// The normalised URL: without fragment.
    #[schema(example = "https://images.example.org/harbour.jpg")]
    url: String,
    status: StatusBody,
    /// Attempts begun so far.
    #[schema(example = 1)]
    attempts: u32,
    /// UTC.
    #[schema(format = DateTime, example = "2026-01-31T12:00:00.000000Z")]
    created_at: String,
    /// UTC.
    #[schema(format = DateTime, example = "2026-01-31T12:00:00.250000Z")]
    updated_at: String,
    /// Present when completed.
    #[schema(required)]
    result: Option<Box<ResultBody>>,
    /// The last failure as a sentence; also while a retry is pending.
    #[schema(required, example = json!(null))]
    error: Option<String>,
    /// The last failure as a stable word.
    #[schema(required, example = json!(null))]
    error_code: Option<String>,
    /// 0 runs first, 9 last.
    #[schema(minimum = 0, maximum = 9, example = 5)]
    priority: u8,
    /// No attempt before; UTC.
    #[schema(required, format = DateTime, example = json!(null))]
    not_before: Option<String>,
    /// The HTTP status that the source last answered with.
    #[schema(required, example = 200)]
    source_status: Option<u16>,
    /// The variant that could not be made, if the last failure is the fault of one.
    #[schema(required, example = json!(null))]
    error_variant: Option<String>,
    /// When it ended; UTC.
    #[schema(required, format = DateTime, example = json!(null))]
    finished_at: Option<String>,
    /// The batch that made it.
    #[schema(required, example = json!(null))]
    batch_id: Option<Uuid>,
    /// As they were submitted.
    tags: Vec<String>,
    /// As it was submitted.
    #[schema(required, value_type = Option<Object>, example = json!(null))]
    metadata: Option<Box<RawValue>>,
    /// The name of the API key that submitted it.
    #[schema(required, example = json!(null))]
    submitted_by: Option<String>,
    /// Seconds for which it is kept after its end; null: as the service is set.
    #[schema(required, example = json!(null))]
    expires_in: Option<u64>,
    /// How its attempts ended, the last one last; only on the job alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    attempts_log: Option<Vec<AttemptBody>>,
}

/// How an attempt ended.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Attempt)]
pub struct AttemptBody {
    /// UTC.
    #[schema(format = DateTime, example = "2026-01-31T12:00:00.050000Z")]
    began: String,
    /// UTC.
    #[schema(format = DateTime, example = "2026-01-31T12:00:00.250000Z")]
    ended: String,
    /// The run of a worker process.
    #[schema(required)]
    worker: Option<Uuid>,
    /// `completed`, `failed`, `retried`, `parked`, `handed_back`, `lease_expired`, `worker_lost` or
    /// `cancelled`.
    #[schema(example = "completed")]
    outcome: String,
    #[schema(required, example = json!(null))]
    error_code: Option<String>,
}

/// The states of a job. The last three are its ends; a client can have a failed or cancelled job
/// tried again.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = JobStatus)]
pub enum StatusBody {
    Pending,
    Processing,
    Completed,
    Failed,
    Cancelled,
}

/// What was made, and what was found in the source image.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JobResult)]
pub struct ResultBody {
    /// Of the source as seen, i.e. after EXIF orientation; pixels.
    #[schema(minimum = 1, example = 4000)]
    width: u32,
    #[schema(minimum = 1, example = 3000)]
    height: u32,
    /// `JPEG`, `PNG`, `GIF`, `WEBP` or `BMP`.
    #[schema(example = "JPEG")]
    format: String,
    /// Of the source.
    #[schema(example = 2_049_113)]
    size_bytes: u64,
    /// As the source's server declared it.
    #[schema(required, example = "image/jpeg")]
    source_content_type: Option<String>,
    /// After redirects.
    #[schema(example = "https://images.example.org/harbour.jpg")]
    source_url: String,
    /// Of the source's bytes; lower-case hexadecimal.
    #[schema(example = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae")]
    sha256: String,
    /// Where the thumbnail lies in the storage.
    #[schema(example = "01980a5c-7f1e-7cc3-9d7a-6a0f5b1f8e21.jpg")]
    thumbnail_path: String,
    thumbnail: ThumbnailBody,
    has_alpha: bool,
    /// Frames of an animation; 1 for still images.
    #[schema(minimum = 1, example = 1)]
    frames: u32,
    /// EXIF orientation; 1 where there is none.
    #[schema(minimum = 1, maximum = 8, example = 1)]
    orientation: u8,
    /// Name of the embedded ICC profile.
    #[schema(required, example = "sRGB IEC61966-2.1")]
    icc_profile: Option<String>,
    #[schema(required)]
    exif: Option<ExifBody>,
    #[schema(pattern = "^#[0-9a-f]{6}$", example = "#4a6b8c")]
    dominant_color: String,
    /// ThumbHash, base64.
    #[schema(example = "1QcSHQRnh493V4dIh4eXh1h4kJUI")]
    thumbhash: String,
    /// True if the source ended early or is damaged: the thumbnail may lack a part of the picture
    /// or of its detail.
    truncated: bool,
    /// What was made, by name; present if the job asked for variants or a preset.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    variants: Option<BTreeMap<String, VariantBody>>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Thumbnail)]
pub struct ThumbnailBody {
    #[schema(minimum = 1, example = 256)]
    width: u32,
    #[schema(minimum = 1, example = 192)]
    height: u32,
    #[schema(example = 9411)]
    size_bytes: u64,
    #[schema(example = "image/jpeg")]
    content_type: String,
}

/// A variant that was made, or an optional one that could not be made.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = VariantResult)]
pub enum VariantBody {
    Made(MadeBody),
    Failed(FailedBody),
}

/// With several formats, the size, the type and the hash are those of the last, the fallback.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VariantMade)]
pub struct MadeBody {
    #[schema(minimum = 1, example = 320)]
    width: u32,
    #[schema(minimum = 1, example = 240)]
    height: u32,
    #[schema(example = 15_804)]
    size_bytes: u64,
    #[schema(example = "image/jpeg")]
    content_type: String,
    /// Of the file; lower-case hexadecimal.
    #[schema(example = "9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0")]
    sha256: String,
    /// Path of the variant; with several formats, `Accept` chooses one.
    #[schema(example = "/v1/images/01980a5c-7f1e-7cc3-9d7a-6a0f5b1f8e21/variants/card")]
    href: String,
    /// Present if there are several, in the order of preference.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    formats: Vec<FormatBody>,
}

/// One file of a variant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VariantFile)]
pub struct FormatBody {
    #[schema(example = "image/webp")]
    content_type: String,
    #[schema(example = 11_236)]
    size_bytes: u64,
    #[schema(example = "3e744b9dc39389baf0c5a0660589b8402f3dbb49b89b3e75f2c9355852a3c677")]
    sha256: String,
    #[schema(
        example = "/v1/images/01980a5c-7f1e-7cc3-9d7a-6a0f5b1f8e21/variants/card?format=webp"
    )]
    href: String,
}

/// Why an optional variant is not there.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VariantFailed)]
pub struct FailedBody {
    #[schema(example = "variant_too_large")]
    error_code: String,
    #[schema(example = "no quality makes the file so small")]
    error: String,
}

/// The EXIF fields that are shown; never a place.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Exif)]
pub struct ExifBody {
    #[schema(required, example = "NIKON CORPORATION NIKON D750")]
    camera: Option<String>,
    #[schema(required, example = "24.0-70.0 mm f/2.8")]
    lens: Option<String>,
    #[schema(required, example = "2025-08-17T18:04:11")]
    taken_at: Option<String>,
}

/// A page of jobs, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JobList)]
pub struct ListBody {
    pub items: Vec<JobBody>,
    pub pagination: Pagination,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Pagination {
    /// Jobs that match the filter.
    #[schema(example = 1)]
    pub total: u64,
    /// False if there are more: filters other than status and time are counted to 5,000.
    #[schema(example = true)]
    pub total_is_exact: bool,
    /// The limit that was applied.
    #[schema(minimum = 1, example = 20)]
    pub limit: u32,
    #[schema(example = 0)]
    pub offset: u64,
    /// True if there may be matching jobs after this page.
    pub has_more: bool,
    /// The `cursor` of the next page, if there may be one. A page may have fewer jobs than its limit,
    /// or none, and yet not be the last.
    #[schema(required, example = json!(null))]
    pub next_cursor: Option<String>,
}

/// How many jobs are in which state, and whether they move.
#[derive(Debug, Serialize, ToSchema)]
pub struct Metrics {
    #[schema(example = 1204)]
    pub total: u64,
    #[schema(example = 3)]
    pub pending: u64,
    #[schema(example = 1)]
    pub processing: u64,
    #[schema(example = 1188)]
    pub completed: u64,
    #[schema(example = 12)]
    pub failed: u64,
    #[schema(example = 0)]
    pub cancelled: u64,
    /// For how long the oldest job waits that could run; null if there is none.
    #[schema(required, example = 0.41)]
    pub oldest_pending_seconds: Option<f64>,
    /// For how long the oldest job waits that is due, but whose origin is parked or paused, or
    /// everything is paused; null if there is none.
    #[schema(required, example = json!(null))]
    pub oldest_parked_seconds: Option<f64>,
    /// Worker processes that have shown life lately.
    #[schema(example = 2)]
    pub workers_alive: u64,
}

/// All is well.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    #[schema(example = "ok")]
    pub status: &'static str,
}

impl From<Job> for JobBody {
    fn from(job: Job) -> Self {
        let finished_at = job.finished_at().map(|moment| moment.to_string());
        Self {
            id: job.id.0,
            url: job.url,
            status: job.status.into(),
            attempts: job.attempts,
            created_at: job.created_at.to_string(),
            updated_at: job.updated_at.to_string(),
            result: job
                .result
                .map(|result| Box::new(ResultBody::of(job.id, *result))),
            error: job.error,
            error_code: job.error_code,
            priority: job.priority.get(),
            not_before: job.not_before.map(|moment| moment.to_string()),
            source_status: job.source_status,
            error_variant: job.error_variant,
            finished_at,
            batch_id: job.batch_id,
            tags: job.tags,
            metadata: job
                .metadata
                .and_then(|json| RawValue::from_string(json).ok()),
            submitted_by: job.submitted_by,
            expires_in: job.expires_in.map(|kept| kept.as_secs()),
            attempts_log: None,
        }
    }
}

impl JobBody {
    /// With how its attempts ended.
    pub fn with_attempts(job: Job, attempts: Vec<PastAttempt>) -> Self {
        Self {
            attempts_log: Some(attempts.into_iter().map(AttemptBody::from).collect()),
            ..Self::from(job)
        }
    }
}

impl From<PastAttempt> for AttemptBody {
    fn from(attempt: PastAttempt) -> Self {
        let moment = |millis: i64| {
            let moment = Timestamp::from_unix_micros(millis.saturating_mul(1000));
            moment.unwrap_or(Timestamp::EPOCH).to_string()
        };
        Self {
            began: moment(attempt.began),
            ended: moment(attempt.ended),
            worker: attempt.worker,
            outcome: attempt.outcome,
            error_code: attempt.error_code,
        }
    }
}

impl From<JobStatus> for StatusBody {
    fn from(status: JobStatus) -> Self {
        match status {
            JobStatus::Pending => Self::Pending,
            JobStatus::Processing => Self::Processing,
            JobStatus::Completed => Self::Completed,
            JobStatus::Failed => Self::Failed,
            JobStatus::Cancelled => Self::Cancelled,
        }
    }
}

impl ResultBody {
    fn of(id: JobId, result: JobResult) -> Self {
        let variants = result.variants.into_iter();
        let variants: BTreeMap<_, _> = variants.map(|variant| variant_body(id, variant)).collect();
        Self {
            variants: (!variants.is_empty()).then_some(variants),
            width: result.width,
            height: result.height,
            format: result.format,
            size_bytes: result.size_bytes,
            source_content_type: result.source_content_type,
            source_url: result.source_url,
            sha256: result.sha256,
            thumbnail_path: result.thumbnail_path,
            thumbnail: result.thumbnail.into(),
            has_alpha: result.has_alpha,
            frames: result.frames,
            orientation: result.orientation,
            icc_profile: result.icc_profile,
            exif: result.exif.map(ExifBody::from),
            dominant_color: result.dominant_color,
            thumbhash: result.thumbhash,
            truncated: result.truncated,
        }
    }
}

impl From<ThumbnailInfo> for ThumbnailBody {
    fn from(thumbnail: ThumbnailInfo) -> Self {
        Self {
            width: thumbnail.width,
            height: thumbnail.height,
            size_bytes: thumbnail.size_bytes,
            content_type: thumbnail.content_type,
        }
    }
}

impl From<ExifSummary> for ExifBody {
    fn from(exif: ExifSummary) -> Self {
        Self {
            camera: exif.camera,
            lens: exif.lens,
            taken_at: exif.taken_at,
        }
    }
}

fn variant_body(id: JobId, variant: VariantRecord) -> (String, VariantBody) {
    let VariantRecord { name, outcome } = variant;
    let href = format!("/v1/images/{id}/variants/{name}");
    let body = match outcome {
        VariantOutcome::Failed { error_code, error } => {
            VariantBody::Failed(FailedBody { error_code, error })
        }
        VariantOutcome::Made {
            width,
            height,
            files,
        } => {
            let format_body = |file: &FileRecord| FormatBody {
                content_type: file.content_type.clone(),
                size_bytes: file.size_bytes,
                sha256: file.sha256.clone(),
                href: format!("{href}?format={}", word_of(&file.content_type)),
            };
            let formats = match files.len() {
                0 | 1 => Vec::new(),
                _ => files.iter().map(format_body).collect(),
            };
            let fallback = files.into_iter().next_back();
            let (size_bytes, content_type, sha256) = fallback
                .map(|file| (file.size_bytes, file.content_type, file.sha256))
                .unwrap_or_default();
            VariantBody::Made(MadeBody {
                width,
                height,
                size_bytes,
                content_type,
                sha256,
                href,
                formats,
            })
        }
    };
    (name, body)
}

/// The word by which a format is asked for.
fn word_of(media_type: &str) -> &'static str {
    let row = FORMATS.iter().find(|row| row.media_type == media_type);
    row.map_or("", |row| row.word)
}
