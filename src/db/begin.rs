//! When the wait of a new job begins, and where that puts it in the order of claims: expressions of
//! the database, because its clock decides.

use diesel::backend::Backend;
use diesel::expression::{
    AppearsOnTable, Expression, SelectableExpression, ValidGrouping, is_aggregate,
};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, Bool, HasSqlType, Nullable};
use diesel::sqlite::Sqlite;

use super::types::{Moment, sql};
use crate::domain::Schedule;

macro_rules! expression {
    ($name:ident, $sql_type:ty) => {
        impl Expression for $name {
            type SqlType = $sql_type;
        }

        impl<QS> AppearsOnTable<QS> for $name {}
        impl<QS> SelectableExpression<QS> for $name {}

        impl<GB> ValidGrouping<GB> for $name {
            type IsAggregate = is_aggregate::Never;
        }
    };
}

/// An expression over the moment that a client asked for: what each database writes before and
/// after it. SQLite counts microseconds; its `MAX` is null if an argument is null.
macro_rules! expressions {
    ($( $(#[$doc:meta])* $name:ident: $sql_type:ty, $pg:literal .. $pg_end:literal,
        $lite:literal .. $lite_end:literal; )*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, QueryId)]
        pub(super) struct $name(Option<Moment>);

        impl $name {
            pub(super) fn of(schedule: Schedule) -> Self {
                Self(schedule.not_before.map(Moment))
            }
        }

        expression!($name, $sql_type);

        impl QueryFragment<Pg> for $name {
            fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
                pass.push_sql($pg);
                pass.push_bind_param::<Nullable<sql::Moment>, _>(&self.0)?;
                pass.push_sql($pg_end);
                Ok(())
            }
        }

        impl QueryFragment<Sqlite> for $name {
            fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
                pass.push_sql($lite);
                pass.push_bind_param::<Nullable<sql::Moment>, _>(&self.0)?;
                pass.push_sql($lite_end);
                Ok(())
            }
        }
    )* };
}

expressions! {
    /// Now, or the moment that was asked for if it is later.
    Begin: sql::Moment,
        "GREATEST(now(), " .. ")",
        "MAX(CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000, COALESCE(" .. ", 0))";
    /// The same in milliseconds since the Unix epoch.
    BeginMillis: BigInt,
        "(extract(epoch FROM GREATEST(now(), " .. ")) * 1000)::bigint",
        "MAX(CAST(unixepoch('subsec') * 1000 AS INTEGER), COALESCE(" .. ", 0) / 1000)";
    /// True if that moment is still to come.
    Waits: Bool,
        "COALESCE(" .. " > now(), false)",
        "(COALESCE(" .. ", 0) > CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000)";
}

/// The place in the order of claims (`jobs.rank`).
#[derive(Debug, Clone, Copy, QueryId)]
pub(super) struct Rank {
    begin: BeginMillis,
    priority_millis: i64,
}

impl Rank {
    pub(super) fn of(schedule: Schedule) -> Self {
        Self {
            begin: BeginMillis::of(schedule),
            priority_millis: schedule.priority.millis(),
        }
    }
}

expression!(Rank, BigInt);

impl<DB: Backend> QueryFragment<DB> for Rank
where
    BeginMillis: QueryFragment<DB>,
    i64: ToSql<BigInt, DB>,
    DB: HasSqlType<BigInt>,
{
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.begin.walk_ast(pass.reborrow())?;
        pass.push_sql(" + ");
        pass.push_bind_param::<BigInt, _>(&self.priority_millis)
    }
}
