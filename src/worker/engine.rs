//! The CPU side: bounds concurrent decodes and the memory they share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::rendering::{Made, Opened, Paused, VariantFailure, Wanted};
use crate::domain::{Failure, FailureCode};
use crate::isolation::Decoders;
use thumbforge_imaging as imaging;

/// What an image may cost.
#[derive(Debug, Clone, Copy)]
pub struct DecodeLimits {
    pub max_pixels: u64,
    /// Shared by all renditions of a job.
    pub max_output_pixels: u64,
    /// Shared by all decodes of the process.
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
    memory_kib: usize,
    limits: DecodeLimits,
    decoders: Decoders,
    overtime: Duration,
}

/// What a decode may run over its own time limit before its thread is given up for lost.
const OVERTIME: Duration = Duration::from_secs(5);

impl Engine {
    pub fn new(threads: usize, limits: DecodeLimits, decoders: Decoders) -> Self {
        let kib = usize::try_from(limits.memory_bytes.div_ceil(1024))
            .unwrap_or(Semaphore::MAX_PERMITS)
            .clamp(1, u32::MAX as usize);
        Self {
            threads: Arc::new(Semaphore::new(threads)),
            memory: Arc::new(Semaphore::new(kib)),
            memory_kib: kib,
            limits,
            decoders,
            overtime: OVERTIME,
        }
    }

    /// Bytes that decodes hold.
    pub fn memory_in_use(&self) -> u64 {
        let free = self.memory.available_permits();
        (self.memory_kib.saturating_sub(free) as u64) * 1024
    }

    /// Bytes that decodes may hold together.
    pub const fn memory_limit(&self) -> u64 {
        self.memory_kib as u64 * 1024
    }

    /// Waits for a thread and for memory, then decodes once and renders each variant. Waiting does
    /// not count against the time limit, and ends because each decode does. A panic of the decoder
    /// is a failure of this job alone.
    pub async fn make(&self, bytes: Bytes, wanted: Arc<[Wanted]>) -> Result<Made, VariantFailure> {
        let thread = take(&self.threads, 1).await?;
        let (engine, source, all) = (self.clone(), bytes.clone(), Arc::clone(&wanted));
        let first = self.run::<_, VariantFailure>(thread, move |places| {
            let limits = engine.image_limits();
            let opened = Opened::new(&source, &all, &limits, &engine.decoders)?;
            let kib = engine.checked_kib(opened.memory_bytes())?;
            // Memory is usually there at once: then there is no second thread to wait for.
            match Arc::clone(&engine.memory).try_acquire_many_owned(kib) {
                Ok(memory) => {
                    places.hold(memory);
                    let made = opened.make(&all, &limits)?;
                    Ok(Progress::Made(Box::new(made)))
                }
                Err(_) => Ok(Progress::Needs {
                    kib,
                    paused: Box::new(opened.pause()),
                }),
            }
        });
        let (kib, paused) = match first.await? {
            Progress::Made(made) => return Ok(*made),
            Progress::Needs { kib, paused } => (kib, paused),
        };
        // In line with the others that wait for memory, and without a thread until it is free.
        let memory = take(&self.memory, kib).await?;
        let thread = take(&self.threads, 1).await?;
        let engine = self.clone();
        let second = self.run(thread, move |places| {
            places.hold(memory);
            paused.resume(&bytes).make(&wanted, &engine.image_limits())
        });
        second.await
    }

    /// Runs `work` on a blocking thread, for at most the time of a decode and its overtime. No
    /// decoder should need it; if one hangs, its thread is lost, but not its places.
    async fn run<T: Send + 'static, E: From<Failure> + Send + 'static>(
        &self,
        thread: OwnedSemaphorePermit,
        work: impl FnOnce(&Places) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let places = Places::default();
        places.hold(thread);
        let held = places.clone();
        let (begin, begun) = oneshot::channel();
        let working = tokio::task::spawn_blocking(move || {
            let _ = begin.send(());
            let result = work(&held);
            held.give_back();
            result
        });
        let limit = self.limits.timeout + self.overtime;
        // A task of its own, because a job whose lease is lost waits no longer.
        let watched = tokio::spawn(async move {
            // The runtime's threads may all be busy, e.g. with a storage that hangs.
            let _ = begun.await;
            let ended = tokio::time::timeout(limit, working).await;
            places.give_back();
            ended
        });
        match watched.await {
            Ok(Ok(Ok(result))) => result,
            Ok(Err(_elapsed)) => {
                tracing::error!("a decode does not end; its place is given to others");
                Err(Failure::new(
                    FailureCode::DecodeTimeout,
                    "the image took too long to decode",
                )
                .into())
            }
            Ok(Ok(Err(error))) | Err(error) => {
                tracing::error!(%error, "a panic in the image engine");
                Err(Failure::new(
                    FailureCode::Internal,
                    "the image engine failed on this image",
                )
                .into())
            }
        }
    }

