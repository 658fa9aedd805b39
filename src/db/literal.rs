//! SQL text within a query that each connection prepares once.
//!
//! Diesel prepares a query with a `dsl::sql` anew each time, since it can't know how many texts there
//! are. In SQLite that compiles the triggers of the table too, which costs more than the rest.

use std::borrow::Cow;
use std::marker::PhantomData;

use diesel::backend::Backend;
use diesel::expression::{
    AppearsOnTable, Expression, SelectableExpression, TypedExpressionType, ValidGrouping,
    is_aggregate,
};
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;

/// An expression of which there are few texts, without anything that clients write.
#[derive(Debug, Clone)]
pub(super) struct Literal<ST> {
    text: Cow<'static, str>,
    sql_type: PhantomData<ST>,
}

/// `text` must be an expression of the type `ST`.
pub(super) fn literal<ST>(text: impl Into<Cow<'static, str>>) -> Literal<ST> {
    Literal {
        text: text.into(),
        sql_type: PhantomData,
    }
}

impl<ST: TypedExpressionType> Expression for Literal<ST> {
    type SqlType = ST;
}

impl<QS, ST: TypedExpressionType> AppearsOnTable<QS> for Literal<ST> {}
impl<QS, ST: TypedExpressionType> SelectableExpression<QS> for Literal<ST> {}

impl<GB, ST> ValidGrouping<GB> for Literal<ST> {
    type IsAggregate = is_aggregate::Never;
}

// Its text is its key.
impl<ST> QueryId for Literal<ST> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<DB: Backend, ST> QueryFragment<DB> for Literal<ST> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql(&self.text);
        Ok(())
    }
}
