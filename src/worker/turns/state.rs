//! What is known of all origins: which wait for a turn, in which order, and which sleep.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use tokio::time::Instant;

use super::known::{Known, Place};
use crate::domain::Origin;
use crate::domain::origin_record::Caps;

/// What an operator allows of an origin.
pub type CapsOf = Arc<dyn Fn(&Origin) -> Caps + Send + Sync>;

pub(super) struct State {
    pub known: HashMap<Origin, Known>,
    /// Ready origins with room.
    pub order: BTreeMap<Place, Origin>,
    pub asleep: BTreeSet<(Instant, Origin)>,
    next_place: u64,
    pub paused_until: Option<Instant>,
    /// Sockets of this process.
    pub downloads: u32,
    caps_of: CapsOf,
}

impl State {
    pub(super) fn new(downloads: usize, caps_of: CapsOf) -> Self {
        Self {
            known: HashMap::new(),
            order: BTreeMap::new(),
            asleep: BTreeSet::new(),
            next_place: 0,
            paused_until: None,
            downloads: u32::try_from(downloads).unwrap_or(u32::MAX),
            caps_of,
        }
    }

    pub(super) fn get(&mut self, origin: &Origin, now: Instant) -> &mut Known {
        if !self.known.contains_key(origin) {
            let known = Known::new((self.caps_of)(origin), now);
            self.known.insert(origin.clone(), known);
        }
        let known = self.known.get_mut(origin).expect("it was just put there");
        known.touched = now;
        known
    }

    pub(super) fn set_ready(&mut self, origin: &Origin, ready: bool) {
        if let Some(known) = self.known.get_mut(origin) {
            known.is_ready = ready;
        }
    }

    /// Puts the origin into the order of turns, or takes it out, as it is ready and has room.
    pub(super) fn place(&mut self, origin: &Origin, now: Instant) {
        let Some(known) = self.known.get_mut(origin) else {
            return;
        };
        let stands = known.is_ready && known.room(self.downloads, now) > 0;
        match known.place {
            Some(place) if !stands => {
                known.place = None;
                self.order.remove(&place);
            }
            None if stands => {
                let place = (known.step(now), self.next_place);
                self.next_place += 1;
                known.place = Some(place);
                self.order.insert(place, origin.clone());
            }
            _ => {}
        }
    }

    pub(super) fn sleep(&mut self, origin: &Origin, until: Instant) {
        self.end_sleep(origin);
        if let Some(known) = self.known.get_mut(origin) {
            known.asleep_until = Some(until);
            known.awaits_end = false;
            self.asleep.insert((until, origin.clone()));
        }
    }

    pub(super) fn end_sleep(&mut self, origin: &Origin) {
        if let Some(until) = self.known.get_mut(origin).and_then(|known| {
            known.awaits_end = false;
            known.asleep_until.take()
        }) {
            self.asleep.remove(&(until, origin.clone()));
        }
    }

    pub(super) fn wake_due(&mut self, now: Instant) {
        while let Some((until, _)) = self.asleep.first()
            && *until <= now
        {
            let (_, origin) = self.asleep.pop_first().expect("it was just seen");
            if let Some(known) = self.known.get_mut(&origin) {
                known.asleep_until = None;
                known.awaits_end = false;
            }
            self.place(&origin, now);
        }
    }

    pub(super) fn is_paused(&self, now: Instant) -> bool {
        self.paused_until.is_some_and(|until| until > now)
    }
}
