//! What an origin was asked for, when, and how many at once.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// One request, or one connection that came to nothing.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Path and query; empty if none was read.
    pub target: String,
    /// Of the answer; 0 if there was none.
    pub status: u16,
    pub begun: Instant,
    /// Just before the client can know that it has all; or when it gave up.
    pub ended: Option<Instant>,
}

#[derive(Clone, Default)]
pub struct RequestLog(Arc<Mutex<Vec<Asked>>>);

/// A request in progress; dropped, it has ended.
pub struct UnderWay {
    log: RequestLog,
    number: usize,
}

impl RequestLog {
    pub fn begin(&self, target: &str, status: u16) -> UnderWay {
        let mut asked = self.0.lock().expect("not poisoned");
        asked.push(Asked {
            target: target.to_owned(),
            status,
            begun: Instant::now(),
            ended: None,
        });
        UnderWay {
            log: self.clone(),
            number: asked.len() - 1,
        }
    }

    pub fn all(&self) -> Vec<Asked> {
        self.0.lock().expect("not poisoned").clone()
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        // Otherwise a test that panics would panic twice.
        if let Ok(mut asked) = self.log.0.lock() {
            asked[self.number].ended = Some(Instant::now());
        }
    }
}

/// How many were in progress at once, at most.
pub fn most_at_once(asked: &[Asked]) -> usize {
    let begins = asked.iter().map(|one| (one.begun, 1));
    let ends = asked.iter().filter_map(|one| Some((one.ended?, -1)));
    let mut changes: Vec<(Instant, isize)> = begins.chain(ends).collect();
    // A request that ended as another began made room for it.
    changes.sort_unstable();
    let counts = changes.iter().scan(0, |count, (_, change)| {
        *count += change;
        Some(*count)
    });
    counts.max().unwrap_or(0).unsigned_abs()
}

/// The shortest time in which `count` began; `None` if there were fewer.
pub fn shortest_row(asked: &[Asked], count: usize) -> Option<Duration> {
    let mut begins: Vec<Instant> = asked.iter().map(|one| one.begun).collect();
    begins.sort_unstable();
    let rows = begins.windows(count).map(|row| row[count - 1] - row[0]);
    rows.min()
}

#[test]
fn what_overlaps_is_counted() {
    let start = Instant::now();
    let moment = |tenths: u64| start + Duration::from_millis(100 * tenths);
    let asked: Vec<Asked> = [(0, Some(2)), (1, Some(3)), (2, Some(4)), (5, None)]
        .map(|(begun, ended)| Asked {
            target: String::new(),
            status: 200,
            begun: moment(begun),
            ended: ended.map(moment),
        })
        .into();
    assert_eq!(most_at_once(&asked), 2);
    assert_eq!(shortest_row(&asked, 3), Some(Duration::from_millis(200)));
    assert_eq!(shortest_row(&asked, 5), None);
}
