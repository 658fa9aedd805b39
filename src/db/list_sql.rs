//! The text of the queries of lists.
//!
//! A list is the union of a few branches, each of which an index gives in the order of the list. A
//! condition that the index does not answer is checked row by row, for [`EXAMINED`] rows at most.

use super::dialect::Dialect;
use super::types::{Id, Moment};
use crate::domain::transition::is_active;
use crate::domain::{JobFilter, JobStatus, ListPlace};

/// Most rows of a branch that are looked at for a page, and most that are counted.
pub(super) const EXAMINED: u32 = 2000;
/// Most rows that are counted from an index alone.
const COUNTED: u32 = 5000;

/// A value that is bound; the text of the query does not contain what clients write.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    Moment(Moment),
    Id(Id),
}

/// The queries of a list.
pub(super) struct ListSql {
    dialect: Dialect,
    branches: Vec<Branch>,
    /// In the order of their numbers in the text.
    pub values: Vec<Value>,
}

struct Branch {
    /// The table whose index gives the order.
    table: Table,
    /// The condition that the index answers.
    known: String,
    /// What is checked row by row in `jobs`; empty for nothing.
    checked: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Table {
    Jobs,
    Tags,
}

/// Numbers values as they are bound.
struct Values {
    dialect: Dialect,
    all: Vec<Value>,
}

impl Values {
    fn text(&mut self, text: &str) -> String {
        self.bind(Value::Text(text.to_owned()))
    }

    /// A moment and an id.
    fn place(&mut self, place: ListPlace) -> String {
        let moment = self.bind(Value::Moment(Moment(place.created_at)));
        let id = self.bind(Value::Id(Id(place.id)));
        format!("({moment}, {id})")
    }

    fn bind(&mut self, value: Value) -> String {
        self.all.push(value);
        self.dialect.parameter(self.all.len())
    }
}

impl ListSql {
    pub(super) fn of(dialect: Dialect, filter: &JobFilter, after: Option<ListPlace>) -> Self {
        let mut values = Values {
            dialect,
            all: Vec::new(),
        };
        let mut bounds = String::new();
        if let Some(moment) = filter.created_after {
            let bound = values.bind(Value::Moment(Moment(moment)));
            bounds += &format!(" AND {{}}created_at >= {bound}");
        }
        if let Some(moment) = filter.created_before {
            let bound = values.bind(Value::Moment(Moment(moment)));
            bounds += &format!(" AND {{}}created_at <= {bound}");
        }
        if let Some(place) = after {
            let place = values.place(place);
            bounds += &format!(" AND ({{}}created_at, {{}}{{id}}) < {place}");
        }
        // The first of them that is given is what an index answers.
        let mut conditions = Vec::new();
        if let Some(tag) = &filter.tag {
            conditions.push((Key::Tag, values.text(tag)));
        }
        if let Some(batch) = filter.batch_id {
            conditions.push((Key::Batch, values.bind(Value::Id(Id(batch)))));
        }
        if let Some(code) = &filter.error_code {
            conditions.push((Key::ErrorCode, values.text(code)));
        }
        if let Some(name) = &filter.submitted_by {
            conditions.push((Key::SubmittedBy, values.text(name)));
        }
        if let Some(host) = &filter.host {
            conditions.push((Key::Host, values.text(host)));
        }
        let mut branches = Vec::new();
        let (first, others) = match conditions.split_first() {
            Some((first, others)) => (Some(first), others),
            None => (None, &[][..]),
        };
        let checks = |keys: &[(Key, String)]| {
            let checks = keys
                .iter()
                .map(|(key, value)| key.condition(dialect, value));
            checks.collect::<Vec<_>>().join(" AND ")
        };
        let of_status = |status: JobStatus| format!("jobs.status = '{}'", status.as_str());
        let in_jobs = bounds.replace("{}", "jobs.").replace("{id}", "id");
        let ended = JobStatus::ALL
            .into_iter()
            .filter(|status| !is_active(*status));
        let ended: Vec<String> = ended
            .map(|status| format!("'{}'", status.as_str()))
            .collect();
        let ended = format!("jobs.status IN ({})", ended.join(", "));
        let with_status = |mut checked: String| {
            if let Some(status) = filter.status {
                let joint = if checked.is_empty() { "" } else { " AND " };
                checked += &format!("{joint}{}", of_status(status));
            }
            checked
        };
        match first {
            None => {
                for status in filter
                    .status
                    .map_or(JobStatus::ALL.to_vec(), |one| vec![one])
                {
                    branches.push(Branch {
                        table: Table::Jobs,
                        known: of_status(status) + &in_jobs,
                        checked: String::new(),
                    });
                }
            }
            Some((Key::Tag, value)) => {
                let in_tags = bounds.replace("{}", "job_tags.").replace("{id}", "job_id");
                branches.push(Branch {
                    table: Table::Tags,
                    known: format!("job_tags.tag = {value}{in_tags}"),
                    checked: with_status(checks(others)),
                });
            }
            Some((key @ (Key::Batch | Key::ErrorCode), value)) => branches.push(Branch {
                table: Table::Jobs,
                known: key.condition(dialect, value) + &in_jobs,
                checked: with_status(checks(others)),
            }),
            Some((key @ (Key::SubmittedBy | Key::Host), value)) => {
                if filter.status.is_none_or(|status| !is_active(status)) {
                    for known in key.known_by_index(dialect, value) {
                        branches.push(Branch {
                            table: Table::Jobs,
                            known: format!("{known} AND {ended}{in_jobs}"),
                            checked: with_status(checks(others)),
                        });
                    }
                }
                // Jobs that have not ended are not in the index.
                let active = JobStatus::ALL
                    .into_iter()
                    .filter(|status| is_active(*status));
                for status in active.filter(|one| filter.status.is_none_or(|only| only == *one)) {
                    branches.push(Branch {
                        table: Table::Jobs,
                        known: of_status(status) + &in_jobs,
                        checked: checks(&conditions),
                    });
                }
            }
        }
        Self {
            dialect,
            branches,
            values: values.all,
        }
    }

