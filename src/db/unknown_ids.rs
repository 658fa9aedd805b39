//! Ids of which the database holds no job.

use std::collections::HashSet;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::pools::read_query;
use super::schema::jobs;
use super::types::Id;
use super::{Database, DbError};
use crate::domain::JobId;

impl Database {
    /// Those of these ids that no job has: it was deleted, or another database has it.
    pub async fn unknown_ids(&self, ids: &[JobId]) -> Result<Vec<JobId>, DbError> {
        let asked: Vec<Id> = ids.iter().map(|id| (*id).into()).collect();
        let known: Vec<Id> = read_query!(self.pools, connection => jobs::table
            .filter(jobs::id.eq_any(asked))
            .select(jobs::id)
            .load(connection)
            .await)?;
        let known: HashSet<Id> = known.into_iter().collect();
        let unknown = ids
            .iter()
            .copied()
            .filter(|id| !known.contains(&(*id).into()));
        Ok(unknown.collect())
    }
}
