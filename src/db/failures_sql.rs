//! The text of the queries of failures: the branches of the list of failed jobs, counted in groups.

use super::dialect::Dialect;
use super::list_branch::{Branch, Table};
use super::list_sql::ListSql;
use crate::domain::Timestamp;

/// Most jobs of a branch that are looked at.
pub(super) const NEWEST: u32 = 5_000;

/// When the first and the last job were created that are looked at; null if that is all there are.
pub(super) fn edge(dialect: Dialect, list: &ListSql) -> String {
    let places = list.branches().iter().enumerate();
    let places = places.map(|(number, branch)| {
        let (rows, order) = (branch.rows(), branch.table.order());
        let (_, created_at) = branch.table.columns();
        let at = |offset: u32| {
            format!("(SELECT {created_at} FROM {rows} {order} LIMIT 1 OFFSET {offset})")
        };
        // The one beyond shows that there are more.
        format!(
            "SELECT * FROM (SELECT {} AS oldest, {} AS newest) AS branch{number}",
            at(NEWEST),
            at(0)
        )
    });
    let places: Vec<String> = places.collect();
    // SQLite refuses values beyond those that the text names.
    let named = match list.values.len() {
        0 => String::new(),
        last => format!(" WHERE {} IS NOT NULL", dialect.parameter(last)),
    };
    format!(
        "SELECT max(oldest) AS oldest, max(newest) AS newest FROM ({}) AS places{named}",
        places.join(" UNION ALL ")
    )
}

/// The `limit` largest groups of the jobs that were created at `since` or later, each with the
/// newest three of its jobs, and how many groups and jobs there are.
pub(super) fn groups(
    dialect: Dialect,
    list: &ListSql,
    since: Option<Timestamp>,
    limit: u32,
) -> String {
    let branches = list.branches().iter().enumerate();
    let branches = branches.map(|(number, branch)| {
        let looked_at = looked_at(dialect, branch, since);
        format!(
            "SELECT id, created_at, updated_at, error_code, host FROM ({looked_at}) \
             AS branch{number} WHERE fits"
        )
    });
    let branches: Vec<String> = branches.collect();
    let examples = [1, 2, 3].map(|number| {
        format!("max(CASE WHEN number = {number} THEN CAST(id AS text) END) AS example_{number}")
    });
    format!(
        "SELECT error_code, host, count(*) AS n, min(updated_at) AS first_at, \
         max(updated_at) AS last_at, {}, count(*) OVER () AS all_groups, \
         CAST(sum(count(*)) OVER () AS bigint) AS all_jobs \
         FROM (SELECT *, row_number() OVER (PARTITION BY error_code, host \
         ORDER BY created_at DESC, id DESC) AS number FROM ({}) AS failed) AS numbered \
         GROUP BY error_code, host ORDER BY n DESC, last_at DESC, error_code, host LIMIT {limit}",
        examples.join(", "),
        branches.join(" UNION ALL ")
    )
}

/// The newest jobs of a branch, with whether each fits.
fn looked_at(dialect: Dialect, branch: &Branch, since: Option<Timestamp>) -> String {
    let (id, created_at) = branch.table.columns();
    let (fits, rows, order) = (branch.fits(), branch.rows(), branch.table.order());
    let since = since.map_or(String::new(), |since| {
        let since = dialect.moment(since.unix_micros());
        format!(" AND {created_at} >= {since}")
    });
    let host = dialect.host_of_job();
    let facts = format!(
        "jobs.updated_at AS updated_at, COALESCE(jobs.error_code, '') AS error_code, \
         {host} AS host"
    );
    match branch.table {
        Table::Jobs => format!(
            "SELECT jobs.id AS id, jobs.created_at AS created_at, {facts}, {fits} AS fits \
             FROM {rows}{since} {order} LIMIT {NEWEST}"
        ),
        Table::Tags => format!(
            "SELECT tagged.id AS id, tagged.created_at AS created_at, {facts}, fits \
             FROM (SELECT {id} AS id, {created_at} AS created_at, {fits} AS fits \
             FROM {rows}{since} {order} LIMIT {NEWEST}) AS tagged \
             JOIN jobs ON jobs.id = tagged.id"
        ),
    }
}
