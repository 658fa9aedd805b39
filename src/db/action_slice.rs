//! Does actions in slices. The jobs of a slice and the action's progress change in one transaction:
//! after a crash the next slice begins where the last one ended, and each job is counted once.

use std::time::Duration;

use diesel::prelude::*;
use diesel::result::DatabaseErrorKind;
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::actions::ActionRow;
use super::life_change::{Change, Guard};
use super::literal::{Literal, literal};
use super::pools::{Pools, on_pool, read_query, write_query};
use super::schema::{actions, jobs};
use super::types::{Id, Moment};
use super::{Database, DbError, clock};
use crate::domain::action::{Action, ActionKind, ActionStatus, ActionTarget};
use crate::domain::{JobFilter, JobId, ListPlace};

/// Jobs in a slice: few, so that it locks nothing for long.
const SLICE: u32 = 500;
/// A process that works on an action says so again within this time, or another one goes on.
const LEASE: Duration = Duration::from_secs(15);

/// What a slice is to change, and where the next one begins.
struct Slice {
    ids: Vec<JobId>,
    guard: Guard,
    /// `None` after the last slice.
    next: Option<Next>,
}

#[derive(Clone, Copy)]
enum Next {
    Place(ListPlace),
    Position(i64),
}

/// What came of a slice.
#[derive(Debug, Clone, Copy, Default)]
struct Changed {
    done: usize,
    failed: usize,
}

/// A slice inside a transaction of either database.
macro_rules! act {
    ($connection:ident, $changes:ident, $ids:ident, $guard:ident, $progress:ident, $refused:ident, $run:ident) => {{
        // The lock keeps an abort, and any other process, out until the slice is written.
        let locked = diesel::update(
            actions::table
                .find($progress.action)
                .filter(is_running())
                .filter(actions::runner.eq($progress.runner)),
        )
        .set(actions::lease_until.eq(clock::after(LEASE).nullable()))
        .execute($connection)
        .await?;
        if locked == 0 {
            return Ok::<_, diesel::result::Error>(());
        }
        let mut changed = Changed::default();
        if $refused {
            changed.failed = $ids.len();
        } else {
            changed.done = $changes.many.$run($connection, &$ids, &$guard).await?.len();
            if let Some(change) = &$changes.exclusive {
                let exclusive: Vec<Id> = jobs::table
                    .filter(
                        jobs::id.eq_any($ids.iter().map(|id| Id::from(*id)).collect::<Vec<_>>()),
                    )
                    .filter(jobs::exclusive.eq(true))
                    .select(jobs::id)
                    .order(jobs::id.asc())
                    .load($connection)
                    .await?;
                for id in exclusive {
                    let one = [JobId(id.0)];
                    let (change, guard) = (change, &$guard);
                    // A savepoint: a refusal by the index ends this one alone.
                    let retried = $connection
                        .transaction(async move |connection| {
                            change.$run(connection, &one, guard).await
                        })
                        .await;
                    match retried {
                        Ok(one) => changed.done += one.len(),
                        Err(diesel::result::Error::DatabaseError(
                            DatabaseErrorKind::UniqueViolation,
                            _,
                        )) => {}
                        Err(error) => return Err(error),
                    }
                }
            }
        }
        write_progress!($connection, $progress, changed);
        Ok(())
    }};
}

macro_rules! write_progress {
    ($connection:ident, $progress:ident, $changed:ident) => {{
        let skipped = $progress
            .looked_at
            .saturating_sub($changed.done + $changed.failed);
        let counted = (
            actions::done.eq(actions::done + $changed.done as i64),
            actions::failed.eq(actions::failed + $changed.failed as i64),
            actions::skipped.eq(actions::skipped + skipped as i64),
            actions::updated_at.eq(clock::now()),
        );
        let row = actions::table.find($progress.action);
        match $progress.next {
            Some(Next::Place(place)) => {
                diesel::update(row)
                    .set((
                        counted,
                        actions::after_created_at.eq(Some(Moment(place.created_at))),
                        actions::after_id.eq(Some(Id(place.id))),
                    ))
                    .execute($connection)
                    .await?;
            }
            Some(Next::Position(position)) => {
                diesel::update(row)
                    .set((counted, actions::position.eq(position)))
                    .execute($connection)
                    .await?;
            }
            None => {
                diesel::update(row)
                    .set((
                        counted,
                        actions::status.eq(ActionStatus::Done.as_str()),
                        actions::finished_at.eq(clock::now().nullable()),
                    ))
                    .execute($connection)
                    .await?;
                // What was counted at first and not found again was changed by others meanwhile.
                let (looked_at, row) = (looked_at(), actions::table.find($progress.action));
                diesel::update(row)
                    .set((
                        actions::skipped.eq(diesel::dsl::sql::<diesel::sql_types::BigInt>(
                            &format!(
                                "skipped + CASE WHEN matched > {looked_at} \
                             THEN matched - ({looked_at}) ELSE 0 END"
                            ),
                        )),
                        actions::matched.eq(diesel::dsl::sql::<diesel::sql_types::BigInt>(
                            &format!(
                                "CASE WHEN matched > {looked_at} THEN matched ELSE {looked_at} END"
                            ),
                        )),
                    ))
                    .execute($connection)
                    .await?;
            }
        }
    }};
}