    /// True if a page may end before `limit` jobs are found, although there are more.
    pub(super) fn is_bounded(&self) -> bool {
        self.branches.iter().any(Branch::is_bounded)
    }

    /// The ids of a page, with their moments. With an offset all rows are read.
    pub(super) fn page(&self, limit: u32, offset: u64) -> String {
        // Both databases count in signed 64 bits; no table reaches this.
        let offset = offset.min(i64::MAX as u64 / 2);
        let wanted = offset + u64::from(limit);
        let branches = self.branches.iter().enumerate().map(|(number, branch)| {
            let part = match branch.is_bounded() && offset == 0 {
                // The planner must know how few rows are read: the inner limit says so.
                true => format!(
                    "SELECT id, created_at FROM ({}) AS rows{number} WHERE fits \
                     ORDER BY created_at DESC, id DESC LIMIT {wanted}",
                    branch.examined()
                ),
                false => branch.fitting(wanted),
            };
            format!("SELECT * FROM ({part}) AS branch{number}")
        });
        let branches: Vec<String> = branches.collect();
        format!(
            "SELECT id, created_at FROM ({}) AS list ORDER BY created_at DESC, id DESC \
             LIMIT {limit} OFFSET {offset}",
            branches.join(" UNION ALL ")
        )
    }

    /// The place up to which all bounded branches were looked at; no row if they ended before, or
    /// reach `down_to`. With the values to bind.
    pub(super) fn frontier(&self, down_to: Option<ListPlace>) -> (String, Vec<Value>) {
        let mut values = Values {
            dialect: self.dialect,
            all: self.values.clone(),
        };
        // A page that is full looked at no more: to look further would cost more than the page.
        let bound = down_to.map(|place| values.place(place));
        let branches = self.branches.iter().enumerate();
        let bounded = branches.filter(|(_, branch)| branch.is_bounded());
        let places: Vec<String> = bounded
            .map(|(number, branch)| {
                let last = EXAMINED - 1;
                let (rows, order) = (branch.unchecked(), branch.table.order());
                let (id, created_at) = branch.table.columns();
                let bound = bound.as_ref().map_or(String::new(), |place| {
                    format!(" AND ({created_at}, {id}) >= {place}")
                });
                format!(
                    "SELECT * FROM (SELECT {id} AS id, {created_at} AS created_at FROM {rows}{bound} \
                     {order} LIMIT 1 OFFSET {last}) AS branch{number}"
                )
            })
            .collect();
        // None is null: SQLite refuses values beyond those that the text names.
        let last = self.dialect.parameter(values.all.len());
        let text = format!(
            "SELECT id, created_at FROM ({}) AS places WHERE {last} IS NOT NULL \
             ORDER BY created_at DESC, id DESC LIMIT 1",
            places.join(" UNION ALL ")
        );
        (text, values.all)
    }

