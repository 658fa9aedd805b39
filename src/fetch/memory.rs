//! The bytes that all bodies in this process may hold together.
//!
//! Half-filled bodies never wait for each other, so they can't lock each other up: when the bytes
//! run out, the youngest download gives back what it has, and its job starts again later. The
//! oldest always goes on. Whole bodies belong to their decoders; they end by themselves.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::ledger::{Ledger, Reply};

/// Memory is scarce when less than this part of it is free.
const SCARCE_PART: u64 = 8;

/// Clones share the bytes.
#[derive(Clone)]
pub struct DownloadMemory {
    shared: Arc<Shared>,
}

struct Shared {
    ledger: Mutex<Ledger>,
    /// Bytes came back, or a download was asked to give its own back.
    changed: Notify,
}

/// The youngest download gives its bytes back; that is no failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OutOfMemory;

impl DownloadMemory {
    pub fn new(bytes: u64) -> Self {
        Self {
            shared: Arc::new(Shared {
                ledger: Mutex::new(Ledger::new(bytes)),
                changed: Notify::new(),
            }),
        }
    }

    /// True if a download waits for bytes, or so few are free that new downloads would only push
    /// each other out.
    pub fn is_scarce(&self) -> bool {
        let ledger = self.shared.lock();
        ledger.has_waiting() || ledger.free() < ledger.total() / SCARCE_PART
    }

    /// Bytes that downloads hold.
    pub fn used(&self) -> u64 {
        self.shared.lock().used()
    }

    /// Bytes that downloads may hold.
    pub fn limit(&self) -> u64 {
        self.shared.lock().total()
    }

    /// Waits until memory is not scarce.
    pub async fn plentiful(&self) {
        loop {
            let changed = self.shared.changed.notified();
            if !self.is_scarce() {
                return;
            }
            changed.await;
        }
    }

    /// A download begins, with no bytes yet. The one that began earlier is the older.
    pub(super) fn begin(&self) -> Reservation {
        let stop = Arc::new(Notify::new());
        let id = self.shared.lock().begin(Arc::clone(&stop));
        Reservation {
            shared: Arc::clone(&self.shared),
            id,
            bytes: 0,
            stop,
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Ledger> {
        // No step between lock and unlock leaves the ledger half changed.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bytes of one download; they come back when it is dropped.
pub(super) struct Reservation {
    shared: Arc<Shared>,
    id: u64,
    bytes: u64,
    stop: Arc<Notify>,
}

impl Reservation {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Has at least `bytes`, at once or after a while.
    pub(super) async fn grow_to(&mut self, bytes: u64) -> Result<(), OutOfMemory> {
        loop {
            // Created before the question, so that no answer is missed.
            let changed = self.shared.changed.notified();
            let reply = self.shared.lock().ask(self.id, bytes);
            match reply {
                Reply::Granted { has_waited } => {
                    self.bytes = self.bytes.max(bytes);
                    if has_waited {
                        self.shared.changed.notify_waiters();
                    }
                    return Ok(());
                }
                Reply::Stop => return Err(OutOfMemory),
                Reply::Wait { told_others } => {
                    if told_others {
                        self.shared.changed.notify_waiters();
                    }
                    changed.await;
                }
            }
        }
    }

    /// Resolves when an older download needs these bytes.
    pub(super) fn stopped(&self) -> impl Future<Output = ()> + use<> {
        Arc::clone(&self.stop).notified_owned()
    }

    /// The body is whole, and `bytes` long: it can't be stopped any more.
    pub(super) fn complete(&mut self, bytes: u64) {
        self.shared.lock().complete(self.id, bytes);
        self.bytes = bytes;
        self.shared.changed.notify_waiters();
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shared.lock().end(self.id);
        self.shared.changed.notify_waiters();
    }
}

impl std::fmt::Debug for Reservation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reservation({})", self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    const SOON: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn the_youngest_gives_way_to_an_older_one_that_asks() {
        let memory = DownloadMemory::new(100);
        let (mut old, mut young) = (memory.begin(), memory.begin());
        old.grow_to(40).await.unwrap();
        young.grow_to(50).await.unwrap();
        let giving_way = async move {
            young.stopped().await;
            drop(young);
        };
        let (grown, ()) = tokio::join!(old.grow_to(80), giving_way);
        assert_eq!(grown, Ok(()));
        assert_eq!(old.bytes(), 80);
    }

    #[tokio::test]
    async fn the_youngest_that_asks_stops_itself() {
        let memory = DownloadMemory::new(100);
        let (mut old, mut young) = (memory.begin(), memory.begin());
        old.grow_to(60).await.unwrap();
        assert_eq!(young.grow_to(50).await, Err(OutOfMemory));
        assert!(timeout(SOON, old.stopped()).await.is_err());
    }

    #[tokio::test]
    async fn whole_bodies_are_waited_for_and_never_stopped() {
        let memory = DownloadMemory::new(100);
        let (mut old, mut whole) = (memory.begin(), memory.begin());
        whole.grow_to(90).await.unwrap();
        whole.complete(80);
        assert!(timeout(SOON, old.grow_to(30)).await.is_err());
        assert!(timeout(SOON, whole.stopped()).await.is_err());
        drop(whole);
        assert_eq!(timeout(SOON, old.grow_to(30)).await, Ok(Ok(())));
    }

    #[tokio::test]
    async fn plentiful_waits_until_an_eighth_is_free() {
        let memory = DownloadMemory::new(800);
        let mut body = memory.begin();
        body.grow_to(700).await.unwrap();
        assert!(!memory.is_scarce());
        body.grow_to(701).await.unwrap();
        assert!(memory.is_scarce());
        assert!(timeout(SOON, memory.plentiful()).await.is_err());
        drop(body);
        timeout(SOON, memory.plentiful()).await.unwrap();
    }

    /// Each grows in steps of its own, gives way when it is asked to, and begins anew.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn however_many_grow_at_once_all_of_them_end() {
        let memory = DownloadMemory::new(1000);
        let downloads = (0..40_u64).map(|number| {
            let memory = memory.clone();
            tokio::spawn(async move {
                let (goal, step) = (200 + number * 20, 7 + number % 90);
                while fill(&memory, goal, step).await.is_err() {
                    tokio::task::yield_now().await;
                    memory.plentiful().await;
                }
            })
        });
        let all = futures_util::future::join_all(downloads);
        let ended = timeout(Duration::from_secs(20), all).await.unwrap();
        assert!(ended.iter().all(Result::is_ok));
        assert_eq!(memory.shared.lock().free(), 1000);
    }

    async fn fill(memory: &DownloadMemory, goal: u64, step: u64) -> Result<(), OutOfMemory> {
        let mut body = memory.begin();
        while body.bytes() < goal {
            let wanted = (body.bytes() + step).min(goal);
            body.grow_to(wanted).await?;
            tokio::select! {
                () = body.stopped() => return Err(OutOfMemory),
                () = tokio::task::yield_now() => {}
            }
        }
        body.complete(goal);
        tokio::task::yield_now().await;
        Ok(())
    }
}
