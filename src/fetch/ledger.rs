//! Which download holds how many bytes, and which has to give its own back. Pure: waits for
//! nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Notify;

/// Entries are in the order in which downloads began.
pub(super) struct Ledger {
    total: u64,
    used: u64,
    next: u64,
    entries: BTreeMap<u64, Entry>,
    /// Downloads that wait for bytes.
    waiting: usize,
}

struct Entry {
    bytes: u64,
    state: State,
    stop: Arc<Notify>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Filling,
    /// As filling; bytes that come back go to this one before any younger one.
    Waiting,
    /// Was asked to give its bytes back, and will.
    Stopping,
    Complete,
}

/// The result of asking for bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reply {
    /// Others may be waiting until it no longer waits.
    Granted { has_waited: bool },
    /// The download that asks has to give way.
    Stop,
    /// Ask again when something has changed.
    Wait { told_others: bool },
}

impl Ledger {
    pub(super) fn new(total: u64) -> Self {
        Self {
            total,
            used: 0,
            next: 0,
            entries: BTreeMap::new(),
            waiting: 0,
        }
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    pub(super) fn used(&self) -> u64 {
        self.used
    }

    pub(super) fn free(&self) -> u64 {
        self.total - self.used
    }

    pub(super) fn has_waiting(&self) -> bool {
        self.waiting > 0
    }

    pub(super) fn begin(&mut self, stop: Arc<Notify>) -> u64 {
        let id = self.next;
        self.next += 1;
        let entry = Entry {
            bytes: 0,
            state: State::Filling,
            stop,
        };
        self.entries.insert(id, entry);
        id
    }

    /// `id` wants to hold `bytes` in all.
    pub(super) fn ask(&mut self, id: u64, bytes: u64) -> Reply {
        let Some(entry) = self.entries.get(&id) else {
            return Reply::Stop;
        };
        let more = bytes.saturating_sub(entry.bytes);
        if entry.state == State::Stopping || bytes > self.total {
            return Reply::Stop;
        }
        if more == 0 || (more <= self.free() && !self.older_waits(id)) {
            let has_waited = entry.state == State::Waiting;
            self.set_state(id, State::Filling);
            self.change(id, |held| held + more);
            return Reply::Granted { has_waited };
        }
        let is_youngest = !self.entries.range(id + 1..).any(|(_, entry)| entry.gives());
        let has_elders = self.entries.range(..id).any(|(_, entry)| entry.gives());
        if is_youngest && has_elders {
            return Reply::Stop;
        }
        let told_others = !self.older_waits(id) && self.tell_younger(id, more);
        self.set_state(id, State::Waiting);
        Reply::Wait { told_others }
    }

    /// Asks younger ones to stop, the youngest first, until there are `more` bytes.
    fn tell_younger(&mut self, id: u64, more: u64) -> bool {
        let stopping = self.entries.values().filter(|e| e.state == State::Stopping);
        let mut coming = self.free() + stopping.map(|entry| entry.bytes).sum::<u64>();
        let mut told = Vec::new();
        for (other, entry) in self.entries.range(id + 1..).rev() {
            if coming >= more {
                break;
            }
            if entry.gives() {
                coming += entry.bytes;
                told.push(*other);
            }
        }
        for other in &told {
            self.set_state(*other, State::Stopping);
            if let Some(entry) = self.entries.get(other) {
                entry.stop.notify_one();
            }
        }
        !told.is_empty()
    }

    pub(super) fn complete(&mut self, id: u64, bytes: u64) {
        self.set_state(id, State::Complete);
        self.change(id, |held| held.min(bytes));
    }

    pub(super) fn end(&mut self, id: u64) {
        // No longer counted among those that wait.
        self.set_state(id, State::Complete);
        if let Some(entry) = self.entries.remove(&id) {
            self.used -= entry.bytes;
        }
    }

    fn older_waits(&self, id: u64) -> bool {
        let mut older = self.entries.range(..id);
        self.waiting > 0 && older.any(|(_, entry)| entry.state == State::Waiting)
    }

    fn set_state(&mut self, id: u64, state: State) {
        if let Some(entry) = self.entries.get_mut(&id) {
            self.waiting -= usize::from(entry.state == State::Waiting);
            self.waiting += usize::from(state == State::Waiting);
            entry.state = state;
        }
    }

    fn change(&mut self, id: u64, to: impl Fn(u64) -> u64) {
        if let Some(entry) = self.entries.get_mut(&id) {
            self.used -= entry.bytes;
            entry.bytes = to(entry.bytes);
            self.used += entry.bytes;
        }
    }
}

impl Entry {
    /// True if it has bytes that it could be asked to give back.
    fn gives(&self) -> bool {
        self.bytes > 0 && matches!(self.state, State::Filling | State::Waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// One download of the model: it grows by `step` until it has `goal`, is then whole for a
    /// while, and ends.
    struct Player {
        id: u64,
        held: u64,
        goal: u64,
        step: u64,
        is_whole: bool,
    }

    struct Model {
        ledger: Ledger,
        players: Vec<Player>,
        finished: u64,
    }

    impl Model {
        fn holds_what_it_says(&self) {
            let held: u64 = self.players.iter().map(|player| player.held).sum();
            assert_eq!(self.ledger.used, held);
            assert!(self.ledger.used <= self.ledger.total);
        }

        /// One move of one player.
        fn turn(&mut self, at: usize) {
            let at = at % self.players.len();
            let player = &mut self.players[at];
            let id = player.id;
            if player.is_whole {
                self.ledger.end(id);
                self.players.remove(at);
                self.finished += 1;
            } else if player.held == player.goal {
                self.ledger.complete(id, player.held);
                player.is_whole = true;
            } else {
                let wanted = (player.held + player.step).min(player.goal);
                match self.ledger.ask(id, wanted) {
                    Reply::Granted { .. } => player.held = wanted,
                    Reply::Wait { .. } => {}
                    Reply::Stop => {
                        let was_told = self.ledger.entries[&id].state == State::Stopping;
                        let mut others = self.players.iter().filter(|other| !other.is_whole);
                        let has_elders = others.any(|other| other.id < id);
                        assert!(was_told || has_elders, "the oldest stopped itself");
                        self.ledger.end(id);
                        self.players.remove(at);
                    }
                }
            }
            self.holds_what_it_says();
        }
    }

    proptest! {
        #[test]
        fn the_sum_holds_the_oldest_ends_and_nothing_is_locked_up(
            downloads in prop::collection::vec((1_u64..=100, 1_u64..=60), 1..12),
            turns in prop::collection::vec(any::<usize>(), 0..200),
        ) {
            let mut ledger = Ledger::new(100);
            let players = downloads.into_iter().map(|(goal, step)| Player {
                id: ledger.begin(Arc::default()),
                held: 0,
                goal,
                step,
                is_whole: false,
            });
            let players = players.collect();
            let mut model = Model { ledger, players, finished: 0 };
            for turn in turns {
                if !model.players.is_empty() {
                    model.turn(turn);
                }
            }
            // Whatever happened, taking turns ends them all.
            for _ in 0..2000 {
                for at in 0..model.players.len() {
                    if at < model.players.len() {
                        model.turn(at);
                    }
                }
            }
            prop_assert!(model.players.is_empty());
            prop_assert!(model.finished > 0);
            prop_assert_eq!(model.ledger.used, 0);
        }
    }
}
