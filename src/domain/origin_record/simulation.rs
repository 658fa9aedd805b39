//! Simulates processes that share a record, against origins that count in several manners: how long
//! a backlog takes compared with what the origin would have borne. Time and chance are simulated
//! too, so that each run is the same.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use super::{Caps, Observed, OriginRecord, Refusal};

const BREAKER: Duration = Duration::from_secs(30);
const START: i64 = 1_800_000_000_000;
/// Reports of a process that come within this time are one.
const TOGETHER: i64 = 100;
const FIRST_WINDOW: f64 = 8.0;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// Holds what comes in a second, and is full at first.
    Bucket,
    /// This many in any second.
    Sliding,
    /// This many in each second of the clock.
    Fixed,
    /// One request after another at a fixed distance, as nginx's `limit_req` without a burst.
    Leaky,
}

const KINDS: [Kind; 4] = [Kind::Bucket, Kind::Sliding, Kind::Fixed, Kind::Leaky];

struct Limiter {
    kind: Kind,
    rate: f64,
    tokens: f64,
    since: i64,
    served: VecDeque<i64>,
}

impl Limiter {
    fn new(kind: Kind, rate: f64) -> Self {
        Self {
            kind,
            rate,
            tokens: rate,
            since: START,
            served: VecDeque::new(),
        }
    }

    fn serves(&mut self, now: i64) -> bool {
        let second = now.div_euclid(1000);
        let is_old = |at: i64| match self.kind {
            Kind::Fixed => at.div_euclid(1000) < second,
            _ => at <= now - 1000,
        };
        while self.served.front().is_some_and(|at| is_old(*at)) {
            self.served.pop_front();
        }
        let passed = (now - self.since) as f64 / 1000.0;
        let serves = match self.kind {
            Kind::Bucket => {
                self.tokens = (self.tokens + passed * self.rate).min(self.rate);
                self.since = now;
                self.tokens >= 1.0
            }
            Kind::Sliding | Kind::Fixed => (self.served.len() as f64) < self.rate,
            Kind::Leaky => self
                .served
                .back()
                .is_none_or(|last| (now - last) as f64 >= 1000.0 / self.rate),
        };
        if serves {
            self.tokens -= 1.0;
            self.served.push_back(now);
        }
        serves
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Ask(usize),
    Arrive(usize),
    Report(usize),
    IsDueAgain,
}

#[derive(Default)]
struct Process {
    window: f64,
    in_flight: u32,
    is_limited: bool,
    asleep_until: i64,
    served: VecDeque<i64>,
    observed: Observed,
    refused_at: Option<i64>,
    is_first_refusal: bool,
    will_report: bool,
}

impl Process {
    fn a_second(&self, now: i64) -> f64 {
        let lately = self.served.iter().filter(|at| **at > now - 5000).count();
        let passed = (now - START) as f64 / 1000.0;
        lately as f64 / passed.clamp(1.0, 5.0)
    }
}

struct World {
    now: i64,
    record: OriginRecord,
    limiter: Limiter,
    retry_after: Option<u64>,
    processes: Vec<Process>,
    events: BinaryHeap<Reverse<(i64, u64, Event)>>,
    number: u64,
    chance: u64,
    ready: usize,
    served: usize,
    refused: usize,
}

impl World {
    fn new(limiter: Limiter, retry_after: Option<u64>, processes: usize, chance: u64) -> Self {
        let process = || Process {
            window: FIRST_WINDOW,
            ..Process::default()
        };
        let mut world = Self {
            now: START + i64::try_from(chance % 1000).unwrap(),
            record: OriginRecord::default(),
            limiter,
            retry_after,
            processes: (0..processes).map(|_| process()).collect(),
            events: BinaryHeap::new(),
            number: 0,
            chance: chance + 1,
            ready: 0,
            served: 0,
            refused: 0,
        };
        for process in 0..processes {
            let late = world.up_to(20);
            world.after(late, Event::Ask(process));
        }
        world
    }

    /// From 1 to `most`, each as likely (xorshift).
    fn up_to(&mut self, most: u64) -> i64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        i64::try_from(1 + self.chance % most).unwrap()
    }

    fn after(&mut self, millis: i64, event: Event) {
        self.number += 1;
        self.events
            .push(Reverse((self.now + millis, self.number, event)));
    }

    /// Seconds until `jobs` more are served.
    fn serve(&mut self, jobs: usize) -> f64 {
        let begin = self.now;
        self.ready += jobs;
        let goal = self.served + jobs;
        while self.served < goal {
            let Reverse((at, _, event)) = self.events.pop().expect("they ask for ever");
            self.now = at;
            assert!(at - begin < 3_600_000, "it starves: {:?}", self.record);
            match event {
                Event::Ask(process) => self.ask(process),
                Event::Arrive(process) => self.arrive(process),
                Event::Report(process) => self.report(process),
                Event::IsDueAgain => self.ready += 1,
            }
        }
        (self.now - begin) as f64 / 1000.0
    }

