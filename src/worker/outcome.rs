//! Writing how an attempt ended.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::litter;
use super::parts::Parts;
use crate::domain::{Claim, FailureCode, Outcome};
use crate::observe::{Stage, WorkOutcome};
use crate::storage::TemporaryFile;
use crate::traces::AttemptTrace;

const PAUSE: Duration = Duration::from_millis(300);

/// Waits for a database that is away as long as it takes: until another worker has taken the job
/// over, a late outcome counts.
pub(super) async fn write(parts: &Parts, trace: &AttemptTrace, claim: &Claim, outcome: &Outcome) {
    let mut said = false;
    let began = Instant::now();
    loop {
        match parts.database.finish(claim, outcome).await {
            Ok(true) => {
                let meters = &parts.meters;
                let took = began.elapsed();
                meters.note_stage(Stage::Commit, took);
                trace.note(Stage::Commit.as_str(), took, Duration::ZERO);
                meters.note_outcome(counted(outcome));
                break after(parts, claim, outcome).await;
            }
            Ok(false) => {
                parts.meters.note_lost_lease();
                tracing::warn!("the job was taken over, or its outcome is written already");
                if leaves_a_marker(outcome) {
                    litter::clear(&parts.database, &parts.storage, &[TemporaryFile::of(claim)])
                        .await;
                }
                break;
            }
            Err(error) if error.is_unavailable() => {
                if !said {
                    tracing::warn!(%error, "the outcome is not written yet");
                    said = true;
                }
                sleep(PAUSE.mul_f64(0.5 + rand::random::<f64>())).await;
            }
            Err(error) => {
                tracing::error!(%error, "the database refused the outcome");
                break refused(parts, claim).await;
            }
        }
    }
}

const fn counted(outcome: &Outcome) -> WorkOutcome {
    match outcome {
        Outcome::Completed { .. } => WorkOutcome::Completed,
        Outcome::Failed { code, .. } => WorkOutcome::Failed(*code),
        Outcome::Retry { code, .. } => WorkOutcome::Retried(*code),
        Outcome::Parked { code, .. } => WorkOutcome::Parked(*code),
        Outcome::Released { .. } => WorkOutcome::Released,
    }
}

/// True if several files were published; their marker stays until they are settled.
fn leaves_a_marker(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Completed { result, .. } => result.files().count() > 1,
        _ => false,
    }
}

async fn after(parts: &Parts, claim: &Claim, outcome: &Outcome) {
    match outcome {
        Outcome::Completed { result, .. } => {
            tracing::info!(
                width = result.width,
                height = result.height,
                format = %result.format,
                bytes = result.size_bytes,
                files = result.files().count().max(1),
                "completed"
            );
            if leaves_a_marker(outcome) {
                let first = result.thumbnail_path.clone();
                let settled = parts.storage.settle(TemporaryFile::of(claim), first).await;
                if let Err(error) = settled {
                    tracing::warn!(
                        %error,
                        "files of earlier attempts stay until they are looked for"
                    );
                }
            }
        }
        Outcome::Retry {
            code,
            message,
            delay,
            ..
        } => tracing::info!(
            error.code = code.as_str(),
            error.message = %message,
            delay_ms = delay.as_millis() as u64,
            "to be tried again"
        ),
        Outcome::Parked { code, message, .. } => tracing::info!(
            error.code = code.as_str(),
            error.message = %message,
            "its origin refused: it waits, and the attempt does not count"
        ),
        Outcome::Released { delay } => {
            if delay.is_zero() {
                parts.queue.push_back(&[claim.id]).await;
            }
            tracing::info!("handed back");
        }
        Outcome::Failed {
            code,
            message,
            variant,
            ..
        } => {
            // Of the URL only the host: path and query may hold secrets.
            tracing::warn!(
                source.host = claim.origin.host(),
                error.code = code.as_str(),
                error.message = %message,
                error.variant = variant.as_deref(),
                "failed"
            );
            remove(parts, claim).await;
        }
    }
}

/// This attempt, or an earlier one, may have published without reporting it.
async fn remove(parts: &Parts, claim: &Claim) {
    if let Err(error) = parts.storage.remove(claim.id).await {
        tracing::warn!(%error, "a thumbnail without a job stays behind");
    }
}

/// A refused write is not retried: the job ends with a plain failure.
async fn refused(parts: &Parts, claim: &Claim) {
    let failed = Outcome::Failed {
        code: FailureCode::Internal,
        message: "the result could not be stored".to_owned(),
        source_status: None,
        variant: None,
    };
    match parts.database.finish(claim, &failed).await {
        Ok(true) => remove(parts, claim).await,
        Ok(false) => {}
        Err(error) => {
            tracing::error!(%error, "the failure was not written either; the lease will expire");
        }
    }
}
