//! How long to leave the database to others after a slice of deletions of 500 jobs: until so many are
//! deleted as make 1,100 a second. Where slices take long, half of the time is left to others.

use std::time::Duration;

/// From one slice to the next, unless that leaves less than half of the time to others.
const CYCLE: Duration = Duration::from_millis(450);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

pub(super) fn after_deleting(took: Duration) -> Duration {
    CYCLE.saturating_sub(took).max(took).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_slices_come_at_a_steady_pace_and_long_ones_leave_half_of_the_time() {
        for (took, expected) in [(0, 450), (20, 430), (225, 225), (300, 300), (5000, 1000)] {
            let pause = after_deleting(Duration::from_millis(took));
            assert_eq!(pause, Duration::from_millis(expected), "{took}");
        }
    }
}
