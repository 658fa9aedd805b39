//! One attempt at one job.

use crate::domain::{
    Claim, Failure, FailureCode, JobResult, Outcome, SourceUrl, Thumbnail, ThumbnailInfo,
    ThumbnailSpec, retry,
};
use crate::fetch::{AnyHop, Download, Stopped};
use crate::storage::Storage;
use base64::Engine as _;

use super::Parts;
use super::leases::Lease;

/// The parts and rules of an attempt.
pub struct Attempt<'a> {
    pub parts: &'a Parts,
    pub spec: ThumbnailSpec,
    pub max_attempts: u32,
}

/// A thumbnail that is not published yet, and what is to be written of it.
pub struct Made {
    jpeg: Vec<u8>,
    result: JobResult,
}

impl Attempt<'_> {
    /// The first part: downloads, and makes the thumbnail. The source's bytes are gone with it.
    pub async fn make(&self, claim: &Claim) -> Result<Made, Failure> {
        let url = SourceUrl::parse(&claim.url).map_err(|error| {
            // Accepted once, by another version or another program.
            Failure::new(FailureCode::ForbiddenSource, error.to_string())
        })?;
        match self.parts.fetcher.fetch(&url, &AnyHop).await {
            Ok(download) => self.make_of(claim, &download).await,
            Err(Stopped::Failed(failure)) => Err(failure),
            // Nothing more will come: maybe enough of it did.
            Err(Stopped::Cut { failure, partial }) if claim.attempt >= self.max_attempts => {
                let made = self.make_of(claim, &partial).await;
                made.map_err(|_| failure)
            }
            Err(Stopped::Cut { failure, .. }) => Err(failure),
            Err(Stopped::Parked(_)) => Err(Failure::new(
                FailureCode::OriginUnavailable,
                "the source may not be fetched now",
            )),
            Err(Stopped::OutOfMemory) => Err(Failure::new(
                FailureCode::Internal,
                "the memory for downloads is out",
            )),
        }
    }

    async fn make_of(&self, claim: &Claim, download: &Download) -> Result<Made, Failure> {
        let bytes = download.bytes.clone();
        let made = self.parts.engine.make(bytes, self.spec).await?;
        Ok(Made {
            result: describe(claim, download, &made.thumbnail, made.sha256),
            jpeg: made.thumbnail.jpeg,
        })
    }

    /// The second part: publishes the file, and says what is to be written. `None` if the lease
    /// was lost: then nothing was published and nothing may be written.
    pub async fn publish(
        &self,
        claim: &Claim,
        lease: &Lease,
        made: Result<Made, Failure>,
    ) -> Option<Outcome> {
        let Made { jpeg, result } = match made {
            Ok(made) => made,
            Err(failure) => return Some(self.judge(claim, failure)),
        };
        if !lease.still_held().await {
            return None;
        }
        Some(match self.parts.storage.publish(claim, jpeg).await {
            Ok(()) => Outcome::Completed(Box::new(result)),
            Err(error) => self.judge(claim, error.into()),
        })
    }

    /// Retry or give up.
    pub(super) fn judge(&self, claim: &Claim, failure: Failure) -> Outcome {
        let is_transient = failure.is_transient();
        let Failure {
            code,
            message,
            retry_after,
            ..
        } = failure;
        if is_transient && claim.attempt < self.max_attempts {
            let delay = retry::delay(claim.attempt, retry_after, rand::random());
            Outcome::Retry {
                code,
                message,
                delay,
            }
        } else {
            Outcome::Failed { code, message }
        }
    }
}

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
        exif: source.exif.clone(),
        dominant_color: thumbnail.dominant_color.clone(),
        thumbhash: base64::engine::general_purpose::STANDARD.encode(&thumbnail.thumbhash),
        truncated: source.truncated,
    }
}
