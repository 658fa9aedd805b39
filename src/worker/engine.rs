//! The CPU side: at most so many decodes at once, in at most so much memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::source_url::hex;
use crate::domain::{Failure, FailureCode, Thumbnail, ThumbnailSpec};
use crate::imaging;

/// What an image may cost.
#[derive(Debug, Clone, Copy)]
pub struct DecodeLimits {
    pub max_pixels: u64,
    /// Of all decodes of the process together.
    pub memory_bytes: u64,
    /// Of one decode, by the wall clock.
    pub timeout: Duration,
}

/// Makes thumbnails on blocking threads. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    threads: Arc<Semaphore>,
    /// One permit a KiB.
    memory: Arc<Semaphore>,
    limits: DecodeLimits,
}

/// A thumbnail with the SHA-256 of its source as 64 hex digits.
pub struct Made {
    pub thumbnail: Thumbnail,
    pub sha256: String,
}

/// What the engine may run over its own time limit before its thread is given up for lost.
const OVERTIME: Duration = Duration::from_secs(5);

impl Engine {
    pub fn new(threads: usize, limits: DecodeLimits) -> Self {
        let kib = usize::try_from(limits.memory_bytes.div_ceil(1024))
            .unwrap_or(Semaphore::MAX_PERMITS)
            .clamp(1, u32::MAX as usize);
        Self {
            threads: Arc::new(Semaphore::new(threads)),
            memory: Arc::new(Semaphore::new(kib)),
            limits,
        }
    }

    /// Waits for a thread and for memory, then decodes, resizes and encodes. A panic of the
    /// decoder is a failure of this job alone.
    pub async fn make(&self, bytes: Bytes, spec: ThumbnailSpec) -> Result<Made, Failure> {
        let thread = Arc::clone(&self.threads)
            .acquire_owned()
            .await
            .map_err(|_| Failure::new(FailureCode::Internal, "the engine has stopped"))?;
        let engine = self.clone();
        let runtime = Handle::current();
        let work = tokio::task::spawn_blocking(move || {
            let made = engine.make_blocking(&runtime, &bytes, &spec);
            drop(thread);
            made
        });
        match tokio::time::timeout(self.limits.timeout + OVERTIME, work).await {
            Ok(Ok(made)) => made,
            Ok(Err(error)) => {
                tracing::error!(%error, "a panic in the image engine");
                Err(Failure::new(
                    FailureCode::Internal,
                    "the image engine failed on this image",
                ))
            }
            Err(_) => Err(Failure::new(
                FailureCode::DecodeTimeout,
                "the image took too long to decode",
            )),
        }
    }

    fn make_blocking(
        &self,
        runtime: &Handle,
        bytes: &[u8],
        spec: &ThumbnailSpec,
    ) -> Result<Made, Failure> {
        let limits = imaging::Limits {
            max_pixels: self.limits.max_pixels,
            max_memory_bytes: usize::try_from(self.limits.memory_bytes).unwrap_or(usize::MAX),
            deadline: Some(Instant::now() + self.limits.timeout),
            ..imaging::Limits::default()
        };
        let probe = imaging::probe(bytes, spec, &limits)?;
        let _memory = self.reserve(runtime, probe.memory_bytes)?;
        let limits = imaging::Limits {
            // Waiting for memory is not the image's fault.
            deadline: Some(Instant::now() + self.limits.timeout),
            ..limits
        };
        let thumbnail = imaging::thumbnail(bytes, spec, &limits)?;
        Ok(Made {
            thumbnail,
            sha256: hex(&Sha256::digest(bytes)),
        })
    }

    /// Those who hold memory hold a thread too and will end: the wait is bounded.
    fn reserve(&self, runtime: &Handle, bytes: usize) -> Result<OwnedSemaphorePermit, Failure> {
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
        if u64::from(kib) * 1024 > self.limits.memory_bytes.next_multiple_of(1024) {
            return Err(Failure::new(
                FailureCode::ImageTooLarge,
                "the image needs more memory than all decodes together may use",
            ));
        }
        let memory = Arc::clone(&self.memory);
        runtime
            .block_on(memory.acquire_many_owned(kib))
            .map_err(|_| Failure::new(FailureCode::Internal, "the engine has stopped"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: ThumbnailSpec = ThumbnailSpec {
        max_side: 256,
        jpeg_quality: 85,
    };

    fn picture() -> Bytes {
        let samples = vec![128; 600 * 400 * 3];
        let mut jpeg = Vec::new();
        jpeg_encoder::Encoder::new(&mut jpeg, 85)
            .encode(&samples, 600, 400, jpeg_encoder::ColorType::Rgb)
            .unwrap();
        jpeg.into()
    }

    fn needed_bytes() -> u64 {
        let probe = imaging::probe(&picture(), &SPEC, &imaging::Limits::default());
        probe.unwrap().memory_bytes as u64
    }

    fn engine(memory_bytes: u64) -> Engine {
        let limits = DecodeLimits {
            max_pixels: 1_000_000,
            memory_bytes,
            timeout: Duration::from_secs(15),
        };
        Engine::new(2, limits)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_image_that_needs_more_than_the_whole_budget_is_refused() {
        assert!(engine(needed_bytes()).make(picture(), SPEC).await.is_ok());
        let failure = engine(needed_bytes() / 2).make(picture(), SPEC).await.err();
        assert_eq!(
            failure.map(|failure| failure.code),
            Some(FailureCode::ImageTooLarge)
        );
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_decode_waits_until_the_others_leave_it_memory() {
        let engine = engine(needed_bytes() * 3 / 2);
        let all = engine.memory.available_permits() as u32;
        let others = Arc::clone(&engine.memory).acquire_many_owned(all / 2).await;
        let mut made = std::pin::pin!(engine.make(picture(), SPEC));
        let early = tokio::time::timeout(Duration::from_millis(300), &mut made).await;
        assert!(early.is_err(), "it did not wait");
        drop(others);
        assert!(made.await.is_ok());
        assert_eq!(
            engine.memory.available_permits() as u32,
            all,
            "memory was not given back"
        );
    }
}