    /// This decode's share of the memory budget.
    fn checked_kib(&self, memory_bytes: usize) -> Result<u32, Failure> {
        let kib = u32::try_from(memory_bytes.div_ceil(1024)).unwrap_or(u32::MAX);
        if u64::from(kib) * 1024 > self.limits.memory_bytes.next_multiple_of(1024) {
            return Err(Failure::new(
                FailureCode::ImageTooLarge,
                "the image needs more memory than all decodes together may use",
            ));
        }
        Ok(kib)
    }

    /// With the deadline of a decode that begins now.
    fn image_limits(&self) -> imaging::Limits {
        imaging::Limits {
            max_pixels: self.limits.max_pixels,
            max_memory_bytes: usize::try_from(self.limits.memory_bytes).unwrap_or(usize::MAX),
            max_output_pixels: self.limits.max_output_pixels,
            deadline: Some(Instant::now() + self.limits.timeout),
            ..imaging::Limits::default()
        }
    }
}

/// How far a decode got at the first try.
enum Progress {
    Made(Box<Made>),
    /// The others left it too little memory.
    Needs {
        kib: u32,
        paused: Box<Paused>,
    },
}

/// The permits a decode holds; released by its thread, or by the watchdog if the thread hangs.
#[derive(Clone, Default)]
struct Places(Arc<Mutex<Vec<OwnedSemaphorePermit>>>);

impl Places {
    fn hold(&self, permit: OwnedSemaphorePermit) {
        self.permits().push(permit);
    }

    fn give_back(&self) {
        self.permits().clear();
    }

