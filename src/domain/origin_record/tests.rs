//! What happens at an origin changes its record as it should, and bounds hold whatever happens.

use super::rate::{HIGHEST_RATE, LOWEST_RATE};
use super::*;
use proptest::prelude::*;

const BREAKER: Duration = Duration::from_secs(30);
const START: i64 = 1_800_000_000_000;

fn served(count: u32) -> Observed {
    Observed {
        served: count,
        ..Observed::default()
    }
}

fn refused(retry_after: Option<u64>, served_a_second: Option<f64>) -> Observed {
    let retry_after = retry_after.map(Duration::from_secs);
    let refusal = Some(Refusal {
        retry_after,
        served_a_second,
    });
    Observed {
        refusal,
        ..Observed::default()
    }
}

fn failed(count: usize) -> Observed {
    Observed {
        failures: vec![Duration::from_millis(500); count],
        ..Observed::default()
    }
}

#[test]
fn five_failures_in_a_row_open_the_breaker_and_an_answer_closes_it() {
    let mut record = OriginRecord::default();
    record.observe(&failed(4), START, BREAKER);
    assert!(!record.restricts(START));
    record.observe(&served(1), START, BREAKER);
    assert!(record.is_blank(), "an answer ends the row: {record:?}");
    record.observe(&failed(8), START, BREAKER);
    assert_eq!(
        record.openings, 1,
        "those under way at the opening are no probes"
    );
    assert_eq!(record.parked_until, Some(START + 30_000));
    let probing = START + 31_000;
    let caps = Caps::default();
    assert_eq!(record.take(10, 0, caps, START + 1000).requests, 0);
    assert_eq!(record.take(10, 0, caps, probing).requests, 1, "one probe");
    assert_eq!(record.take(10, 1, caps, probing).requests, 0, "at a time");
    record.observe(&failed(1), probing, BREAKER);
    assert_eq!(record.parked_until, Some(probing + 60_000));
    assert!(!record.gives_up());
    record.observe(&failed(1), probing + 61_000, BREAKER);
    assert!(record.gives_up(), "two probes failed");
    record.observe(&served(1), probing + 200_000, BREAKER);
    assert!(record.is_blank(), "{record:?}");
}

#[test]
fn the_breaker_stays_open_for_ten_minutes_at_most() {
    let mut record = OriginRecord::default();
    record.observe(&failed(5), START, BREAKER);
    let mut now = START;
    for _ in 0..40 {
        now = record.parked_until.unwrap() + 1000;
        record.observe(&failed(1), now, BREAKER);
    }
    assert_eq!(record.parked_until, Some(now + 600_000));
}

#[test]
fn failures_that_lie_far_apart_are_not_in_a_row() {
    let mut record = OriginRecord::default();
    for number in 0..20 {
        record.observe(&failed(1), START + number * 700_000, BREAKER);
    }
    assert_eq!(record.failures, 1);
}

#[test]
fn a_refusal_parks_the_origin_and_teaches_what_it_bears() {
    let mut record = OriginRecord::default();
    // Three processes met it at the same moment.
    record.observe(&refused(Some(10), Some(4.0)), START, BREAKER);
    record.observe(&refused(Some(10), Some(3.0)), START + 100, BREAKER);
    record.observe(&refused(None, Some(3.0)), START + 200, BREAKER);
    assert_eq!(record.rate.map(|rate| (rate * 10.0).round()), Some(90.0));
    assert_eq!(
        record.parked_until,
        Some(START + 10_100),
        "the longest that was asked for"
    );
    let caps = Caps::default();
    assert_eq!(record.take(50, 0, caps, START + 10_000).requests, 0);
    // Its jobs come back one by one.
    let mut taken = 0;
    for hundredth in 0..1000 {
        taken += record
            .take(50, 0, caps, START + 10_100 + hundredth * 10)
            .requests;
    }
    assert!((85..=92).contains(&taken), "{taken} in ten seconds");
}

#[test]
fn refusals_without_a_time_park_longer_each_time() {
    let mut record = OriginRecord::default();
    let mut now = START;
    for seconds in [1, 2, 4, 8] {
        record.observe(&refused(None, None), now, BREAKER);
        assert_eq!(record.parked_until, Some(now + seconds * 1000));
        now += seconds * 1000 + 1;
    }
    record.observe(&served(1), now, BREAKER);
    record.observe(&refused(None, None), now + 2000, BREAKER);
    assert_eq!(record.parked_until, Some(now + 3000));
    record.observe(&refused(Some(u64::MAX / 1000), None), now + 9000, BREAKER);
    assert_eq!(
        record.parked_until,
        Some(now + 9000 + 600_000),
        "ten minutes at most"
    );
}

