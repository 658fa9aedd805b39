//! Claims jobs, by bells and by turns. Nothing here starts work on what was claimed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::leases::{Lease, Leases};
use super::lost_claims::LostClaims;
use super::pulse::Pulse;
use super::turns::{Turn, Turns};
use crate::db::{ClaimSource, Claimed, Database, DbError};
use crate::domain::{Claim, JobId, Origin};

/// How long nothing is claimed after a claim found the queue paused.
const PAUSED_FOR: Duration = Duration::from_secs(1);

pub(super) struct Claimer {
    pub database: Database,
    pub worker: uuid::Uuid,
    /// How long a claim holds without renewal.
    pub duration: Duration,
    pub leases: Leases,
    pub lost_claims: Arc<LostClaims>,
    pub pulse: Pulse,
    pub turns: Arc<Turns>,
}

/// A claimed job, whose lease is renewed as long as this lives.
pub(super) struct HeldClaim {
    pub claim: Claim,
    pub lease: Lease,
}

impl Claimer {
    /// Claims the jobs that bells rang for, or others of their origins.
    pub(super) async fn claim_by_bells(&self, ids: Vec<JobId>) -> Result<Vec<HeldClaim>, DbError> {
        let room = Turns::first_room();
        let rooms = self.turns.rooms();
        let noted = self.lost_claims.claiming().await;
        let asked = Instant::now();
        let source = ClaimSource::Bells { ids, room, rooms };
        let claimed = self
            .database
            .claim(source, self.worker, self.duration)
            .await;
        let claimed = self.note_answer(claimed)?;
        let mut origins: HashMap<Origin, u32> = HashMap::new();
        for claim in &claimed.claims {
            *origins.entry(claim.origin.clone()).or_default() += 1;
        }
        self.turns.note_claimed(&origins, room);
        self.note_skipped(&claimed);
        let held = self.hold(claimed.claims, asked);
        drop(noted);
        Ok(held)
    }

    /// Claims what has its turn. After a fault some of it may be claimed all the same.
    pub(super) async fn claim_turns(
        &self,
        turns: Vec<Turn>,
    ) -> (Vec<HeldClaim>, Result<(), DbError>) {
        let (limited, free): (Vec<Turn>, Vec<Turn>) =
            turns.into_iter().partition(|turn| turn.limits.is_some());
        let mut claims = Vec::new();
        let noted = self.lost_claims.claiming().await;
        let asked = Instant::now();
        let mut answered = Ok(());
        let mut note = |claimed: Result<Vec<Claim>, DbError>| match claimed {
            Ok(claimed) => claims.extend(claimed),
            Err(error) => answered = Err(error),
        };
        if !free.is_empty() {
            note(self.claim_free(&free).await);
        }
        let each = limited.iter().map(|turn| self.claim_limited(turn));
        for claimed in futures_util::future::join_all(each).await {
            note(claimed);
        }
        let held = self.hold(claims, asked);
        drop(noted);
        (held, answered)
    }

    async fn claim_free(&self, turns: &[Turn]) -> Result<Vec<Claim>, DbError> {
        let wanted = turns
            .iter()
            .map(|turn| (turn.origin.clone(), turn.jobs))
            .collect();
        let source = ClaimSource::Origins(wanted);
        let claimed = self
            .database
            .claim(source, self.worker, self.duration)
            .await;
        let claimed = self.note_answer(claimed).inspect_err(|_| {
            for turn in turns {
                self.turns.give_back(turn);
            }
        })?;
        for turn in turns {
            let of_turn = claimed
                .claims
                .iter()
                .filter(|claim| claim.origin == turn.origin);
            self.turns.settle(turn, of_turn.count());
            if claimed.queue_is_paused {
                self.turns.mark_ready(&turn.origin);
            }
        }
        self.note_skipped(&claimed);
        Ok(claimed.claims)
    }