/// No other process works on the action, or did not say so for long.
macro_rules! is_free {
    ($runner:ident) => {
        actions::lease_until
            .is_null()
            .or(actions::lease_until
                .lt(clock::now().nullable())
                .assume_not_null())
            .or(actions::runner.eq(Id($runner)).assume_not_null())
    };
}

impl Database {
    /// Takes actions that run and that no other process works on; `runner` is this process.
    pub async fn take_actions(&self, runner: uuid::Uuid) -> Result<Vec<uuid::Uuid>, DbError> {
        // Looked for first: there are rarely any, and a look takes no lock.
        let free: Vec<Id> = read_query!(self.pools, connection => actions::table
            .filter(is_running())
            .filter(is_free!(runner))
            .order(actions::created_at.asc())
            .select(actions::id)
            .limit(100)
            .load(connection)
            .await)?;
        if free.is_empty() {
            return Ok(Vec::new());
        }
        let taken: Vec<Id> = write_query!(self.pools, connection => diesel::update(
                actions::table
                    .filter(actions::id.eq_any(free))
                    .filter(is_running())
                    .filter(is_free!(runner)),
            )
            .set((
                actions::runner.eq(Some(Id(runner))),
                actions::lease_until.eq(clock::after(LEASE).nullable()),
            ))
            .returning(actions::id)
            .load(connection)
            .await)?;
        Ok(taken.into_iter().map(|id| id.0).collect())
    }

    /// Does one slice of an action that `runner` has taken. If the action goes on, its kind.
    pub async fn act_on_slice(
        &self,
        id: uuid::Uuid,
        runner: uuid::Uuid,
    ) -> Result<Option<ActionKind>, DbError> {
        let row: Option<ActionRow> = read_query!(self.pools, connection => actions::table
            .find(Id(id))
            .filter(is_running())
            .select(ActionRow::as_select())
            .first(connection)
            .await
            .optional())?;
        let Some(row) = row else {
            return Ok(None);
        };
        let action = Action::try_from(&row)?;
        let slice = match &action.target {
            ActionTarget::Ids(ids) => slice_of_ids(ids, row.position),
            ActionTarget::Filter(filter) => self.slice_of(filter, row.after()).await?,
        };
        let goes_on = slice.next.is_some();
        match self.apply(&action, &slice, runner, false).await {
            // One job of the slice is at fault, or the schema: the others are not held up by it.
            Err(DbError::Refused(reason)) => {
                tracing::error!(action.id = %id, %reason, "a slice of an action was refused");
                self.apply(&action, &slice, runner, true).await?;
            }
            applied => applied?,
        }
        Ok(goes_on.then_some(action.kind))
    }

    async fn slice_of(
        &self,
        filter: &JobFilter,
        after: Option<ListPlace>,
    ) -> Result<Slice, DbError> {
        let (places, next) = self.places(filter, SLICE, 0, after).await?;
        Ok(Slice {
            ids: places.iter().map(|place| JobId(place.id)).collect(),
            guard: Guard {
                status: filter.status,
                error_code: filter.error_code.clone(),
            },
            next: next.map(Next::Place),
        })
    }

    /// Changes the jobs and writes the progress. With `refused` no job is changed, and all count as
    /// failed.
    async fn apply(
        &self,
        action: &Action,
        slice: &Slice,
        runner: uuid::Uuid,
        refused: bool,
    ) -> Result<(), DbError> {
        let changes = Changes::of(action.kind, &self.pools);
        let (ids, guard) = (slice.ids.clone(), slice.guard.clone());
        let progress = Progress {
            action: Id(action.id),
            runner: Id(runner),
            next: slice.next,
            looked_at: ids.len(),
        };
        match &self.pools {
            Pools::Postgres(pool) => on_pool!(pool, connection => {
                connection.transaction(async move |connection| {
                    act!(connection, changes, ids, guard, progress, refused, in_postgres)
                }).await
            }),
            Pools::Sqlite { writer, .. } => on_pool!(writer, connection => {
                connection.immediate_transaction(async move |connection| {
                    act!(connection, changes, ids, guard, progress, refused, in_sqlite)
                }).await
            }),
        }
    }
}

/// The changes of a kind of action.
struct Changes {
    many: Change,
    /// Of jobs of the policy `reject-active`, one at a time.
    exclusive: Option<Change>,
}

impl Changes {
    fn of(kind: ActionKind, pools: &Pools) -> Self {
        match kind {
            ActionKind::Cancel => Self {
                many: Change::cancel(pools),
                exclusive: None,
            },
            ActionKind::Delete => Self {
                many: Change::delete(),
                exclusive: None,
            },
            ActionKind::Retry => Self {
                many: Change::retry(pools, false),
                exclusive: Some(Change::retry(pools, true)),
            },
        }
    }
}

struct Progress {
    action: Id,
    runner: Id,
    next: Option<Next>,
    looked_at: usize,
}

fn slice_of_ids(ids: &[JobId], position: i64) -> Slice {
    let begin = usize::try_from(position).unwrap_or(0).min(ids.len());
    let end = ids.len().min(begin + SLICE as usize);
    Slice {
        ids: ids[begin..end].to_vec(),
        guard: Guard::default(),
        next: (end < ids.len()).then_some(Next::Position(end as i64)),
    }
}

const fn looked_at() -> &'static str {
    "done + skipped + failed"
}

/// As a literal: with a bound value a planned statement could not use the partial index.
fn is_running() -> Literal<diesel::sql_types::Bool> {
    literal("actions.status = 'running'")
}
