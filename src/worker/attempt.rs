//! One attempt at one job.

use std::time::Duration;

use crate::domain::{
    Claim, ExifSummary, Failure, FailureCode, JobResult, Outcome, SourceUrl, ThumbnailInfo,
    failure, retry,
};
use crate::fetch::{Download, Stopped};
use crate::storage::Storage;
use base64::Engine as _;
use thumbforge_imaging::{Thumbnail, ThumbnailSpec};

use super::Parts;
use super::leases::Lease;
use super::turns::Visit;

/// The parts and rules of an attempt.
pub struct Attempt<'a> {
    pub parts: &'a Parts,
    pub spec: ThumbnailSpec,
    pub max_attempts: u32,
    /// How long a job waits for an origin that refuses.
    pub max_wait: Duration,
}

/// A source, whole or as much of it as came.
pub struct Fetched {
    download: Download,
    /// Why it is not whole.
    cut: Option<Failure>,
}

/// A thumbnail that is not published yet, and what is to be written of it.
pub struct Made {
    jpeg: Vec<u8>,
    result: JobResult,
    source_status: u16,
}

/// How long a job waits whose bytes others needed; as much again by chance.
const MEMORY_WAIT: Duration = Duration::from_millis(500);

impl Attempt<'_> {
    /// The first part: downloads.
    pub async fn fetch(&self, claim: &Claim, visit: &Visit) -> Result<Fetched, Outcome> {
        let url = SourceUrl::parse(&claim.url).map_err(|error| {
            // Accepted once, by another version or another program.
            let failure = Failure::new(FailureCode::ForbiddenSource, error.to_string());
            self.judge(claim, failure)
        })?;
        match self.parts.fetcher.fetch(&url, visit).await {
            Ok(download) => Ok(Fetched {
                download,
                cut: None,
            }),
            // Nothing more will come: maybe enough of it did.
            Err(Stopped::Cut { failure, partial }) if claim.attempt >= self.max_attempts => {
                Ok(Fetched {
                    download: *partial,
                    cut: Some(failure),
                })
            }
            Err(Stopped::Failed(failure) | Stopped::Cut { failure, .. }) => {
                Err(self.judge_visit(claim, failure, visit))
            }
            Err(Stopped::Parked { origin, status }) if visit.is_paused(&origin) => {
                Err(Outcome::Parked {
                    code: FailureCode::OriginUnavailable,
                    message: failure::paused_on_the_way(&origin),
                    source_status: status,
                    delay: paused_delay(claim.fence, rand::random()),
                })
            }
            Err(Stopped::Parked { origin, status }) => {
                let failure =
                    Failure::new(FailureCode::OriginUnavailable, PARKED).with_source_status(status);
                Err(self.park(claim, failure, visit.wait_for(&origin)))
            }
            Err(Stopped::OutOfMemory) => Err(Outcome::Released {
                delay: MEMORY_WAIT.mul_f64(1.0 + rand::random::<f64>()),
            }),
        }
    }

    /// The second part: makes the thumbnail. The source's bytes are gone with it.
    pub async fn make(&self, claim: &Claim, fetched: Fetched) -> Result<Made, Failure> {
        let Fetched { download, cut } = fetched;
        let engine = &self.parts.engine;
        match (engine.make(download.bytes.clone(), self.spec).await, cut) {
            (Ok(made), _) => Ok(Made {
                result: describe(claim, &download, &made.thumbnail, made.sha256),
                jpeg: made.thumbnail.jpeg,
                source_status: download.status,
            }),
            (Err(_), Some(failure)) | (Err(failure), None) => {
                Err(failure.with_source_status(Some(download.status)))
            }
        }
    }

    /// The third part: publishes the file, and says what is to be written. `None` if the lease
    /// was lost: then nothing was published and nothing may be written.
    pub async fn publish(
        &self,
        claim: &Claim,
        lease: &Lease,
        made: Result<Made, Outcome>,
    ) -> Option<Outcome> {
        let Made {
            jpeg,
            result,
            source_status,
        } = match made {
            Ok(made) => made,
            Err(outcome) => return Some(outcome),
        };
        if !lease.still_held().await {
            return None;
        }
        Some(match self.parts.storage.publish(claim, jpeg).await {
            Ok(()) => Outcome::Completed {
                result: Box::new(result),
                source_status: Some(source_status),
            },
            Err(error) => {
                let failure = Failure::from(error).with_source_status(Some(source_status));
                self.judge(claim, failure)
            }
        })
    }

    /// A refusal costs no attempt: the origin is left alone, and the job waits for it.
    fn judge_visit(&self, claim: &Claim, failure: Failure, visit: &Visit) -> Outcome {
        let is_refusal = failure.code == FailureCode::RateLimited
            || failure.source_status == Some(UNAVAILABLE) && failure.retry_after.is_some();
        match visit.refused_by().filter(|_| is_refusal) {
            Some(origin) => self.park(claim, failure, visit.wait_for(&origin)),
            None => self.judge(claim, failure),
        }
    }

    fn park(&self, claim: &Claim, failure: Failure, delay: Duration) -> Outcome {
        let Failure {
            code,
            message,
            source_status,
            ..
        } = failure;
        let waited = claim.waits_since.elapsed();
        // One that waited long in a backlog was refused only now.
        if waited > self.max_wait && claim.fence > OFTEN {
            return Outcome::Failed {
                code: FailureCode::OriginUnavailable,
                message: format!("the origin could not be asked for too long: {message}"),
                source_status,
            };
        }
        // Others of the origin come before it, and the longer it is refused, the more of them.
        let delay =
            delay.mul_f64(1.0 + SPREAD * rand::random::<f64>()) + waited.mul_f64(SHARE_OF_WAIT);
        Outcome::Parked {
            code,
            message,
            source_status,
            delay: delay.min(retry::LONGEST_DELAY),
        }
    }

    /// Retry or give up.
    pub(super) fn judge(&self, claim: &Claim, failure: Failure) -> Outcome {
        let may_pass = failure.is_transient();
        let Failure {
            code,
            message,
            retry_after,
            source_status,
            ..
        } = failure;
        if may_pass && claim.attempt < self.max_attempts {
            let delay = retry::delay(claim.attempt, retry_after, rand::random());
            Outcome::Retry {
                code,
                message,
                source_status,
                delay,
            }
        } else {
            Outcome::Failed {
                code,
                message,
                source_status,
            }
        }
    }
}

