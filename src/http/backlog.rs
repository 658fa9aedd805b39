//! Back-pressure: refuses submissions while too many jobs are pending.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::problem::Problem;
use super::problem_kind::ProblemKind;

/// How old a count may be. Counting for each submission would cost more than the submission.
const COUNT_LIFETIME: Duration = Duration::from_millis(500);

/// Keeps the number of pending jobs at or below a limit.
///
/// Between two counts, accepted submissions are added and nothing is subtracted, so one process
/// never exceeds the limit; several may, by what the others accept within half a second.
pub struct BacklogLimit {
    max_pending: u64,
    estimate: Mutex<Estimate>,
}

#[derive(Default)]
struct Estimate {
    counted_at: Option<Instant>,
    counting: bool,
    /// As the database counted.
    pending: u64,
    /// Accepted since the last count began.
    accepted: u64,
    /// Accepted since the running count began.
    accepted_while_counting: u64,
    in_flight: u64,
}

/// Submissions that were admitted. When dropped they count as accepted, unless marked otherwise.
pub struct Place<'a> {
    limit: &'a BacklogLimit,
    admitted: u64,
    accepted: u64,
}

impl BacklogLimit {
    pub fn new(max_pending: u64) -> Self {
        Self {
            max_pending,
            estimate: Mutex::default(),
        }
    }

    /// Admits or refuses a submission. If the last count is too old, one caller counts anew with
    /// `count_up_to`, whose argument is the number at which it may stop counting.
    pub async fn admit<F>(&self, count_up_to: impl FnOnce(u64) -> F) -> Result<Place<'_>, Problem>
    where
        F: Future<Output = Result<u64, Problem>>,
    {
        self.admit_all(1, count_up_to).await
    }

    /// Admits or refuses so many submissions together.
    pub async fn admit_all<F>(
        &self,
        wanted: u64,
        count_up_to: impl FnOnce(u64) -> F,
    ) -> Result<Place<'_>, Problem>
    where
        F: Future<Output = Result<u64, Problem>>,
    {
        let place = self.admit_some(wanted, count_up_to).await?;
        if place.admitted == wanted {
            return Ok(place);
        }
        place.give_back();
        let detail = "Submit again when the backlog is smaller.";
        Err(Problem::new(ProblemKind::TooManyPending, detail))
    }

    /// Admits as many of so many submissions as there is room for; maybe none.
    pub async fn admit_some<F>(
        &self,
        wanted: u64,
        count_up_to: impl FnOnce(u64) -> F,
    ) -> Result<Place<'_>, Problem>
    where
        F: Future<Output = Result<u64, Problem>>,
    {
        if let Some(counting) = self.begin_count() {
            counting.end(count_up_to(self.max_pending).await?);
        }
        Ok(self.take_places(wanted))
    }

    fn begin_count(&self) -> Option<Counting<'_>> {
        let mut estimate = self.lock();
        let fresh = estimate
            .counted_at
            .is_some_and(|moment| moment.elapsed() < COUNT_LIFETIME);
        // Without any count there is nothing to rely on: then each caller counts for itself.
        if fresh || (estimate.counting && estimate.counted_at.is_some()) {
            return None;
        }
        if !estimate.counting {
            estimate.counting = true;
            estimate.accepted_while_counting = 0;
        }
        Some(Counting(self))
    }

    fn take_places(&self, wanted: u64) -> Place<'_> {
        let mut estimate = self.lock();
        let taken = estimate.pending + estimate.accepted + estimate.in_flight;
        let admitted = wanted.min(self.max_pending.saturating_sub(taken));
        estimate.in_flight += admitted;
        Place {
            limit: self,
            admitted,
            accepted: admitted,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Estimate> {
        // The numbers are valid after every statement, so a panic elsewhere does not spoil them.
        self.estimate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running count. If it is dropped without [`Self::end`] (an error, a client gone), the last one
/// stays.
struct Counting<'a>(&'a BacklogLimit);

impl Counting<'_> {
    fn end(self, pending: u64) {
        let mut estimate = self.0.lock();
        estimate.pending = pending;
        estimate.accepted = estimate.accepted_while_counting;
        estimate.counted_at = Some(Instant::now());
    }
}

impl Drop for Counting<'_> {
    fn drop(&mut self) {
        self.0.lock().counting = false;
    }
}

impl Place<'_> {
    /// How many were admitted.
    pub fn admitted(&self) -> u64 {
        self.admitted
    }

    /// No job was made.
    pub fn give_back(self) {
        self.accept_only(0);
    }

    /// So many jobs were made, and no more.
    pub fn accept_only(mut self, made: u64) {
        self.accepted = made.min(self.admitted);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut estimate = self.limit.lock();
        estimate.in_flight -= self.admitted;
        estimate.accepted += self.accepted;
        estimate.accepted_while_counting += self.accepted;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn admit(limit: &BacklogLimit, pending: u64) -> Result<Place<'_>, ProblemKind> {
        limit
            .admit(|_| async move { Ok(pending) })
            .await
            .map_err(|problem| problem.kind)
    }

    #[tokio::test]
    async fn submissions_in_flight_and_accepted_fill_the_limit() {
        let limit = BacklogLimit::new(3);
        drop(admit(&limit, 1).await.unwrap());
        let in_flight = admit(&limit, 0).await.unwrap();
        let refused = admit(&limit, 0).await.err();
        assert_eq!(refused, Some(ProblemKind::TooManyPending));
        in_flight.give_back();
        assert!(admit(&limit, 0).await.is_ok());
    }

    #[tokio::test]
    async fn many_are_admitted_together_or_as_far_as_they_fit() {
        let limit = BacklogLimit::new(10);
        let count = |_| async { Ok(4) };
        assert!(limit.admit_all(7, count).await.is_err());
        let some = limit.admit_some(7, count).await.unwrap();
        assert_eq!(some.admitted(), 6);
        assert_eq!(limit.admit_some(7, count).await.unwrap().admitted(), 0);
        some.accept_only(2);
        drop(limit.admit_all(4, count).await.unwrap());
        assert!(limit.admit_all(1, count).await.is_err());
    }

    #[tokio::test]
    async fn what_was_accepted_during_a_count_is_kept() {
        let limit = BacklogLimit::new(2);
        drop(limit.begin_count());
        let counting = limit.begin_count().unwrap();
        drop(admit(&limit, 0).await.unwrap());
        counting.end(1);
        assert!(admit(&limit, 0).await.is_err());
    }

    #[tokio::test]
    async fn a_failed_count_refuses_and_is_repeated() {
        let limit = BacklogLimit::new(2);
        let failed = limit.admit(|_| async { Err(Problem::internal()) }).await;
        assert!(failed.is_err());
        assert!(admit(&limit, 2).await.is_err());
    }
}
