//! How many requests an origin bears at once, learned as TCP learns its window (RFC 5681): it
//! doubles with each round of answers until answers stopped coming once, then grows by one a round,
//! and falls to one when they stop coming.

/// Where every origin starts.
pub(super) const FIRST: u32 = 8;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Window {
    size: f64,
    /// Above it the window grows slowly.
    threshold: f64,
}

impl Window {
    pub(super) fn new() -> Self {
        Self {
            size: f64::from(FIRST),
            threshold: f64::INFINITY,
        }
    }

    pub(super) fn size(&self) -> u32 {
        self.size as u32
    }

    /// An answer came while `in_flight` requests were in progress. A window that is not used up
    /// does not grow, nor does one beyond `most`.
    pub(super) fn answered(&mut self, in_flight: u32, most: u32) {
        if f64::from(in_flight) * 2.0 < self.size {
            return;
        }
        let growth = if self.size < self.threshold {
            1.0
        } else {
            1.0 / self.size
        };
        self.size = (self.size + growth).min(f64::from(most.max(1)));
    }

    /// No answer came.
    pub(super) fn failed(&mut self) {
        if self.size > 1.0 {
            self.threshold = (self.size / 2.0).max(2.0);
        }
        self.size = 1.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_double_the_window_and_silence_shrinks_it_to_one() {
        let mut window = Window::new();
        for _ in 0..FIRST {
            window.answered(FIRST, 1000);
        }
        assert_eq!(window.size(), 2 * FIRST);
        window.failed();
        assert_eq!(window.size(), 1);
        for _ in 0..7 {
            window.answered(window.size(), 1000);
        }
        assert_eq!(window.size(), 8, "doubling up to half of what it was");
        for _ in 0..8 {
            window.answered(window.size(), 1000);
        }
        assert_eq!(window.size(), 8, "then by one a round");
    }

    #[test]
    fn a_window_that_is_not_used_does_not_grow() {
        let mut window = Window::new();
        for _ in 0..100 {
            window.answered(3, 1000);
        }
        assert_eq!(window.size(), FIRST);
        for _ in 0..100 {
            window.answered(window.size(), 20);
        }
        assert_eq!(window.size(), 20);
    }
}