#[test]
fn a_rate_is_held_for_ten_parks_and_then_rises_slowly() {
    let mut record = OriginRecord {
        rate: Some(10.0),
        settled_rate: Some(10.0),
        ..OriginRecord::default()
    };
    record.observe(&refused(Some(10), None), START, BREAKER);
    assert_eq!(record.rate, Some(9.0));
    let held_until = START + 10_000 + 100_000;
    record.observe(&served(500), held_until - 1, BREAKER);
    assert_eq!(record.rate, Some(9.0));
    record.observe(&served(50), held_until, BREAKER);
    assert_eq!(record.rate, Some(10.0), "a fiftieth an answer");
    record.observe(&refused(Some(10), None), held_until + 100, BREAKER);
    assert_eq!(record.rate, Some(9.0), "back to where it stood");
    record.observe(&refused(Some(10), None), held_until + 20_000, BREAKER);
    assert_eq!(record.rate, Some(9.0), "nothing was served at all");
}

#[test]
fn a_rate_rises_fast_where_the_limit_was_lifted_and_is_dropped_when_it_is_none() {
    let mut record = OriginRecord {
        rate: Some(14.0),
        settled_rate: Some(10.0),
        is_measured: true,
        ..OriginRecord::default()
    };
    record.observe(&served(10), START, BREAKER);
    assert_eq!(record.rate, Some(15.0));
    record.rate = Some(999.99);
    record.observe(&served(10), START, BREAKER);
    assert_eq!((record.rate, record.settled_rate), (None, None));
}

#[test]
fn a_pause_and_caps_hold() {
    let caps = Caps {
        concurrency: Some(2),
        per_second: Some(5.0),
    };
    let mut record = OriginRecord {
        paused: true,
        ..OriginRecord::default()
    };
    assert_eq!(record.take(5, 0, caps, START).requests, 0);
    record.paused = false;
    assert_eq!(record.take(5, 2, caps, START).requests, 0, "two in flight");
    assert_eq!(record.take(5, 0, caps, START).requests, 1, "no burst");
    let again = record.take(5, 1, caps, START + 100);
    assert_eq!((again.requests, again.ask_again.as_millis()), (0, 100));
    assert_eq!(record.take(5, 1, caps, START + 200).requests, 1);
}

proptest! {
    /// Whatever happens, no second brings more requests than the cap and one.
    #[test]
    fn a_cap_holds_over_any_second(
        per_second in 0.5_f64..200.0,
        asks in prop::collection::vec((0_i64..400, 1_u32..50, any::<bool>()), 1..300),
    ) {
        let caps = Caps { concurrency: None, per_second: Some(per_second) };
        let mut record = OriginRecord::default();
        let mut now = START;
        let mut taken: Vec<(i64, u32)> = Vec::new();
        for (pause, wanted, gives_one_back) in asks {
            now += pause;
            let got = record.take(wanted, 0, caps, now).requests;
            prop_assert!(got <= wanted);
            let back = u32::from(gives_one_back).min(got);
            record.give_back(back);
            taken.push((now, got - back));
            let lately: u32 = taken
                .iter()
                .filter(|(at, _)| *at > now - 1000)
                .map(|(_, count)| count)
                .sum();
            let most = per_second + (per_second * BURST_SECONDS).max(1.0) + 1e-6;
            prop_assert!(f64::from(lately) <= most, "{lately} of {most}");
        }
    }

    /// No park is longer than ten minutes, and no rate is lower than the lowest.
    #[test]
    fn a_record_stays_in_bounds(
        events in prop::collection::vec(
            (0_i64..100_000, 0_u32..20, prop::option::of(prop::option::of(0_u64..10_000)), 0_usize..8),
            1..60,
        ),
    ) {
        let mut record = OriginRecord::default();
        let mut now = START;
        for (pause, served, refusal, failures) in events {
            now += pause;
            let seen = Observed {
                served,
                refusal: refusal.map(|seconds| Refusal {
                    retry_after: seconds.map(Duration::from_secs),
                    served_a_second: Some(3.0),
                }),
                failures: vec![Duration::from_millis(10); failures],
                served_before: None,
            };
            record.observe(&seen, now, BREAKER);
            prop_assert!(record.parked_until.is_none_or(|until| until <= now + 600_000));
            prop_assert!(record.rate.is_none_or(|rate| (LOWEST_RATE..HIGHEST_RATE).contains(&rate)));
            prop_assert!(record.parked_until.is_some() == record.park_reason.is_some());
        }
    }
}
