//! The line before the engine: how much work is begun ahead of it. A job stands in line from its
//! claim to its thumbnail, except while it waits for a slow source: then it holds a socket, not a
//! place in the line.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// A claim takes at least this fraction of all places.
const BATCHES: usize = 4;

pub(super) struct Line {
    standing: AtomicUsize,
    places: usize,
    /// How many places are waited for, so that one claim serves several.
    batch: usize,
    left: Notify,
}

/// A place in the line; dropped, it is free.
pub(super) struct Standing(Arc<Line>);

/// A job that has left the line and will come back.
pub(super) struct Away(Arc<Line>);

impl Line {
    pub(super) fn new(places: usize) -> Arc<Self> {
        Arc::new(Self {
            standing: AtomicUsize::new(0),
            places: places.max(1),
            batch: (places / BATCHES).max(1),
            left: Notify::new(),
        })
    }

    /// Takes up to `most` free places; waits until there are enough to make a claim worth while.
    pub(super) async fn join(self: &Arc<Self>, most: usize) -> Vec<Standing> {
        loop {
            let left = self.left.notified();
            if self.free() >= self.batch.min(most) {
                let places = self.try_join(most);
                if !places.is_empty() {
                    return places;
                }
            }
            left.await;
        }
    }

    /// Takes up to `most` free places, perhaps none.
    pub(super) fn try_join(self: &Arc<Self>, most: usize) -> Vec<Standing> {
        let mut taken = 0;
        let _ = self
            .standing
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |standing| {
                taken = self.places.saturating_sub(standing).min(most);
                Some(standing + taken)
            });
        (0..taken).map(|_| Standing(Arc::clone(self))).collect()
    }

    pub(super) fn free(&self) -> usize {
        self.places
            .saturating_sub(self.standing.load(Ordering::Acquire))
    }
}

impl Standing {
    /// Leaves the line, and may come back.
    pub(super) fn leave(self) -> Away {
        Away(Arc::clone(&self.0))
    }
}

impl Away {
    /// Comes back after a wait, whether there is a place or not: the work is there.
    pub(super) fn come_back(self) -> Standing {
        self.0.standing.fetch_add(1, Ordering::AcqRel);
        Standing(self.0)
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        let before = self.0.standing.fetch_sub(1, Ordering::AcqRel);
        if before <= self.0.places {
            self.0.left.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_comes_back_has_a_place_and_others_wait_for_one() {
        let line = Line::new(2);
        let away = line.try_join(1).pop().unwrap().leave();
        let both = line.join(5).await;
        assert_eq!(both.len(), 2);
        assert!(line.try_join(1).is_empty());
        let third = away.come_back();
        drop(both);
        assert_eq!(line.try_join(5).len(), 1, "two places, one of them taken");
        drop(third);
        let all = line.join(5).await;
        let waiting = line.join(1);
        tokio::pin!(waiting);
        assert!(futures_util::poll!(&mut waiting).is_pending());
        drop(all);
        assert_eq!(waiting.await.len(), 1);
    }
}
