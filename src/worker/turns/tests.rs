//! The order of turns, held to a model: rounds between equals, priority with ageing, windows.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::visit::UNTIL_REPORTED;
use super::*;
use crate::db::{LimitedClaim, ReadyOrigin};
use crate::domain::origin_record::Caps;
use crate::domain::{Origin, Priority};
use crate::fetch::{HopReport, Hops};

const DOWNLOADS: usize = 100;

fn turns() -> Arc<Turns> {
    Arc::new(Turns::new(DOWNLOADS, Arc::new(|_| Caps::default())))
}

fn origin(number: usize) -> Origin {
    Origin::stored(&format!("https://host{number}.example.com:443"))
}

fn ready(number: usize, priority: u8) -> ReadyOrigin {
    let priority = Priority::new(priority).unwrap();
    ReadyOrigin {
        origin: origin(number),
        priority,
        is_held: false,
    }
}

fn answer(visit: &Visit, origin: &Origin, status: u16, retry_after: Option<Duration>) {
    let after = Duration::from_millis(1);
    let report = HopReport::Answered {
        status,
        retry_after,
        after,
    };
    visit.report(origin, report);
}

/// Takes one turn, claims its job and ends it at once with an answer.
fn serve_one(turns: &Arc<Turns>) -> Option<Origin> {
    let turn = turns.take(1).pop()?;
    turns.settle(&turn, 1);
    let visit = Visit::of(turns, &turn.origin, None);
    answer(&visit, &turn.origin, 200, None);
    Some(turn.origin)
}

/// Runs `test` in a runtime whose time stands still but for `tokio::time::advance`.
fn in_still_time<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(test)
}

#[test]
fn one_alone_takes_everything_that_its_window_allows() {
    in_still_time(async {
        let turns = turns();
        turns.mark_all_ready(vec![ready(1, 5)]);
        let taken = turns.take(50);
        assert_eq!(taken[0].jobs, window::FIRST);
        assert_ne!(turns.claimant(), Claimant::Turns);
        turns.settle(&taken[0], window::FIRST as usize);
        let visits: Vec<_> = (0..window::FIRST)
            .map(|_| Visit::of(&turns, &origin(1), None))
            .collect();
        for visit in &visits {
            answer(visit, &origin(1), 200, None);
        }
        assert_eq!(turns.take(50)[0].jobs, window::FIRST, "it doubled");
    });
}

#[test]
fn silence_leaves_one_request_and_an_origin_without_answers_a_quarter_of_the_sockets() {
    in_still_time(async {
        let turns = turns();
        turns.mark_all_ready(vec![ready(1, 5)]);
        let mut visits = Vec::new();
        // Its window grew large while it answered.
        for _ in 0..200 {
            serve_one(&turns);
            let jobs: u32 = turns.take(DOWNLOADS).iter().map(|turn| turn.jobs).sum();
            visits.extend((0..jobs).map(|_| Visit::of(&turns, &origin(1), None)));
            if jobs > 0 {
                turns.mark_all_ready(vec![ready(1, 5)]);
            }
        }
        assert!(visits.len() <= DOWNLOADS / 4, "{}", visits.len());
        for visit in &visits {
            visit.report(&origin(1), HopReport::Failed);
        }
        visits.clear();
        tokio::time::advance(2 * UNTIL_REPORTED).await;
        turns.mark_all_ready(vec![ready(1, 5)]);
        assert_eq!(turns.take(DOWNLOADS)[0].jobs, 1);
    });
}

#[test]
fn a_refusal_stops_an_origin_until_it_said_and_nobody_else() {
    in_still_time(async {
        let turns = turns();
        turns.mark_all_ready(vec![ready(1, 5), ready(2, 5)]);
        let turn = turns.take(1).pop().unwrap();
        turns.settle(&turn, 1);
        let refused = Visit::of(&turns, &turn.origin, None);
        let wait = Duration::from_secs(30);
        answer(&refused, &turn.origin, 429, Some(wait));
        assert_eq!(refused.refused_by(), Some(turn.origin.clone()));
        drop(refused);
        for _ in 0..20 {
            assert_ne!(serve_one(&turns), Some(turn.origin.clone()));
        }
        let news = turns.take_news();
        assert_eq!(news.len(), 1);
        assert!(news[0].1.refusal.is_some());
        tokio::time::advance(wait).await;
        let other = (0..3).any(|_| serve_one(&turns) == Some(turn.origin.clone()));
        assert!(other, "it did not come back");
    });
}

