//! A part of a list, and what it reads: rows of one table in the order of one of its indexes.

use super::dialect::Dialect;

pub(super) struct Branch {
    /// The table whose index gives the order.
    pub table: Table,
    /// The condition that the index answers.
    pub known: String,
    /// What is checked row by row in `jobs`; empty for nothing.
    pub checked: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Jobs,
    Tags,
}

impl Branch {
    pub(super) fn fits(&self) -> &str {
        match self.checked.as_str() {
            "" => "true",
            checked => checked,
        }
    }

    pub(super) fn is_bounded(&self) -> bool {
        !self.checked.is_empty()
    }

    /// Its table and the condition that the index answers.
    pub(super) fn rows(&self) -> String {
        let known = &self.known;
        match self.table {
            Table::Jobs => format!("jobs WHERE {known}"),
            Table::Tags => format!("job_tags WHERE {known}"),
        }
    }

    /// Its first rows in the order of the list, with whether each fits.
    pub(super) fn examined(&self, limit: u32) -> String {
        let (fits, rows, order) = (self.fits(), self.rows(), self.table.order());
        let (id, created_at) = self.table.columns();
        format!(
            "SELECT {id} AS id, {created_at} AS created_at, {fits} AS fits FROM {rows} \
             {order} LIMIT {limit}"
        )
    }

    /// Its first rows that fit.
    pub(super) fn fitting(&self, limit: u64) -> String {
        let (fits, rows, order) = (self.fits(), self.rows(), self.table.order());
        let (id, created_at) = self.table.columns();
        format!(
            "SELECT {id} AS id, {created_at} AS created_at FROM {rows} AND {fits} \
             {order} LIMIT {limit}"
        )
    }
}

/// True of a tag whose job fits. A check of the status alone reads its index, where the jobs of a
/// time lie together, and no job.
pub(super) fn of_tagged_job(dialect: Dialect, checked: &str, is_status_alone: bool) -> String {
    if checked.is_empty() {
        return String::new();
    }
    let index = match is_status_alone && !dialect.is_postgres {
        true => " INDEXED BY jobs_status_idx",
        false => "",
    };
    // As `EXISTS` Postgres may read all jobs that fit at once.
    format!(
        "COALESCE((SELECT true FROM jobs{index} WHERE {checked} \
         AND jobs.created_at = job_tags.created_at AND jobs.id = job_tags.job_id LIMIT 1), false)"
    )
}

impl Table {
    /// Those of a job's id and of its moment.
    pub(super) const fn columns(self) -> (&'static str, &'static str) {
        match self {
            Self::Jobs => ("jobs.id", "jobs.created_at"),
            Self::Tags => ("job_tags.job_id", "job_tags.created_at"),
        }
    }

    /// That of the index.
    pub(super) const fn order(self) -> &'static str {
        match self {
            Self::Jobs => "ORDER BY jobs.created_at DESC, jobs.id DESC",
            Self::Tags => "ORDER BY job_tags.created_at DESC, job_tags.job_id DESC",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Batch,
    ErrorCode,
    SubmittedBy,
    Host,
}

impl Key {
    /// As indexes answer it, which may have parts of the jobs each.
    pub(super) fn known_by_index(self, dialect: Dialect, value: &str) -> Vec<String> {
        match self {
            // Postgres counts by an index alone if that holds what its expression is made of, and a
            // URL may be too long for that. Jobs of an early version have no origin.
            Self::Host if dialect.is_postgres => vec![
                format!("thumbforge_host(jobs.origin) = {value}"),
                format!("jobs.origin = '' AND thumbforge_host(jobs.url) = {value}"),
            ],
            _ => vec![self.condition(dialect, value)],
        }
    }

    pub(super) fn condition(self, dialect: Dialect, value: &str) -> String {
        match self {
            Self::Batch => format!("jobs.batch_id = {value}"),
            Self::ErrorCode => format!("jobs.error_code = {value}"),
            Self::SubmittedBy => format!("jobs.submitted_by = {value}"),
            Self::Host if dialect.is_postgres => format!("thumbforge_host(jobs.url) = {value}"),
            Self::Host => format!("jobs.host = {value}"),
        }
    }
}