/// A job that was claimed so often was not refused by chance.
const OFTEN: i64 = 10;
/// What a refused job waits beside its origin's park, of all the time that it has waited.
const SHARE_OF_WAIT: f64 = 0.05;
/// By how much of a park the returns of refused jobs are spread out.
const SPREAD: f64 = 0.25;

/// How long a job waits that was claimed so often and whose redirect leads to a paused origin: each
/// wait asks the redirecting origin once more. `chance` is from 0 to 1.
fn paused_delay(claims: i64, chance: f64) -> Duration {
    let doublings = u32::try_from(2 * (claims - 1).clamp(0, 8)).unwrap_or(0);
    let step = FIRST_PAUSED_STEP * 2_u32.pow(doublings);
    step.min(failure::LONGEST_PAUSED_STEP)
        .mul_f64(0.75 + 0.25 * chance)
}

const FIRST_PAUSED_STEP: Duration = Duration::from_secs(5);
const PARKED: &str =
    "the origin is left alone for now, because it refuses requests or does not answer";
/// Service Unavailable (RFC 9110 §15.6.4).
const UNAVAILABLE: u16 = 503;

fn describe(
    claim: &Claim,
    download: &Download,
    thumbnail: &Thumbnail,
    sha256: String,
) -> JobResult {
    let source = &thumbnail.source;
    JobResult {
        width: source.width,
        height: source.height,
        format: source.format.as_str().to_owned(),
        size_bytes: download.bytes.len() as u64,
        source_content_type: download.content_type.clone(),
        source_url: download.final_url.clone(),
        sha256,
        thumbnail_path: Storage::name_of(claim.id),
        thumbnail: ThumbnailInfo {
            width: thumbnail.width,
            height: thumbnail.height,
            size_bytes: thumbnail.jpeg.len() as u64,
            content_type: "image/jpeg".to_owned(),
        },
        has_alpha: source.has_alpha,
        frames: source.frames,
        orientation: source.orientation,
        icc_profile: source.icc_profile.clone(),
        exif: source.exif.clone().map(|exif| ExifSummary {
            camera: exif.camera,
            lens: exif.lens,
            taken_at: exif.taken_at,
        }),
        dominant_color: thumbnail.dominant_color.clone(),
        thumbhash: base64::engine::general_purpose::STANDARD.encode(&thumbnail.thumbhash),
        truncated: source.truncated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_a_paused_origin_grow_to_a_minute() {
        let seconds: Vec<_> = [1, 2, 3, 4, 1000]
            .map(|claims| paused_delay(claims, 1.0).as_secs())
            .into();
        assert_eq!(seconds, [5, 20, 60, 60, 60]);
        assert_eq!(paused_delay(0, 0.0), Duration::from_millis(3750));
    }
}
