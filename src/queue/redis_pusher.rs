//! Pushing ids: those that wait at the same time share one `LPUSH`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use super::redis_wire::Wire;
use crate::domain::JobId;

/// Longest wait of a submission for its push; the job is committed, so nothing depends on it.
const PUSH_WAIT: Duration = Duration::from_millis(250);
/// While Redis is away, one attempt in this time; ids in between are found in the database.
const RETRY_AFTER: Duration = Duration::from_secs(1);
const LARGEST_GROUP: usize = 256;
const CAPACITY: usize = 8192;

#[derive(Clone)]
pub(super) struct Pusher {
    ids: mpsc::Sender<(JobId, oneshot::Sender<()>)>,
    away: Arc<AtomicBool>,
}

impl Pusher {
    pub(super) fn spawn(wire: Wire, key: Arc<str>) -> Self {
        let (ids, receiver) = mpsc::channel(CAPACITY);
        let away = Arc::new(AtomicBool::new(false));
        tokio::spawn(run(wire, key, receiver, Arc::clone(&away)));
        Self { ids, away }
    }

    /// True if the last push failed.
    pub(super) fn is_away(&self) -> bool {
        self.away.load(Ordering::Relaxed)
    }

    pub(super) async fn push(&self, id: JobId) {
        let (done, pushed) = oneshot::channel();
        if self.ids.try_send((id, done)).is_err() {
            return;
        }
        if !self.is_away() {
            let _ = timeout(PUSH_WAIT, pushed).await;
        }
    }
}

async fn run(
    wire: Wire,
    key: Arc<str>,
    mut receiver: mpsc::Receiver<(JobId, oneshot::Sender<()>)>,
    away: Arc<AtomicBool>,
) {
    let mut not_before = Instant::now();
    let mut group = Vec::with_capacity(LARGEST_GROUP);
    while receiver.recv_many(&mut group, LARGEST_GROUP).await > 0 {
        if Instant::now() >= not_before {
            let words: Vec<String> = group.iter().map(|(id, _)| id.to_string()).collect();
            let mut command = redis::cmd("LPUSH");
            command.arg(&*key).arg(words);
            match wire.ask::<()>(&command).await {
                Ok(()) => {
                    if away.swap(false, Ordering::Relaxed) {
                        tracing::info!("the queue is back");
                    }
                }
                Err(error) => {
                    not_before = Instant::now() + RETRY_AFTER;
                    if !away.swap(true, Ordering::Relaxed) {
                        tracing::warn!(%error, "jobs are accepted without the queue");
                    }
                }
            }
        }
        for (_, done) in group.drain(..) {
            let _ = done.send(());
        }
    }
}
