//! The origins to which connections are kept: a few, so that idle sockets stay few however many
//! origins there are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::Origin;

/// With `max_idle_per_host` for each, this bounds the idle sockets.
const MAX_KEPT_ORIGINS: usize = 32;

pub(super) struct KeptOrigins {
    places: Mutex<HashMap<Origin, Place>>,
    /// The longest that an idle connection lives.
    longest: Duration,
}

struct Place {
    requests: usize,
    /// When the last kept connection is certainly closed.
    until: Instant,
}

impl KeptOrigins {
    pub(super) fn new(keep_alive: Duration) -> Arc<Self> {
        Arc::new(Self {
            places: Mutex::default(),
            // The client looks for expired connections once in this time.
            longest: keep_alive * 2 + Duration::from_secs(1),
        })
    }

    /// Held while a request runs, if the connection to `origin` may be kept after it.
    pub(super) fn keep(self: &Arc<Self>, origin: &Origin) -> Option<Keep> {
        let now = Instant::now();
        let mut places = self.lock();
        if places.len() >= MAX_KEPT_ORIGINS && !places.contains_key(origin) {
            places.retain(|_, place| place.requests > 0 || place.until > now);
            if places.len() >= MAX_KEPT_ORIGINS {
                return None;
            }
        }
        let place = places.entry(origin.clone()).or_insert(Place {
            requests: 0,
            until: now,
        });
        place.requests += 1;
        Some(Keep {
            origins: Arc::clone(self),
            origin: origin.clone(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Origin, Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request whose connection may be kept.
pub(super) struct Keep {
    origins: Arc<KeptOrigins>,
    origin: Origin,
}

impl Drop for Keep {
    fn drop(&mut self) {
        if let Some(place) = self.origins.lock().get_mut(&self.origin) {
            place.requests -= 1;
            place.until = Instant::now() + self.origins.longest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(number: usize) -> Origin {
        format!("http://{number}.example").parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn few_origins_are_kept_and_a_place_is_free_again_after_a_while() {
        let kept = KeptOrigins::new(Duration::from_secs(10));
        let requests: Vec<_> = (0..MAX_KEPT_ORIGINS)
            .map(|number| kept.keep(&origin(number)).unwrap())
            .collect();
        let further = origin(MAX_KEPT_ORIGINS);
        tokio::time::advance(Duration::from_secs(100)).await;
        assert!(kept.keep(&further).is_none());
        assert!(kept.keep(&origin(0)).is_some());
        drop(requests);
        assert!(kept.keep(&further).is_none());
        tokio::time::advance(Duration::from_secs(22)).await;
        assert!(kept.keep(&further).is_some());
    }
}
