//! What was seen of origins, for their records, and what the records say in return.

use tokio::time::Instant;

use super::shared::Turns;
use crate::db::{Flow, OriginState};
use crate::domain::Origin;
use crate::domain::origin_record::Observed;

impl Turns {
    /// Waits for something to report.
    pub(in crate::worker) async fn news(&self) {
        self.news.notified().await;
    }

    /// True if there is something to report of `origin`, or its jobs are claimed under its record.
    pub(in crate::worker) fn is_in_trouble(&self, origin: &Origin) -> bool {
        let state = self.state();
        let known = state.known.get(origin);
        known.is_some_and(|known| known.has_news() || known.has_limits)
    }

    /// What is to be reported; it counts as reported.
    pub(in crate::worker) fn take_news(&self) -> Vec<(Origin, Observed)> {
        let mut state = self.state();
        let now = Instant::now();
        let news = state.known.iter_mut().filter(|(_, known)| known.has_news());
        news.map(|(origin, known)| (origin.clone(), known.take_news(now)))
            .collect()
    }

    /// What their records say.
    pub(in crate::worker) fn apply_states(&self, states: &[OriginState]) {
        let now = Instant::now();
        let mut state = self.state();
        for said in states {
            let known = state.get(&said.origin, now);
            known.set_limits(said.is_limited, now);
            known.is_remembered = said.is_remembered;
            known.gives_up = said.gives_up;
            match said.parked_for {
                Some(left) => state.sleep(&said.origin, now + left),
                None => state.end_sleep(&said.origin),
            }
            state.place(&said.origin, now);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Its jobs that have used an attempt are not to end any more.
    pub(in crate::worker) fn stop_giving_up(&self, origin: &Origin) {
        if let Some(known) = self.state().known.get_mut(origin) {
            known.gives_up = false;
        }
    }

    /// Origins whose jobs that have used an attempt are to end.
    pub(in crate::worker) fn giving_up(&self) -> Vec<Origin> {
        let state = self.state();
        let giving_up = state.known.iter().filter(|(_, known)| known.gives_up);
        giving_up.map(|(origin, _)| origin.clone()).collect()
    }

    pub(in crate::worker) fn take_flow(&self) -> Vec<(Origin, Flow)> {
        let mut state = self.state();
        let flowing = state
            .known
            .iter_mut()
            .filter(|(_, known)| known.flow != Flow::default());
        flowing
            .map(|(origin, known)| (origin.clone(), std::mem::take(&mut known.flow)))
            .collect()
    }

    /// Notes how a job ended.
    pub(in crate::worker) fn count_end(&self, origin: &Origin, completed: bool) {
        let mut state = self.state();
        let flow = &mut state.get(origin, Instant::now()).flow;
        if completed {
            flow.done += 1;
        } else {
            flow.failed += 1;
        }
    }
}
