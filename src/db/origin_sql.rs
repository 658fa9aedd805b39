//! The text of the queries of origins. It is the same for both databases except for their clocks.
//!
//! Origins are walked in their order, each found by one look into an index (a loose scan), so that
//! a page costs the same however many there are and however long their backlogs are.

use super::dialect::Dialect;
use super::origin_list::OriginSort;

/// Sorts before all origins, which begin with `http`, and after the row that stands for them
/// together.
pub(super) const BEFORE_ALL: &str = "*";

/// Jobs of an origin are counted up to this number.
pub(super) const COUNTED: i64 = 100_000;

/// What may be claimed of any origin, and what is due later.
const READY: &str = "status = 'pending' AND NOT waiting";
const WAITING: &str = "status = 'pending' AND waiting";
const FLYING: &str = "flying AS MATERIALIZED (SELECT origin, count(*) AS jobs FROM jobs \
     WHERE status = 'processing' GROUP BY origin)";

/// The reports of `limit` origins after the one bound as `$1`.
pub(super) fn by_origin(dialect: Dialect, limit: i64) -> String {
    let (first, next) = (nearest(dialect, "$1"), nearest(dialect, "step.origin"));
    reports(
        dialect,
        &format!(
            "step (origin, number) AS (SELECT ({first}), 1 UNION ALL \
             SELECT ({next}), number + 1 FROM step \
             WHERE step.origin IS NOT NULL AND number < {limit}), \
             page (origin, measure) AS (SELECT origin, CAST(0 AS bigint) FROM step \
             WHERE origin IS NOT NULL)"
        ),
    )
}

/// The reports of the `limit` origins of the largest measure that come after the origin bound as
/// `$1`, whose measure is `after`. Reads all origins, but each source of them once.
pub(super) fn by_measure(dialect: Dialect, sort: OriginSort, after: i64, limit: i64) -> String {
    let hour = dialect.within_an_hour();
    let capped = format!("CASE WHEN count(*) < {COUNTED} THEN count(*) ELSE {COUNTED} END");
    let measure = |by: OriginSort, measure| if sort == by { measure } else { "0" };
    let (queued, in_flight, failed) = (
        measure(OriginSort::Queued, capped.as_str()),
        measure(OriginSort::InFlight, "jobs"),
        measure(OriginSort::Failed, "sum(failed)"),
    );
    reports(
        dialect,
        &format!(
            "known (origin, measure) AS (\
             SELECT origin, {queued} FROM jobs WHERE {READY} GROUP BY origin UNION ALL \
             SELECT origin, 0 FROM jobs WHERE {WAITING} GROUP BY origin UNION ALL \
             SELECT origin, {in_flight} FROM flying UNION ALL \
             SELECT origin, 0 FROM origins UNION ALL \
             SELECT origin, {failed} FROM origin_flow WHERE {hour} GROUP BY origin), \
             ranked (origin, measure) AS (SELECT origin, CAST(sum(measure) AS bigint) \
             FROM known WHERE origin > '{BEFORE_ALL}' GROUP BY origin), \
             page (origin, measure) AS (SELECT origin, measure FROM ranked \
             WHERE measure < {after} OR (measure = {after} AND origin > $1) \
             ORDER BY measure DESC, origin LIMIT {limit})"
        ),
    )
}

/// The report of the origin bound as `$1`.
pub(super) fn of_one(dialect: Dialect) -> String {
    let page = "page (origin, measure) AS (SELECT CAST($1 AS text), CAST(0 AS bigint))";
    reports(dialect, page)
}

/// The origin that follows `after`, or null.
fn nearest(dialect: Dialect, after: &str) -> String {
    let hour = dialect.within_an_hour();
    let first = |rows: &str| {
        format!("SELECT (SELECT origin FROM {rows} AND origin > {after} ORDER BY origin LIMIT 1)")
    };
    let sources = [
        format!("{} AS origin", first(&format!("jobs WHERE {READY}"))),
        first(&format!("jobs WHERE {WAITING}")),
        first("flying WHERE jobs > 0"),
        first("origins WHERE true"),
        first(&format!("origin_flow WHERE {hour}")),
    ];
    format!(
        "SELECT min(origin) FROM ({}) AS nearest",
        sources.join(" UNION ALL ")
    )
}

/// Completes `page`, the tables that lead to the page's origins and their measure.
fn reports(dialect: Dialect, page: &str) -> String {
    let Dialect { now, minute, .. } = dialect;
    let hour = dialect.within_an_hour();
    let count = |which: &str| {
        format!(
            "(SELECT count(*) FROM (SELECT 1 FROM jobs WHERE {which} \
             AND jobs.origin = page.origin LIMIT {COUNTED}) AS counted)"
        )
    };
    let (queued, waiting) = (count(READY), count(WAITING));
    let flow = |value: &str| {
        format!("(SELECT {value} FROM origin_flow WHERE origin = page.origin AND {hour})")
    };
    let done = flow("CAST(COALESCE(sum(done), 0) AS bigint)");
    let failed = flow("CAST(COALESCE(sum(failed), 0) AS bigint)");
    // The weight halves every five minutes. A clock that was set back puts minutes into the future:
    // they count as this one.
    let age = format!("CASE WHEN minute < {minute} THEN ({minute} - minute) / 5 ELSE 0 END");
    let weight = format!("1.0 / (1 << CAST({age} AS integer))");
    let duration = flow(&format!(
        "CAST(sum({weight} * download_millis) / NULLIF(sum({weight} * downloads), 0) / 1000 \
         AS double precision)"
    ));
    format!(
        "WITH RECURSIVE {FLYING}, {page} SELECT page.origin AS origin, page.measure AS measure, \
         COALESCE(flying.jobs, 0) AS in_flight, {queued} AS queued, {waiting} AS waiting, \
         {done} AS done, {failed} AS failed, {duration} AS duration, origins.rate AS rate, \
         CASE WHEN parked_until > {now} THEN parked_until END AS parked_until, \
         CASE WHEN parked_until > {now} THEN park_reason END AS park_reason, unavailable_since, \
         COALESCE(paused, false) AS paused, COALESCE(failures, 0) AS failures \
         FROM page LEFT JOIN flying ON flying.origin = page.origin \
         LEFT JOIN origins ON origins.origin = page.origin ORDER BY page.measure DESC, page.origin"
    )
}
