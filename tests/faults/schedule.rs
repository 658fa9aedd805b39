//! When each fault begins and ends, as a pure function of a seed.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

pub const SERVES: usize = 2;
pub const WORKERS: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    KillWorker(usize),
    FreezeWorker(usize),
    TerminateWorker(usize),
    CrashPostgres,
    CutPostgres,
    BlackholePostgres,
    DelayPostgres,
    CutCommits,
    KillServe(usize),
    KillRedis,
    FreezeRedis,
    FlushRedis,
    BlackholeRedis,
    RefuseRedis,
    LosePushReplies,
    CutRedisReplies,
    FillDisk,
    PushJunk,
    PushAgain,
}

impl Fault {
    /// A fault that is over as soon as it is done.
    const fn is_instant(self) -> bool {
        matches!(
            self,
            Self::TerminateWorker(_) | Self::FlushRedis | Self::PushJunk | Self::PushAgain
        )
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Since the start.
    pub at: Duration,
    pub fault: Fault,
    /// Else it ends.
    pub begins: bool,
}

pub struct Schedule {
    /// In the order of time.
    pub changes: Vec<Change>,
    pub faults: usize,
    /// Faults that began while another lasted.
    pub overlaps: usize,
}

/// The faults within `length`; the same for the same seed. All are over at its end.
///
/// There are two rows of faults, side by side, so that two may last at once; what can't be broken
/// twice at once is in one row. Each row deals all its kinds before any comes again.
pub fn schedule(seed: u64, length: Duration) -> Schedule {
    let mut random = StdRng::seed_from_u64(seed);
    let mut rows = [Vec::new(), Vec::new()];
    for (row, spans) in rows.iter_mut().enumerate() {
        let mut now = Duration::ZERO;
        let mut deck = Vec::new();
        loop {
            if deck.is_empty() {
                deck = kinds(row, &mut random);
                deck.shuffle(&mut random);
            }
            let fault = deck.pop().expect("just dealt");
            let begin = now + Duration::from_millis(random.random_range(200..2500));
            let lasts = Duration::from_millis(random.random_range(300..5000));
            if begin >= length {
                break;
            }
            now = match fault {
                fault if fault.is_instant() => begin,
                _ => length.min(begin + lasts),
            };
            spans.push((begin, now, fault));
        }
    }
    let overlapping = |begin: Duration, others: &[(Duration, Duration, Fault)]| {
        let mut others = others.iter();
        others.any(|(other, end, _)| *other <= begin && begin < *end)
    };
    let overlaps = (0..2)
        .flat_map(|row| rows[row].iter().map(move |span| (row, span.0)))
        .filter(|(row, begin)| overlapping(*begin, &rows[1 - row]))
        .count();
    let mut changes = Vec::new();
    for (begin, end, fault) in rows.iter().flatten().copied() {
        let change = |at, begins| Change { at, fault, begins };
        changes.push(change(begin, true));
        if !fault.is_instant() {
            changes.push(change(end, false));
        }
    }
    changes.sort_by_key(|change| change.at);
    Schedule {
        changes,
        faults: rows.iter().map(Vec::len).sum(),
        overlaps,
    }
}

fn kinds(row: usize, random: &mut StdRng) -> Vec<Fault> {
    let mut worker = || random.random_range(0..WORKERS);
    match row {
        0 => vec![
            Fault::KillWorker(worker()),
            Fault::FreezeWorker(worker()),
            Fault::TerminateWorker(worker()),
            Fault::CrashPostgres,
            Fault::CutPostgres,
            Fault::BlackholePostgres,
            Fault::DelayPostgres,
            Fault::CutCommits,
        ],
        _ => vec![
            Fault::KillServe(random.random_range(0..SERVES)),
            Fault::KillRedis,
            Fault::FreezeRedis,
            Fault::FlushRedis,
            Fault::BlackholeRedis,
            Fault::RefuseRedis,
            Fault::LosePushReplies,
            Fault::CutRedisReplies,
            Fault::FillDisk,
            Fault::PushJunk,
            Fault::PushAgain,
        ],
    }
}

/// A number that may be set when the suite is started.
pub fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text}: not a number")),
    )
}

#[test]
fn a_seed_repeats_its_schedule_and_all_faults_end() {
    let length = Duration::from_secs(120);
    let once = schedule(7, length);
    assert_eq!(once.changes, schedule(7, length).changes);
    assert_ne!(once.changes, schedule(8, length).changes);
    assert!(once.overlaps > 0);
    for (index, change) in once.changes.iter().enumerate() {
        assert!(change.at <= length);
        if change.begins && !change.fault.is_instant() {
            let end = Change {
                begins: false,
                ..*change
            };
            let mut later = once.changes[index..].iter();
            let ends = later.any(|later| (later.fault, later.begins) == (end.fault, end.begins));
            assert!(ends, "{change:?}");
        }
    }
}
