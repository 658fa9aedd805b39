//! Connections to Postgres, also through a pooler that gives each transaction another session.

use std::sync::Arc;

use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use futures_util::future::BoxFuture;

use super::connect;
use super::error::DbError;
use super::pool_use::PoolUse;
use super::pools::{Answer, Pool, RunsWork, Work, build, checkout, run_on};
use super::servers::Servers;
use super::session::{Finding, Sessions, for_transaction};

#[derive(Clone)]
pub(in crate::db) struct PostgresPool {
    pool: Pool<AsyncPgConnection>,
    servers: Servers,
    finding: Arc<Finding>,
}

impl PostgresPool {
    pub(super) fn open(url: &str, size: usize) -> Result<Self, DbError> {
        let finding = Arc::default();
        let servers = Servers::new(url)?;
        let manager = connect::postgres_manager(&servers, &finding);
        Ok(Self {
            pool: build(manager, size)?,
            servers,
            finding,
        })
    }

    pub(super) fn in_use(&self) -> PoolUse {
        PoolUse::of("postgres", &self.pool)
    }

    /// A connection that does not go back to the pool.
    pub(super) async fn take(&self) -> Result<AsyncPgConnection, DbError> {
        self.finding.find_out(&self.servers).await?;
        Ok(deadpool::managed::Object::take(checkout(&self.pool).await?))
    }

    /// Whether what a session is told stays with its connection. Asked of a connection at hand.
    pub(super) fn keeps_sessions(&self) -> bool {
        self.finding.get() != Some(Sessions::PerTransaction)
    }

    /// If statements are lost between sessions, the next connection looks what sessions there are.
    async fn run_watched(&self, work: Work<AsyncPgConnection>) -> Result<Answer, DbError> {
        self.finding.find_out(&self.servers).await?;
        let outcome = run_on(self.pool.clone(), work).await;
        if matches!(outcome, Err(DbError::OtherSession(_))) {
            self.finding.forget();
            self.pool.retain(|_, _| false);
        }
        outcome
    }
}

impl RunsWork for PostgresPool {
    type Connection = AsyncPgConnection;

    fn run(&self, work: Work<AsyncPgConnection>) -> BoxFuture<'_, Result<Answer, DbError>> {
        Box::pin(async move {
            self.finding.find_out(&self.servers).await?;
            match self.keeps_sessions() {
                true => self.run_watched(work).await,
                // Transactions within it are savepoints.
                false => self.run_transaction(work).await,
            }
        })
    }

    fn run_transaction(
        &self,
        work: Work<AsyncPgConnection>,
    ) -> BoxFuture<'_, Result<Answer, DbError>> {
        let finding = Arc::clone(&self.finding);
        Box::pin(self.run_watched(Box::new(move |connection| {
            Box::pin(connection.transaction(async move |connection| {
                settle(connection, &finding).await?;
                work(connection).await
            }))
        })))
    }

    fn run_snapshot(
        &self,
        work: Work<AsyncPgConnection>,
    ) -> BoxFuture<'_, Result<Answer, DbError>> {
        let finding = Arc::clone(&self.finding);
        Box::pin(self.run_watched(Box::new(move |connection| {
            Box::pin(async move { snapshot(connection, &finding, work).await })
        })))
    }
}

async fn snapshot(
    connection: &mut AsyncPgConnection,
    finding: &Finding,
    work: Work<AsyncPgConnection>,
) -> diesel::QueryResult<Answer> {
    let transaction = connection.build_transaction();
    transaction
        .repeatable_read()
        .read_only()
        .run(async move |connection| {
            settle(connection, finding).await?;
            work(connection).await
        })
        .await
}

/// Gives a transaction what its session does not have.
async fn settle(connection: &mut AsyncPgConnection, finding: &Finding) -> diesel::QueryResult<()> {
    match finding.get() {
        Some(Sessions::PerTransaction) => connection.batch_execute(&for_transaction()).await,
        _ => Ok(()),
    }
}