    fn ask(&mut self, number: usize) {
        let now = self.now;
        let late = self.up_to(8);
        let process = &mut self.processes[number];
        if process.asleep_until > now {
            let left = process.asleep_until - now;
            return self.after(left + late, Event::Ask(number));
        }
        let room = process.window as u32 - process.in_flight.min(process.window as u32);
        let wanted = room.min(u32::try_from(self.ready).unwrap());
        if wanted == 0 {
            return self.after(late, Event::Ask(number));
        }
        process.is_limited |= self.record.restricts(now);
        let (count, wait) = if process.is_limited {
            let allowed = self.record.take(wanted, 0, Caps::default(), now);
            let wait = i64::try_from(allowed.ask_again.as_micros().div_ceil(1000)).unwrap();
            (
                allowed.requests,
                if allowed.requests < wanted { wait } else { 0 },
            )
        } else {
            (wanted, 0)
        };
        process.in_flight += count;
        self.ready -= count as usize;
        for _ in 0..count {
            let way = self.up_to(5);
            self.after(way, Event::Arrive(number));
        }
        self.after(wait + late, Event::Ask(number));
    }

    fn arrive(&mut self, number: usize) {
        let now = self.now;
        let serves = self.limiter.serves(now);
        let process = &mut self.processes[number];
        process.in_flight -= 1;
        if serves {
            self.served += 1;
            process.window += 1.0;
            process.served.push_back(now);
            process.observed.served += u32::from(process.is_limited);
        } else {
            self.refused += 1;
            let wait = self.retry_after.unwrap_or(1);
            let retry_after = self.retry_after.map(Duration::from_secs);
            process.is_limited = true;
            process.asleep_until = now + i64::try_from(wait * 1000).unwrap();
            process.is_first_refusal |= process.refused_at.is_none_or(|at| now - at > 2000);
            process.refused_at = Some(now);
            process.observed.refusal = Some(Refusal {
                retry_after,
                served_a_second: None,
            });
            let spread = self.up_to(250 * wait);
            self.after(
                i64::try_from(wait * 1000).unwrap() + spread,
                Event::IsDueAgain,
            );
        }
        let process = &mut self.processes[number];
        if process.observed != Observed::default() && !process.will_report {
            process.will_report = true;
            self.after(TOGETHER, Event::Report(number));
        }
    }

    fn report(&mut self, number: usize) {
        let now = self.now;
        let process = &mut self.processes[number];
        process.will_report = false;
        let served = process.a_second(now);
        let mut seen = std::mem::take(&mut process.observed);
        if let Some(refusal) = &mut seen.refusal
            && std::mem::take(&mut process.is_first_refusal)
        {
            refusal.served_a_second = Some(served);
        }
        self.record.observe(&seen, now, BREAKER);
        process.asleep_until = self.record.parked_until.unwrap_or(0).max(now);
    }
}

/// True if the time on the network, which varies, is long compared with the time between two
/// requests.
fn is_hasty(kind: Kind, rate: f64) -> bool {
    kind == Kind::Leaky && rate > 20.0
}

fn each(mut test: impl FnMut(Kind, f64, Option<u64>, usize, u64)) {
    for kind in KINDS {
        for rate in [3.0, 10.0, 50.0] {
            for retry_after in [None, Some(1), Some(10)] {
                for (processes, chance) in [(1, 17), (4, 445)] {
                    test(kind, rate, retry_after, processes, chance);
                }
            }
        }
    }
}

/// Half a minute's worth of jobs takes at most half as long again, and two and a half times as long
/// where each refusal costs ten seconds.
#[test]
fn a_backlog_takes_not_much_longer_than_the_origin_needs() {
    each(|kind, rate, retry_after, processes, chance| {
        let limiter = Limiter::new(kind, rate);
        let mut world = World::new(limiter, retry_after, processes, chance);
        let took = world.serve(rate as usize * 30);
        let most = if retry_after == Some(10) { 75.0 } else { 45.0 };
        let most = if is_hasty(kind, rate) {
            most * 1.5
        } else {
            most
        };
        assert!(
            took <= most,
            "{kind:?}, {rate} a second, Retry-After {retry_after:?}, {processes} processes: \
             {took} s, {} refused, {:?}",
            world.refused,
            world.record
        );
    });
}

/// Over five minutes at most three tenths are lost.
#[test]
fn refusals_stay_rare() {
    each(|kind, rate, retry_after, processes, chance| {
        let limiter = Limiter::new(kind, rate);
        let mut world = World::new(limiter, retry_after, processes, chance);
        world.serve(rate as usize * 60);
        let took = world.serve(rate as usize * 300);
        let share = if is_hasty(kind, rate) { 0.5 } else { 0.7 };
        assert!(
            took <= 300.0 / share,
            "{kind:?}, {rate} a second, Retry-After {retry_after:?}, {processes} processes: \
             {took} s, {} refused, {:?}",
            world.refused,
            world.record
        );
    });
}

#[test]
fn a_limit_that_is_raised_is_found_within_minutes() {
    each(|kind, rate, retry_after, processes, chance| {
        if is_hasty(kind, rate * 5.0) {
            return;
        }
        let limiter = Limiter::new(kind, rate);
        let mut world = World::new(limiter, retry_after, processes, chance);
        world.serve(rate as usize * 30);
        world.limiter.rate *= 5.0;
        let begin = world.now;
        let raised = rate * 5.0;
        let knows = |record: &OriginRecord| record.rate.is_none_or(|rate| rate > raised * 0.7);
        while !knows(&world.record) {
            world.serve(raised as usize * 5);
            let waited = (world.now - begin) / 1000;
            assert!(
                waited < 300,
                "{kind:?}, {rate} a second, Retry-After {retry_after:?}, {processes} processes: {:?}",
                world.record
            );
        }
    });
}