    /// How many rows were looked at, at most in one branch, and how many fit.
    pub(super) fn count(&self) -> String {
        let branches = self.branches.iter().enumerate().map(|(number, branch)| {
            let (checked, rows) = (branch.fits(), branch.rows());
            // The order keeps Postgres from collecting all rows of the index before it takes some.
            let order = branch.table.order();
            let limit = if branch.is_bounded() {
                EXAMINED
            } else {
                COUNTED
            };
            format!(
                "SELECT CASE WHEN count(*) < {limit} THEN 0 ELSE 1 END AS is_cut, \
                 CAST(COALESCE(sum(CASE WHEN fits THEN 1 ELSE 0 END), 0) AS bigint) AS n FROM \
                 (SELECT {checked} AS fits FROM {rows} {order} LIMIT {limit}) AS rows{number}"
            )
        });
        let branches: Vec<String> = branches.collect();
        format!(
            "SELECT CAST(max(is_cut) AS bigint) AS is_cut, CAST(sum(n) AS bigint) AS n \
             FROM ({}) AS counted",
            branches.join(" UNION ALL ")
        )
    }

    /// How many jobs there are, all counted.
    pub(super) fn count_all(&self) -> String {
        let branches = self.branches.iter().map(|branch| {
            let (checked, rows) = (branch.fits(), branch.rows());
            format!("SELECT count(*) AS n FROM {rows} AND {checked}")
        });
        let branches: Vec<String> = branches.collect();
        format!(
            "SELECT CAST(0 AS bigint) AS is_cut, CAST(sum(n) AS bigint) AS n FROM ({}) AS counted",
            branches.join(" UNION ALL ")
        )
    }
}

impl Branch {
    fn fits(&self) -> &str {
        match self.checked.as_str() {
            "" => "true",
            checked => checked,
        }
    }

    fn is_bounded(&self) -> bool {
        !self.checked.is_empty()
    }

    /// Its tables and the condition that the index answers.
    fn rows(&self) -> String {
        let known = &self.known;
        match self.table {
            Table::Tags if self.is_bounded() => {
                format!("job_tags JOIN jobs ON jobs.id = job_tags.job_id WHERE {known}")
            }
            _ => self.unchecked(),
        }
    }

    /// The same without what would be checked.
    fn unchecked(&self) -> String {
        let known = &self.known;
        match self.table {
            Table::Jobs => format!("jobs WHERE {known}"),
            Table::Tags => format!("job_tags WHERE {known}"),
        }
    }

    /// Its first rows in the order of the list, with whether each fits.
    fn examined(&self) -> String {
        let (fits, rows, order) = (self.fits(), self.rows(), self.table.order());
        let (id, created_at) = self.table.columns();
        format!(
            "SELECT {id} AS id, {created_at} AS created_at, {fits} AS fits FROM {rows} \
             {order} LIMIT {EXAMINED}"
        )
    }

    /// Its first rows that fit.
    fn fitting(&self, limit: u64) -> String {
        let (fits, rows, order) = (self.fits(), self.rows(), self.table.order());
        let (id, created_at) = self.table.columns();
        format!(
            "SELECT {id} AS id, {created_at} AS created_at FROM {rows} AND {fits} \
             {order} LIMIT {limit}"
        )
    }
}

impl Table {
    /// Those of a job's id and of its moment.
    const fn columns(self) -> (&'static str, &'static str) {
        match self {
            Self::Jobs => ("jobs.id", "jobs.created_at"),
            Self::Tags => ("job_tags.job_id", "job_tags.created_at"),
        }
    }

    /// That of the index.
    const fn order(self) -> &'static str {
        match self {
            Self::Jobs => "ORDER BY jobs.created_at DESC, jobs.id DESC",
            Self::Tags => "ORDER BY job_tags.created_at DESC, job_tags.job_id DESC",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Tag,
    Batch,
    ErrorCode,
    SubmittedBy,
    Host,
}

impl Key {
    /// As indexes answer it, which may have parts of the jobs each.
    fn known_by_index(self, dialect: Dialect, value: &str) -> Vec<String> {
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

    fn condition(self, dialect: Dialect, value: &str) -> String {
        match self {
            Self::Tag => format!(
                "EXISTS (SELECT 1 FROM job_tags WHERE job_tags.tag = {value} \
                 AND job_tags.created_at = jobs.created_at AND job_tags.job_id = jobs.id)"
            ),
            Self::Batch => format!("jobs.batch_id = {value}"),
            Self::ErrorCode => format!("jobs.error_code = {value}"),
            Self::SubmittedBy => format!("jobs.submitted_by = {value}"),
            Self::Host if dialect.is_postgres => format!("thumbforge_host(jobs.url) = {value}"),
            Self::Host => format!("jobs.host = {value}"),
        }
    }
}
