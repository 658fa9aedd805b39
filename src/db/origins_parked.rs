//! How many origins are left alone for now.

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel_async::RunQueryDsl;

use super::dialect::Dialect;
use super::pools::read_query;
use super::{Database, DbError};
use crate::domain::origin_record::{LONGEST_PARK, ParkReason};

/// How many of the latest records are looked at.
const LATEST: usize = 10_000;

#[derive(QueryableByName)]
struct ParkedRow {
    #[diesel(sql_type = Nullable<Text>)]
    reason: Option<String>,
    #[diesel(sql_type = BigInt)]
    n: i64,
}

impl Database {
    /// How many origins are parked, by the reason; looks at the records that changed last, since
    /// each park begins with a change and ends within [`LONGEST_PARK`].
    pub async fn count_parked_origins(&self) -> Result<Vec<(ParkReason, u64)>, DbError> {
        let dialect = Dialect::of(&self.pools);
        let Dialect { now, .. } = dialect;
        let earliest = dialect.before(LONGEST_PARK);
        let query = format!(
            "SELECT park_reason AS reason, count(*) AS n FROM (\
             SELECT park_reason, parked_until FROM origins WHERE updated_at >= {earliest} \
             ORDER BY updated_at DESC LIMIT {LATEST}) AS latest \
             WHERE parked_until > {now} GROUP BY park_reason"
        );
        let rows: Vec<ParkedRow> = read_query!(self.pools, connection =>
            diesel::sql_query(query).load(connection).await)?;
        let count = |reason: ParkReason| {
            let of = |row: &&ParkedRow| row.reason.as_deref() == Some(reason.as_str());
            let n = rows.iter().find(of).map_or(0, |row| row.n);
            (reason, u64::try_from(n).unwrap_or(0))
        };
        Ok(ParkReason::ALL.into_iter().map(count).collect())
    }
}
