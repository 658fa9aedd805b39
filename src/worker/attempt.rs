//! One attempt at one job.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::domain::{
    Claim, Failure, FailureCode, JobResult, Outcome, SourceUrl, Variants, failure, retry,
};
use crate::fetch::{Download, Stopped};
use crate::observe::Stage;
use crate::storage::NewFile;
use crate::traces::AttemptTrace;
use thumbforge_imaging::Variant;

use super::leases::Lease;
use super::parts::Parts;
use super::record;
use super::rendering::{VariantFailure, Wanted};
use super::turns::Visit;

/// The parts and rules of an attempt.
pub struct Attempt<'a> {
    pub parts: &'a Parts,
    pub trace: &'a AttemptTrace,
    /// What a job makes if it asks for no variants.
    pub thumbnail: &'a Variant,
    pub max_attempts: u32,
    /// How long a job waits for an origin that refuses.
    pub max_wait: Duration,
}

/// A source, whole or as far as it arrived.
pub struct Fetched {
    download: Download,
    /// Why it is not whole.
    cut: Option<Failure>,
    /// What to make of it; `None`: the one thumbnail of the settings.
    variants: Option<Variants>,
}

/// Files that are not published yet, and the record to be written of them.
pub struct Made {
    files: Vec<NewFile>,
    result: JobResult,
    source_status: u16,
}

/// How long a job waits whose bytes others needed; up to as much again at random.
const MEMORY_WAIT: Duration = Duration::from_millis(500);

impl Attempt<'_> {
    /// A stage that has just ended.
    pub fn note(&self, stage: Stage, took: Duration) {
        self.note_before(stage, took, Duration::ZERO);
    }

    /// A stage that ended so long ago.
    fn note_before(&self, stage: Stage, took: Duration, ago: Duration) {
        self.parts.meters.note_stage(stage, took);
        self.trace.note(stage.as_str(), took, ago);
    }

    /// The first part: downloads.
    pub async fn fetch(&self, claim: &Claim, visit: &Visit) -> Result<Fetched, Outcome> {
        let url = SourceUrl::parse(&claim.url).map_err(|error| {
            // Accepted at some time, by another version or another program.
            let failure = Failure::new(FailureCode::ForbiddenSource, error.to_string());
            self.judge(claim, failure)
        })?;
        let variants = self.variants(claim)?;
        match self.parts.fetcher.fetch(&url, visit).await {
            Ok(download) => Ok(Fetched {
                download,
                cut: None,
                variants,
            }),
            // Nothing more will come: the part that came may be enough.
            Err(Stopped::Cut { failure, partial }) if claim.attempt >= self.max_attempts => {
                Ok(Fetched {
                    download: *partial,
                    cut: Some(failure),
                    variants,
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

    fn variants(&self, claim: &Claim) -> Result<Option<Variants>, Outcome> {
        let Some(text) = &claim.variants else {
            return Ok(None);
        };
        let variants = Variants::from_json(text);
        variants.map(Some).ok_or_else(|| {
            // Accepted at some time, by another program: this version can read whatever it claims.
            let failure = Failure::new(FailureCode::Internal, "the variants can't be read");
            self.judge(claim, failure.permanent(true))
        })
    }

    /// The second part: makes the requested pictures. The source's bytes are dropped with it.
    pub async fn make(&self, claim: &Claim, fetched: Fetched) -> Result<Made, Outcome> {
        let Fetched {
            download,
            cut,
            variants,
        } = fetched;
        let wanted: Arc<[Wanted]> = match &variants {
            None => Arc::new([Wanted {
                variant: self.thumbnail.clone(),
                optional: false,
            }]),
            Some(variants) => Wanted::all(variants),
        };
        let source_status = download.status;
        let made = self.parts.engine.make(download.bytes.clone(), wanted).await;
        if let Ok(made) = &made {
            self.note_before(Stage::Decode, made.took.decode, made.took.render);
            self.note(Stage::Render, made.took.render);
        }
        let described = match (made, cut) {
            (Ok(made), _) => record::describe(claim, &download, variants.as_ref(), made)
                .await
                .map_err(VariantFailure::from),
            (Err(_), Some(failure)) => Err(failure.into()),
            (Err(failed), None) => Err(failed),
        };
        match described {
            Ok((result, files)) => Ok(Made {
                files,
                result,
                source_status,
            }),
            Err(VariantFailure { failure, variant }) => {
                let named = variants.zip(variant).and_then(|(variants, index)| {
                    let named = variants.iter().nth(index);
                    named.map(|named| named.name.clone())
                });
                let failure = failure.with_source_status(Some(source_status));
                Err(self.judge_variant(claim, failure, named))
            }
        }
    }

    /// The third part: publishes the file, and returns what is to be written. `None` if the lease
    /// was lost: then nothing was published and nothing may be written.
    pub async fn publish(
        &self,
        claim: &Claim,
        lease: &Lease,
        made: Result<Made, Outcome>,
    ) -> Option<Outcome> {
        let Made {
            files,
            result,
            source_status,
        } = match made {
            Ok(made) => made,
            Err(outcome) => return Some(outcome),
        };
        if !lease.still_held().await {
            return None;
        }
        let began = Instant::now();
        let bytes = files.iter().map(|file| file.bytes.len() as u64).sum();
        let published = self.parts.storage.publish(claim, files).await;
        self.note(Stage::Store, began.elapsed());
        Some(match published {
            Ok(false) => return None,
            Ok(true) => {
                self.parts.meters.note_stored(bytes);
                Outcome::Completed {
                    result: Box::new(result),
                    source_status: Some(source_status),
                }
            }
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
        // A job that waited long in a backlog was refused only now.
        if waited > self.max_wait && claim.fence > OFTEN {
            return Outcome::Failed {
                code: FailureCode::OriginUnavailable,
                message: format!("the origin could not be asked for too long: {message}"),
                source_status,
                variant: None,
            };
        }
        // Others of the origin come first, and the more of them, the longer it is refused.
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
        self.judge_variant(claim, failure, None)
    }

    /// The same for a failure that one variant caused.
    fn judge_variant(&self, claim: &Claim, failure: Failure, variant: Option<String>) -> Outcome {
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
                variant,
                delay,
            }
        } else {
            Outcome::Failed {
                code,
                message,
                source_status,
                variant,
            }
        }
    }
}

/// A job that was claimed this often was not refused by chance.
const OFTEN: i64 = 10;
/// What a refused job waits in addition to its origin's park, as a share of its whole wait so far.
const SHARE_OF_WAIT: f64 = 0.05;
/// By how much of a park the returns of refused jobs are spread out.
const SPREAD: f64 = 0.25;

/// How long a job waits that was claimed this often and whose redirect leads to a paused origin:
/// each wait asks the redirecting origin again. `chance` is from 0 to 1.
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