    async fn claim_limited(&self, turn: &Turn) -> Result<Vec<Claim>, DbError> {
        let caps = turn.limits.unwrap_or_default();
        let claimed = self
            .database
            .claim_limited(&turn.origin, turn.jobs, caps, self.worker, self.duration)
            .await;
        let claimed = self
            .note_answer(claimed)
            .inspect_err(|_| self.turns.give_back(turn))?;
        self.turns.settle(turn, claimed.claims.len());
        if !claimed.is_drained {
            self.turns.mark_ready(&turn.origin);
        }
        self.turns.apply_limits(turn, &claimed);
        Ok(claimed.claims)
    }

    /// Notes that the database answered a claim, or that nobody knows what it did.
    fn note_answer<T>(&self, answer: Result<T, DbError>) -> Result<T, DbError> {
        match &answer {
            Ok(_) => self.pulse.note_claim(),
            Err(error) if error.is_unavailable() => self.lost_claims.suspect(),
            Err(_) => {}
        }
        answer
    }

    fn note_skipped(&self, claimed: &Claimed) {
        if !claimed.skipped.is_empty() {
            self.turns.note_skipped(claimed.skipped.clone());
        }
        if claimed.queue_is_paused {
            self.turns.pause(PAUSED_FOR);
        }
    }

    fn hold(&self, claims: Vec<Claim>, asked: Instant) -> Vec<HeldClaim> {
        claims
            .into_iter()
            .map(|claim| HeldClaim {
                lease: self.leases.hold(claim.clone(), asked),
                claim,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::storage_gate::StorageGate;
    use super::super::testing;
    use super::*;

    const LEASE: Duration = Duration::from_secs(60);

    fn claimer(database: Database) -> Claimer {
        let worker = uuid::Uuid::now_v7();
        let leases = Leases::new(database.clone(), worker, LEASE);
        let lost_claims = LostClaims::new(database.clone(), worker, LEASE, leases.clone());
        Claimer {
            database,
            worker,
            duration: LEASE,
            leases,
            lost_claims: Arc::new(lost_claims),
            pulse: Pulse::new(LEASE, LEASE, StorageGate::open()),
            turns: testing::turns(),
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn claims_by_bells_and_by_turns_are_held_until_they_are_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let claimer = claimer(testing::database(folder.path()).await);
        let rung = testing::submit(&claimer.database, "https://a.example/x").await;
        let by_bells = claimer.claim_by_bells(vec![rung]).await.unwrap();
        let swept = testing::submit(&claimer.database, "https://b.example/x").await;
        let ready = claimer.database.ready_origins(None, 10).await.unwrap();
        claimer.turns.mark_all_ready(ready);
        let (by_turns, answered) = claimer.claim_turns(claimer.turns.take(5)).await;
        assert!(answered.is_ok());
        let ids = |claims: &[HeldClaim]| claims.iter().map(|held| held.claim.id).collect();
        let claimed: [Vec<JobId>; 2] = [ids(&by_bells), ids(&by_turns)];
        assert_eq!(claimed, [[rung], [swept]]);
        assert_eq!(claimer.leases.known().len(), 2);
        drop(by_bells);
        assert_eq!(claimer.leases.known().len(), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_claim_whose_answer_was_lost_is_handed_back_and_a_held_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let claimer = claimer(testing::database(folder.path()).await);
        let database = &claimer.database;
        let held = testing::submit(database, "https://a.example/x").await;
        let _held = claimer.claim_by_bells(vec![held]).await.unwrap();
        let lost = testing::submit(database, "https://b.example/x").await;
        let source = ClaimSource::Origins(vec![(Origin::stored("https://b.example:443"), 1)]);
        let claimed = database.claim(source, claimer.worker, LEASE).await.unwrap();
        assert_eq!(claimed.claims[0].id, lost);
        let of_worker = async || {
            let claims = database.held_by(claimer.worker).await.unwrap();
            claims.into_iter().map(|claim| claim.id).collect::<Vec<_>>()
        };

        claimer.lost_claims.release().await;
        assert_eq!(of_worker().await.len(), 2, "no claim has failed");
        claimer.lost_claims.suspect();
        claimer.lost_claims.release().await;
        assert_eq!(of_worker().await, [held]);
    }
}
