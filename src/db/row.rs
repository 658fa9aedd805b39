//! A row of `jobs`, and the job that it describes.

use diesel::prelude::*;

use super::error::DbError;
use super::schema::jobs;
use super::types::{Document, Id, Moment, Status};
use crate::domain::{Job, JobId, Priority};

#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = jobs)]
pub(super) struct JobRow {
    pub id: Id,
    pub url: String,
    pub status: Status,
    pub attempts: i32,
    pub created_at: Moment,
    pub updated_at: Moment,
    pub result: Option<Document>,
    pub error: Option<String>,
    pub error_code: Option<String>,
    pub priority: i16,
    pub not_before: Option<Moment>,
    pub source_status: Option<i32>,
    pub error_variant: Option<String>,
    pub batch_id: Option<Id>,
    pub tags: Option<String>,
    pub metadata: Option<String>,
    pub submitted_by: Option<String>,
    pub expires_in: Option<i64>,
}

impl TryFrom<JobRow> for Job {
    type Error = DbError;

    fn try_from(row: JobRow) -> Result<Self, DbError> {
        let result = row
            .result
            .map(|Document(json)| serde_json::from_str(&json))
            .transpose()
            .map_err(|error| DbError::Unreadable(format!("result of {}: {error}", row.id.0)))?;
        Ok(Self {
            id: JobId(row.id.0),
            url: row.url,
            status: row.status.0,
            attempts: u32::try_from(row.attempts).unwrap_or(0),
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            result,
            error: row.error,
            error_code: row.error_code,
            priority: u8::try_from(row.priority)
                .ok()
                .and_then(Priority::new)
                .unwrap_or_default(),
            not_before: row.not_before.map(|Moment(moment)| moment),
            source_status: row
                .source_status
                .and_then(|status| u16::try_from(status).ok()),
            error_variant: row.error_variant,
            batch_id: row.batch_id.map(|id| id.0),
            tags: row
                .tags
                .map(|json| serde_json::from_str(&json))
                .transpose()
                .map_err(|error| DbError::Unreadable(format!("tags of {}: {error}", row.id.0)))?
                .unwrap_or_default(),
            metadata: row.metadata,
            submitted_by: row.submitted_by,
            expires_in: row
                .expires_in
                .and_then(|seconds| u64::try_from(seconds).ok())
                .map(std::time::Duration::from_secs),
        })
    }
}