#[test]
fn the_end_of_a_job_wakes_an_origin_whose_cap_is_used_up() {
    in_still_time(async {
        let turns = turns();
        turns.mark_all_ready(vec![ready(1, 5)]);
        let full = LimitedClaim {
            claims: Vec::new(),
            ask_again: Some(Duration::from_millis(200)),
            awaits_end: true,
            is_drained: false,
            is_limited: false,
        };
        let nothing_claimed = |turn: &Turn| {
            turns.settle(turn, 0);
            turns.mark_ready(&turn.origin);
            turns.apply_limits(turn, &full);
        };
        nothing_claimed(&turns.take(1)[0]);
        assert_ne!(turns.claimant(), Claimant::Turns);
        turns.note_end(&origin(1));
        let turn = turns.take(1).pop().expect("it is awake");
        turns.note_end(&origin(1));
        nothing_claimed(&turn);
        assert_eq!(
            turns.claimant(),
            Claimant::Turns,
            "one ended while it was asked"
        );
        nothing_claimed(&turns.take(1)[0]);
        tokio::time::advance(Duration::from_millis(200)).await;
        assert_eq!(
            turns.claimant(),
            Claimant::Turns,
            "one of another process may have ended"
        );
    });
}

#[test]
fn what_has_waited_long_comes_before_what_is_more_urgent() {
    in_still_time(async {
        let turns = turns();
        turns.mark_all_ready(vec![ready(1, 9), ready(2, 0)]);
        let mut waited = Duration::ZERO;
        while serve_one(&turns) == Some(origin(2)) {
            tokio::time::advance(Duration::from_secs(1)).await;
            turns.mark_all_ready(vec![ready(2, 0)]);
            turns.tidy();
            waited += Duration::from_secs(1);
            assert!(waited < Duration::from_secs(600), "it starves");
        }
        assert!(waited >= Duration::from_secs(9 * 60), "after {waited:?}");
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Between two turns of an origin that is ready all the time, no equal has more than one.
    #[test]
    fn equals_have_their_turns_in_rounds(
        sizes in prop::collection::vec(1_usize..40, 2..30),
        rounds in 1_usize..300,
    ) {
        in_still_time(async {
            let turns = turns();
            let mut left = sizes.clone();
            turns.mark_all_ready((0..left.len()).map(|number| ready(number, 5)).collect());
            let mut since: HashMap<usize, HashMap<usize, usize>> = HashMap::new();
            for _ in 0..rounds {
                let Some(turn) = turns.take(1).pop() else { break };
                let number = (0..sizes.len()).find(|number| origin(*number) == turn.origin);
                let number = number.unwrap();
                let claimed = usize::from(left[number] > 0);
                left[number] -= claimed;
                turns.settle(&turn, claimed);
                if claimed == 1 {
                    let visit = Visit::of(&turns, &turn.origin, None);
                    answer(&visit, &turn.origin, 200, None);
                }
                for (other, seen) in &mut since {
                    if *other != number {
                        *seen.entry(number).or_default() += 1;
                    }
                }
                if let Some(seen) = since.insert(number, HashMap::new()) {
                    prop_assert!(seen.values().all(|count| *count <= 1), "{number}: {seen:?}");
                }
            }
            Ok(())
        })?;
    }

    /// Whatever answers come, the jobs in flight never exceed the window, and when all is over
    /// nothing counts as in flight.
    #[test]
    fn windows_hold(
        steps in prop::collection::vec((0_usize..5, 0_u8..10, 1_usize..30, 0_u8..6), 1..80),
    ) {
        in_still_time(async {
            let turns = turns();
            let mut visits: Vec<(Origin, Visit)> = Vec::new();
            for (number, priority, seats, what) in steps {
                turns.mark_all_ready(vec![ready(number, priority)]);
                for turn in turns.take(seats) {
                    let claimed = turn.jobs as usize - usize::from(what == 0);
                    turns.settle(&turn, claimed);
                    let visit = |_| (turn.origin.clone(), Visit::of(&turns, &turn.origin, None));
                    visits.extend((0..claimed).map(visit));
                }
                for (origin, known) in &turns.state().known {
                    let in_flight = visits.iter().filter(|(of, _)| of == origin).count();
                    prop_assert_eq!(known.in_flight as usize, in_flight);
                    prop_assert!(known.unanswered <= known.in_flight);
                    prop_assert!(known.in_flight <= DOWNLOADS as u32);
                }
                let end = visits.len() / 2;
                for (origin, visit) in visits.drain(..end) {
                    match what {
                        1 => visit.report(&origin, HopReport::Failed),
                        2 => answer(&visit, &origin, 429, None),
                        3 => {}
                        _ => answer(&visit, &origin, 200, None),
                    }
                }
                tokio::time::advance(Duration::from_millis(300)).await;
            }
            visits.clear();
            for known in turns.state().known.values() {
                prop_assert_eq!((known.in_flight, known.unanswered), (0, 0));
            }
            Ok(())
        })?;
    }
}
