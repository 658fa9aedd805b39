//! The text of the queries of lists.
//!
//! A list is the union of a few branches, each of which an index gives in the order of the list. A
//! condition that the index does not answer is checked row by row, for a bounded number of rows.

use super::dialect::Dialect;
use super::list_branch::{Branch, Key, Table, of_tagged_job};
use super::types::{Id, Moment};
use crate::domain::transition::is_active;
use crate::domain::{JobFilter, JobStatus, ListPlace};

/// Most rows of a branch that are looked at for a short page, and most that are counted. Each may be
/// a look into another table.
const EXAMINED: u32 = 200;
/// Most rows that are counted from an index alone.
const COUNTED: u32 = 2000;

/// Most rows of a branch that are looked at for a page of `limit` jobs.
fn examined(limit: u32) -> u32 {
    EXAMINED.max(limit)
}

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
        let tag = filter.tag.as_ref().map(|tag| values.text(tag));
        let mut conditions = Vec::new();
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
        let statuses = filter
            .status
            .map_or(JobStatus::ALL.to_vec(), |one| vec![one]);
        match (tag, first) {
            (None, None) => {
                for status in statuses {
                    branches.push(Branch {
                        table: Table::Jobs,
                        known: of_status(status) + &in_jobs,
                        checked: String::new(),
                    });
                }
            }
            (Some(tag), _) => {
                let in_tags = bounds.replace("{}", "job_tags.").replace("{id}", "job_id");
                let checked = with_status(checks(&conditions));
                branches.push(Branch {
                    table: Table::Tags,
                    known: format!("job_tags.tag = {tag}{in_tags}"),
                    checked: of_tagged_job(dialect, &checked, conditions.is_empty()),
                });
            }
            // Its index has the status before the time.
            (None, Some((key @ Key::Batch, value))) => {
                for status in statuses {
                    let (known, of_status) = (key.condition(dialect, value), of_status(status));
                    branches.push(Branch {
                        table: Table::Jobs,
                        known: format!("{known} AND {of_status}{in_jobs}"),
                        checked: checks(others),
                    });
                }
            }
            (None, Some((key @ Key::ErrorCode, value))) => branches.push(Branch {
                table: Table::Jobs,
                known: key.condition(dialect, value) + &in_jobs,
                checked: with_status(checks(others)),
            }),
            (None, Some((key @ (Key::SubmittedBy | Key::Host), value))) => {
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

    /// The parts of the list.
    pub(super) fn branches(&self) -> &[Branch] {
        &self.branches
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
                    branch.examined(examined(limit))
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

    /// The place up to which all bounded branches were looked at for a page of `limit` jobs; no row
    /// if they ended before, or reach `down_to`. With the values to bind.
    pub(super) fn frontier(&self, limit: u32, down_to: Option<ListPlace>) -> (String, Vec<Value>) {
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
                let last = examined(limit) - 1;
                let (rows, order) = (branch.rows(), branch.table.order());
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
