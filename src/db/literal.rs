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
use diesel::serialize::ToSql;
use diesel::sql_types::{Bool, HasSqlType, Text};

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

/// A condition with one bound text in it, of which there are few texts otherwise.
#[derive(Debug, Clone)]
pub(super) struct WithText<'a> {
    before: Cow<'static, str>,
    value: &'a str,
    after: &'static str,
    is_kept: bool,
}

impl<'a> WithText<'a> {
    pub(super) fn new(
        before: impl Into<Cow<'static, str>>,
        value: &'a str,
        after: &'static str,
    ) -> Self {
        Self {
            before: before.into(),
            value,
            after,
            is_kept: true,
        }
    }

    /// Whether a connection keeps the statement, and Postgres its plan.
    pub(super) fn kept_if(self, is_kept: bool) -> Self {
        Self { is_kept, ..self }
    }
}

impl Expression for WithText<'_> {
    type SqlType = Bool;
}

impl<QS> AppearsOnTable<QS> for WithText<'_> {}
impl<QS> SelectableExpression<QS> for WithText<'_> {}

impl<GB> ValidGrouping<GB> for WithText<'_> {
    type IsAggregate = is_aggregate::Never;
}

impl QueryId for WithText<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<DB: Backend + HasSqlType<Text>> QueryFragment<DB> for WithText<'_>
where
    for<'a> &'a str: ToSql<Text, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        if !self.is_kept {
            out.unsafe_to_cache_prepared();
        }
        out.push_sql(&self.before);
        out.push_bind_param::<Text, _>(&self.value)?;
        out.push_sql(self.after);
        Ok(())
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
