//! Deletes jobs whose time is over, in slices with pauses between ([`super::pace`]).

use std::time::{Duration, Instant};

use tokio::time::sleep;
use uuid::Uuid;

use super::notice::{self, Announcer};
use super::{pace, pause};
use crate::db::{Database, DbError};
use crate::domain::retention::Standing;
use crate::domain::{JobStatus, ListPlace, Retention};

const INTERVAL: Duration = Duration::from_secs(20);
/// A look takes a tenth of the time at most, if no more than this is between two.
const LONGEST_INTERVAL: Duration = Duration::from_secs(600);
const IDLE_TIMES: u32 = 10;
/// Jobs that are looked at, and deleted, at once.
const SLICE: u32 = 500;
/// Jobs that are looked at in one count.
const COUNTED: u32 = 10_000;
const TURN: &str = "retention_turn";
const TURN_LENGTH: Duration = Duration::from_secs(60);
/// How often a process that deletes looks whether it still may.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

pub(super) async fn tend_forever(database: &Database, rules: Retention) {
    let holder = Uuid::now_v7();
    let mut announcer = Announcer::new(database, rules);
    loop {
        let began = Instant::now();
        if let Err(error) = tend(database, rules, holder, &mut announcer).await {
            tracing::warn!(%error, "jobs whose time is over are not deleted yet");
        }
        let idle = began.elapsed().saturating_mul(IDLE_TIMES);
        pause(idle.clamp(INTERVAL, LONGEST_INTERVAL)).await;
    }
}

/// Every process says what its rules are; one of them deletes.
async fn tend(
    database: &Database,
    rules: Retention,
    holder: Uuid,
    announcer: &mut Announcer<'_>,
) -> Result<(), DbError> {
    let standing = announcer.look().await?;
    // Nothing to delete is nothing to write.
    if standing != Standing::Holds && database.expired(1).await?.is_none() {
        return Ok(());
    }
    if !database.take_turn(TURN, holder, TURN_LENGTH).await? {
        return Ok(());
    }
    let walk = match standing {
        Standing::Holds => Walk::of_all(database, rules),
        // Clients have set these ends themselves.
        _ => Walk::of_expired(database),
    };
    let deleted = delete(walk, holder, announcer).await;
    database.end_turn(TURN, holder).await?;
    match deleted? {
        0 => {}
        deleted => tracing::info!(deleted, "deleted jobs whose time is over"),
    }
    Ok(())
}

async fn delete(
    mut walk: Walk<'_>,
    holder: Uuid,
    announcer: &mut Announcer<'_>,
) -> Result<u64, DbError> {
    let mut deleted = 0;
    let mut checked = Instant::now();
    while let Some(more) = walk.step().await? {
        deleted += more;
        if checked.elapsed() > CHECK_INTERVAL {
            let is_ours = walk.database.take_turn(TURN, holder, TURN_LENGTH).await?;
            let holds = announcer.look().await? == Standing::Holds;
            if !is_ours || (walk.follows_rules && !holds) {
                break;
            }
            checked = Instant::now();
        }
    }
    Ok(deleted)
}

/// A way through all jobs whose time is over.
pub struct Walk<'a> {
    database: &'a Database,
    /// What comes next is last.
    steps: Vec<Step>,
    follows_rules: bool,
}

enum Step {
    Expired,
    Overdue {
        status: JobStatus,
        keeping: Duration,
        after: Option<ListPlace>,
    },
}

impl<'a> Walk<'a> {
    /// Jobs whose end their clients have set.
    fn of_expired(database: &'a Database) -> Self {
        Self {
            database,
            steps: vec![Step::Expired],
            follows_rules: false,
        }
    }

    /// The same, and then those that `rules` name.
    pub fn of_all(database: &'a Database, rules: Retention) -> Self {
        let overdue = |(status, keeping)| Step::Overdue {
            status,
            keeping,
            after: None,
        };
        let mut walk = Self::of_expired(database);
        walk.steps.splice(0..0, rules.limits().map(overdue));
        walk.follows_rules = true;
        walk
    }

    /// Deletes some jobs and pauses; returns how many, or `None` at the end.
    ///
    /// # Errors
    /// If the database can't be read or written; then this may be called again.
    pub async fn step(&mut self) -> Result<Option<u64>, DbError> {
        let Some(step) = self.steps.last_mut() else {
            return Ok(None);
        };
        let began = Instant::now();
        let (deleted, is_over) = match step {
            Step::Expired => delete_expired(self.database).await?,
            Step::Overdue {
                status,
                keeping,
                after,
            } => delete_overdue(self.database, *status, *keeping, after).await?,
        };
        if is_over {
            self.steps.pop();
        } else {
            sleep(pace::after_deleting(began.elapsed())).await;
        }
        Ok(Some(deleted))
    }
}

/// How many, and whether they were the last.
async fn delete_expired(database: &Database) -> Result<(u64, bool), DbError> {
    let Some(expired) = database.expired(SLICE).await? else {
        return Ok((0, true));
    };
    let deleted = database.delete_expired(&expired).await?.len();
    // Without progress the same jobs would be found for ever.
    let is_over = expired.ids.len() < SLICE as usize || deleted == 0;
    Ok((deleted as u64, is_over))
}

async fn delete_overdue(
    database: &Database,
    status: JobStatus,
    keeping: Duration,
    after: &mut Option<ListPlace>,
) -> Result<(u64, bool), DbError> {
    let Some(overdue) = database.overdue(status, keeping, *after, SLICE).await? else {
        return Ok((0, true));
    };
    let deleted = database.delete_overdue(&overdue).await?.len();
    *after = overdue.next;
    Ok((deleted as u64, overdue.next.is_none()))
}

/// Jobs of a kind whose time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Over {
    /// The state, or `expired`: their clients have set an end.
    pub kind: &'static str,
    pub jobs: u64,
    /// False if there may be more.
    pub is_exact: bool,
}

/// How many jobs have passed an end that their client has set.
///
/// # Errors
/// If the database can't be read.
pub async fn count_expired(database: &Database) -> Result<Over, DbError> {
    let expired = database.expired(COUNTED).await?;
    let jobs = expired.map_or(0, |expired| expired.ids.len());
    Ok(Over {
        kind: "expired",
        jobs: jobs as u64,
        is_exact: jobs < COUNTED as usize,
    })
}

/// How many jobs `rules` would delete now, by their state. `quickly`: after a look at 10,000 of each
/// state.
///
/// # Errors
/// If the database can't be read.
pub async fn count_overdue(
    database: &Database,
    rules: Retention,
    quickly: bool,
) -> Result<Vec<Over>, DbError> {
    let mut counts = Vec::new();
    for (status, keeping) in rules.limits() {
        let (mut jobs, mut after) = (0, None);
        while let Some(overdue) = database.overdue(status, keeping, after, COUNTED).await? {
            jobs += overdue.ids.len() as u64;
            after = overdue.next;
            if quickly || after.is_none() {
                break;
            }
        }
        counts.push(Over {
            kind: status.as_str(),
            jobs,
            is_exact: after.is_none(),
        });
    }
    Ok(counts)
}

/// What the rules may do at present, announced as a service process does.
///
/// # Errors
/// If the database can't be read or written.
pub async fn standing(database: &Database, rules: Retention) -> Result<Standing, DbError> {
    notice::Announcer::new(database, rules).look().await
}
