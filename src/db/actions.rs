//! Actions as rows: asked for, looked at, aborted. [`super::action_slice`] does the work.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::pools::{read_query, write_query};
use super::schema::{actions, jobs};
use super::types::{Id, Moment};
use super::{Database, DbError, clock};
use crate::domain::action::{Action, ActionCounts, ActionKind, ActionStatus, ActionTarget};
use crate::domain::{JobId, ListPlace};

/// How long the rows of ended actions are kept.
const KEPT: std::time::Duration = std::time::Duration::from_secs(30 * 24 * 3600);

#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = actions)]
pub(super) struct ActionRow {
    pub id: Id,
    action: String,
    filter: Option<String>,
    ids: Option<String>,
    status: String,
    matched: i64,
    done: i64,
    skipped: i64,
    failed: i64,
    after_created_at: Option<Moment>,
    after_id: Option<Id>,
    pub position: i64,
    submitted_by: Option<String>,
    created_at: Moment,
    updated_at: Moment,
    finished_at: Option<Moment>,
}

impl ActionRow {
    /// The last job that was looked at.
    pub(super) fn after(&self) -> Option<ListPlace> {
        Some(ListPlace {
            created_at: self.after_created_at?.0,
            id: self.after_id?.0,
        })
    }

    fn target(&self) -> Result<ActionTarget, serde_json::Error> {
        match (&self.filter, &self.ids) {
            (Some(filter), _) => serde_json::from_str(filter).map(ActionTarget::Filter),
            (None, ids) => {
                let ids: Vec<uuid::Uuid> = serde_json::from_str(ids.as_deref().unwrap_or("[]"))?;
                Ok(ActionTarget::Ids(ids.into_iter().map(JobId).collect()))
            }
        }
    }
}

impl TryFrom<&ActionRow> for Action {
    type Error = DbError;

    fn try_from(row: &ActionRow) -> Result<Self, DbError> {
        let unreadable = || DbError::Unreadable(format!("action {}", row.id.0));
        let kind = ActionKind::ALL.into_iter();
        let kind = kind.into_iter().find(|kind| kind.as_str() == row.action);
        let status = ActionStatus::ALL.into_iter();
        let status = status
            .into_iter()
            .find(|status| status.as_str() == row.status);
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        Ok(Self {
            id: row.id.0,
            kind: kind.ok_or_else(unreadable)?,
            target: row.target().map_err(|_| unreadable())?,
            status: status.ok_or_else(unreadable)?,
            counts: ActionCounts {
                matched: count(row.matched),
                done: count(row.done),
                skipped: count(row.skipped),
                failed: count(row.failed),
            },
            submitted_by: row.submitted_by.clone(),
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            finished_at: row.finished_at.map(|Moment(moment)| moment),
        })
    }
}

impl Database {
    /// The database's time, and how many jobs `target` names. With a filter it also is what the
    /// filter becomes: with no jobs that are created from now on.
    pub async fn freeze(&self, target: ActionTarget) -> Result<(ActionTarget, u64), DbError> {
        match target {
            ActionTarget::Ids(ids) => {
                let named: Vec<Id> = ids.iter().map(|id| (*id).into()).collect();
                let known: i64 = read_query!(self.pools, connection => jobs::table
                    .filter(jobs::id.eq_any(named))
                    .count()
                    .get_result(connection)
                    .await)?;
                Ok((ActionTarget::Ids(ids), u64::try_from(known).unwrap_or(0)))
            }
            ActionTarget::Filter(mut filter) => {
                let now = self.now().await?;
                let asked = filter.created_before;
                filter.created_before = Some(asked.map_or(now, |asked| asked.min(now)));
                let matched = self.exact_total_of(&filter).await?;
                Ok((ActionTarget::Filter(filter), matched))
            }
        }
    }

    /// Writes down what is to be done to the `matched` jobs of a frozen target. It begins at once,
    /// in whichever process looks for actions first.
    pub async fn begin_action(
        &self,
        kind: ActionKind,
        target: &ActionTarget,
        matched: u64,
        submitted_by: Option<String>,
    ) -> Result<Action, DbError> {
        let unwritable = |error| DbError::Refused(format!("an action can't be written: {error}"));
        let (filter, ids) = match target {
            ActionTarget::Filter(filter) => (
                Some(serde_json::to_string(filter).map_err(unwritable)?),
                None,
            ),
            ActionTarget::Ids(ids) => {
                let ids: Vec<uuid::Uuid> = ids.iter().map(|id| id.0).collect();
                (None, Some(serde_json::to_string(&ids).map_err(unwritable)?))
            }
        };
        let id = Id(uuid::Uuid::now_v7());
        let row: ActionRow = write_query!(self.pools, connection => diesel::insert_into(actions::table)
            .values((
                actions::id.eq(id),
                actions::action.eq(kind.as_str()),
                actions::filter.eq(filter),
                actions::ids.eq(ids),
                actions::status.eq(ActionStatus::Running.as_str()),
                actions::matched.eq(i64::try_from(matched).unwrap_or(i64::MAX)),
                actions::submitted_by.eq(submitted_by),
                actions::created_at.eq(clock::now()),
                actions::updated_at.eq(clock::now()),
            ))
            .returning(ActionRow::as_returning())
            .get_result(connection)
            .await)?;
        Action::try_from(&row)
    }

    pub async fn find_action(&self, id: uuid::Uuid) -> Result<Option<Action>, DbError> {
        let row: Option<ActionRow> = read_query!(self.pools, connection => actions::table
            .find(Id(id))
            .select(ActionRow::as_select())
            .first(connection)
            .await
            .optional())?;
        row.as_ref().map(Action::try_from).transpose()
    }

    /// The actions that were asked for last, newest first.
    pub async fn newest_actions(&self, limit: u32) -> Result<Vec<Action>, DbError> {
        let rows: Vec<ActionRow> = read_query!(self.pools, connection => actions::table
            .order(actions::id.desc())
            .limit(i64::from(limit))
            .select(ActionRow::as_select())
            .load(connection)
            .await)?;
        rows.iter().map(Action::try_from).collect()
    }

    /// Ends a running action after its current slice. What it did stays.
    pub async fn abort_action(&self, id: uuid::Uuid) -> Result<(), DbError> {
        write_query!(self.pools, connection => diesel::update(
                actions::table
                    .find(Id(id))
                    .filter(actions::status.eq(ActionStatus::Running.as_str())),
            )
            .set((
                actions::status.eq(ActionStatus::Aborted.as_str()),
                actions::updated_at.eq(clock::now()),
                actions::finished_at.eq(clock::now().nullable()),
            ))
            .execute(connection)
            .await)
        .map(|_| ())
    }

    /// Forgets actions that ended a month ago.
    pub async fn forget_actions(&self) -> Result<usize, DbError> {
        write_query!(self.pools, connection => diesel::delete(
                actions::table.filter(actions::finished_at.lt(clock::before(KEPT).nullable())),
            )
            .execute(connection)
            .await)
    }
}