    fn permits(&self) -> MutexGuard<'_, Vec<OwnedSemaphorePermit>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn take(of: &Arc<Semaphore>, count: u32) -> Result<OwnedSemaphorePermit, Failure> {
    Arc::clone(of)
        .acquire_many_owned(count)
        .await
        .map_err(|_| Failure::new(FailureCode::Internal, "the engine has stopped"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Arc<[Wanted]> {
        let variant = imaging::Variant::thumbnail(256, 85);
        Arc::new([Wanted {
            variant,
            optional: false,
        }])
    }

    fn picture() -> Bytes {
        let samples = vec![128; 600 * 400 * 3];
        let mut jpeg = Vec::new();
        jpeg_encoder::Encoder::new(&mut jpeg, 85)
            .encode(&samples, 600, 400, jpeg_encoder::ColorType::Rgb)
            .unwrap();
        jpeg.into()
    }

    fn needed_bytes() -> u64 {
        let (limits, decoders) = (imaging::Limits::default(), Decoders::default());
        let opened = Opened::new(&picture(), &wanted(), &limits, &decoders)
            .unwrap()
            .memory_bytes();
        opened as u64
    }

    fn engine(memory_bytes: u64) -> Engine {
        let limits = DecodeLimits {
            max_pixels: 1_000_000,
            max_output_pixels: 1_000_000,
            memory_bytes,
            timeout: Duration::from_secs(15),
        };
        Engine::new(2, limits, Decoders::default())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_image_that_needs_more_than_the_whole_budget_is_refused() {
        assert!(
            engine(needed_bytes())
                .make(picture(), wanted())
                .await
                .is_ok()
        );
        // Less than the source takes, whatever is made of it.
        let failure = engine(1 << 20).make(picture(), wanted()).await.err();
        assert_eq!(
            failure.map(|failed| failed.failure.code),
            Some(FailureCode::ImageTooLarge)
        );
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_too_much_together_leaves_out_optional_variants() {
        let large = |side, optional| Wanted {
            variant: imaging::Variant {
                enlarge: true,
                ..imaging::Variant::thumbnail(side, 85)
            },
            optional,
        };
        let small = wanted()[0].clone();
        let memory_bytes = needed_bytes() + (16 << 20);
        for (memory_bytes, max_output_pixels) in [(memory_bytes, 1 << 40), (1 << 30, 1_000_000)] {
            let engine = Engine::new(
                1,
                DecodeLimits {
                    max_pixels: 1_000_000,
                    max_output_pixels,
                    memory_bytes,
                    timeout: Duration::from_secs(15),
                },
                Decoders::default(),
            );
            let rendered = async |all: &[Wanted]| {
                let made = engine.make(picture(), all.into()).await;
                let made = made.map_err(|failed| (failed.failure.code, failed.variant));
                made.map(|made| {
                    let codes = made.renditions.iter();
                    let codes = codes.map(|made| made.as_ref().err().map(|failure| failure.code));
                    codes.collect::<Vec<_>>()
                })
            };
            let too_large = FailureCode::OutputTooLarge;
            assert_eq!(
                rendered(&[small.clone(), large(2000, true)]).await,
                Ok(vec![None, Some(too_large)])
            );
            assert_eq!(
                rendered(&[small.clone(), large(2000, false)]).await,
                Err((too_large, Some(1)))
            );
            if max_output_pixels == 1_000_000 {
                // The largest is needed, and goes on without the other.
                assert_eq!(
                    rendered(&[large(900, false), large(890, true)]).await,
                    Ok(vec![None, Some(too_large)])
                );
            }
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_decode_waits_until_the_others_leave_it_memory() {
        let engine = engine(needed_bytes() * 3 / 2);
        let all = engine.memory.available_permits() as u32;
        assert_eq!(engine.memory_limit(), u64::from(all) * 1024);
        let others = Arc::clone(&engine.memory).acquire_many_owned(all / 2).await;
        assert_eq!(engine.memory_in_use(), u64::from(all / 2) * 1024);
        let mut made = std::pin::pin!(engine.make(picture(), wanted()));
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

    #[tokio::test(flavor = "multi_thread")]
    async fn a_decode_that_waits_for_memory_leaves_the_threads_to_others_and_has_its_whole_time() {
        let limits = DecodeLimits {
            max_pixels: 1_000_000,
            max_output_pixels: 1_000_000,
            memory_bytes: needed_bytes() * 3 / 2,
            // Less than the wait.
            timeout: Duration::ZERO,
        };
        let engine = Engine::new(1, limits, Decoders::default());
        let all = engine.memory.available_permits() as u32;
        let others = take(&engine.memory, all / 2).await.unwrap();
        let mut made = std::pin::pin!(engine.make(picture(), wanted()));
        let early = tokio::time::timeout(Duration::from_millis(300), &mut made).await;
        assert!(early.is_err(), "it did not wait");
        assert_eq!(
            engine.threads.available_permits(),
            1,
            "it waits on a thread"
        );
        drop(others);
        // Its time begins here, and is over at once.
        let failure = made.await.err().map(|failed| failed.failure.code);
        assert_eq!(failure, Some(FailureCode::DecodeTimeout));
        assert_eq!(engine.memory.available_permits() as u32, all);
        assert_eq!(engine.threads.available_permits(), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_decode_that_never_ends_fails_and_gives_its_places_to_others() {
        let mut engine = engine(1 << 20);
        engine.limits.timeout = Duration::ZERO;
        engine.overtime = Duration::from_millis(50);
        let thread = take(&engine.threads, 1).await.unwrap();
        let memory = take(&engine.memory, 100).await.unwrap();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let hanging = engine.run::<_, Failure>(thread, move |places| {
            places.hold(memory);
            // Until the test is over.
            let _ = ended.recv();
            Ok(())
        });
        let failure = hanging.await.err().map(|failure| failure.code);
        assert_eq!(failure, Some(FailureCode::DecodeTimeout));
        assert_eq!(engine.threads.available_permits(), 2);
        assert_eq!(engine.memory.available_permits(), 1024);
        drop(end);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_panic_gives_its_places_back() {
        let engine = engine(1 << 20);
        let thread = take(&engine.threads, 1).await.unwrap();
        let made = engine.run::<(), Failure>(thread, |_| panic!("a decoder's fault"));
        let failure = made.await.err().map(|failure| failure.code);
        assert_eq!(failure, Some(FailureCode::Internal));
        assert_eq!(engine.threads.available_permits(), 2);
    }
}
