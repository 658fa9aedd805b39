//! What the database knows of the jobs to which files in the storage belong.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::pools::read_query;
use super::schema::{doomed_files, jobs};
use super::types::{Document, Id, Status};
use super::{Database, DbError};
use crate::domain::{JobId, JobResult, JobStatus, transition};

/// The files that a job may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KnownFiles {
    /// The job is active or about to be cleared up, or can't be read by this version: nobody else
    /// may judge.
    Any,
    /// It has ended without a result.
    None,
    /// It is completed and names these.
    These(HashSet<String>),
}

impl Database {
    /// What is known of these jobs' files. A job that is missing in the answer does not exist, and
    /// never will again.
    pub async fn known_files(&self, ids: &[JobId]) -> Result<HashMap<JobId, KnownFiles>, DbError> {
        let ids: Vec<Id> = ids.iter().map(|id| (*id).into()).collect();
        let asked = ids.clone();
        let rows: Vec<(Id, Status, Option<Document>)> = read_query!(self.pools, connection =>
            jobs::table
                .filter(jobs::id.eq_any(asked))
                .select((jobs::id, jobs::status, jobs::result))
                .load(connection)
                .await)?;
        // Asked after the jobs: one that is deleted in between is found here.
        let doomed: Vec<Id> = read_query!(self.pools, connection => doomed_files::table
            .filter(doomed_files::job_id.eq_any(ids))
            .select(doomed_files::job_id)
            .load(connection)
            .await)?;
        let mut known: HashMap<JobId, KnownFiles> = rows
            .into_iter()
            .map(|(id, Status(status), result)| (JobId(id.0), files_of(status, result)))
            .collect();
        known.extend(doomed.iter().map(|id| (JobId(id.0), KnownFiles::Any)));
        Ok(known)
    }
}

fn files_of(status: JobStatus, result: Option<Document>) -> KnownFiles {
    if transition::is_active(status) {
        return KnownFiles::Any;
    }
    let Some(Document(json)) = result else {
        return match status {
            JobStatus::Completed => KnownFiles::Any,
            _ => KnownFiles::None,
        };
    };
    match serde_json::from_str::<JobResult>(&json) {
        Ok(result) => {
            let files = result.files().map(|file| file.path.clone());
            let first = std::iter::once(result.thumbnail_path.clone());
            KnownFiles::These(files.chain(first).collect())
        }
        // Of a newer version.
        Err(_) => KnownFiles::Any,
    }
}
