//! How an origin may count what it bears a second.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

pub enum Limiter {
    /// Full at first, and filled continuously.
    Bucket {
        per_second: f64,
        capacity: f64,
        tokens: f64,
        filled: Instant,
    },
    /// This many in any second.
    Window {
        most: usize,
        served: VecDeque<Instant>,
    },
}

impl Limiter {
    pub fn bucket(per_second: f64, capacity: f64) -> Self {
        Self::Bucket {
            per_second,
            capacity,
            tokens: capacity,
            filled: Instant::now(),
        }
    }

    pub fn window(most: usize) -> Self {
        let served = VecDeque::new();
        Self::Window { most, served }
    }

    /// Serves a request if it is not too much.
    pub fn serves(&mut self) -> bool {
        let now = Instant::now();
        match self {
            Self::Bucket {
                per_second,
                capacity,
                tokens,
                filled,
            } => {
                let passed = (now - *filled).as_secs_f64();
                *filled = now;
                *tokens = (*tokens + passed * *per_second).min(*capacity);
                let is_there = *tokens >= 1.0;
                if is_there {
                    *tokens -= 1.0;
                }
                is_there
            }
            Self::Window { most, served } => {
                while served
                    .front()
                    .is_some_and(|at| now - *at >= Duration::from_secs(1))
                {
                    served.pop_front();
                }
                let serves = served.len() < *most;
                if serves {
                    served.push_back(now);
                }
                serves
            }
        }
    }
}
