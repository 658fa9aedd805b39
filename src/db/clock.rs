//! The database's clock. No time that decides about a lease or a retry comes from elsewhere, so
//! that machines whose clocks disagree still agree about which worker holds a job.

use diesel::expression::{
    AppearsOnTable, Expression, SelectableExpression, ValidGrouping, is_aggregate,
};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::BigInt;
use diesel::sqlite::Sqlite;

use super::types::sql::Moment;

/// Now, shifted by a number of milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    shift_millis: i64,
}

/// The database's current time: in Postgres that of the transaction's start.
pub const fn now() -> Clock {
    Clock { shift_millis: 0 }
}

/// `delay` from now.
pub fn after(delay: std::time::Duration) -> Clock {
    Clock {
        shift_millis: millis(delay),
    }
}

/// `delay` as the database counts it; delays longer than 292 million years are cut.
pub fn millis(delay: std::time::Duration) -> i64 {
    i64::try_from(delay.as_millis()).unwrap_or(i64::MAX / 1000)
}

/// `delay` ago.
pub fn before(delay: std::time::Duration) -> Clock {
    Clock {
        shift_millis: -after(delay).shift_millis,
    }
}

impl Expression for Clock {
    type SqlType = Moment;
}

impl<QS> AppearsOnTable<QS> for Clock {}
impl<QS> SelectableExpression<QS> for Clock {}

impl<GB> ValidGrouping<GB> for Clock {
    type IsAggregate = is_aggregate::Never;
}

impl QueryId for Clock {
    type QueryId = Self;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl QueryFragment<Pg> for Clock {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        pass.push_sql("(now() + ");
        pass.push_bind_param::<BigInt, _>(&self.shift_millis)?;
        pass.push_sql(" * interval '1 millisecond')");
        Ok(())
    }
}

impl QueryFragment<Sqlite> for Clock {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        pass.push_sql("((CAST(unixepoch('subsec') * 1000 AS INTEGER) + ");
        pass.push_bind_param::<BigInt, _>(&self.shift_millis)?;
        pass.push_sql(") * 1000)");
        Ok(())
    }
}
