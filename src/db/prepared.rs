//! Queries written as SQL that each connection prepares once.
//!
//! Diesel prepares a `sql_query` and an update anew each time, since it can't know how many texts
//! there are. To parse and plan a list costs Postgres more than to read it; SQLite compiles the
//! triggers with each statement, which costs more than an update.

use diesel::QueryResult;
use diesel::backend::Backend;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};

use super::pools::Pools;

/// A query of which there are few texts: each is kept as long as its connection. What clients
/// write is bound, and does not make a text of its own.
pub(super) struct Prepared<Q> {
    query: Q,
    is_kept: bool,
}

/// For Diesel's updates too, which it prepares anew each time.
pub(super) trait Prepare: Sized {
    fn prepared(self) -> Prepared<Self> {
        self.prepared_if(true)
    }

    /// Not kept unless `is_one_of_few`: lists of different lengths have different texts.
    fn prepared_if(self, is_one_of_few: bool) -> Prepared<Self> {
        Prepared {
            query: self,
            is_kept: is_one_of_few,
        }
    }
}

impl<Q> Prepare for Q {}

impl<DB: Backend, Q: QueryFragment<DB>> QueryFragment<DB> for Prepared<Q> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.query.walk_ast(out)
    }

    fn is_safe_to_cache_prepared(&self, _backend: &DB) -> QueryResult<bool> {
        Ok(self.is_kept)
    }
}

// Its text is its key.
impl<Q> QueryId for Prepared<Q> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q: Query> Query for Prepared<Q> {
    type SqlType = Q::SqlType;
}

/// Whether statements without parameters that tell how much they read are kept where tables empty
/// and fill all the time. Postgres would keep the plan that it made when the table was empty.
pub(super) const fn keeps_plans_of_queues(pools: &Pools) -> bool {
    matches!(pools, Pools::Sqlite { .. })
}
