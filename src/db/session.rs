//! Whether a Postgres session keeps what it is told.
//!
//! A pooler such as PgBouncer may give each transaction another session of the server
//! (`pool_mode = transaction`). What is set, locked or prepared outside a transaction is then lost,
//! and found by strangers. So there everything is done inside transactions.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use diesel::{ConnectionError, ConnectionResult};
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_postgres::{Client, SimpleQueryMessage};

use super::error::DbError;
use super::pools::CONNECTION_TIMEOUT;
use super::servers::{Servers, failed};

/// What must hold for each session. The server gives up on statements that we have long given up
/// on, so that a stopped worker can't hold a row forever. Compiling a statement would take longer
/// than running it, as would starting processes that run it in parts. A bitmap collects all rows of
/// a key and sorts them. Our pages take some rows in the order of an index, and after a flood of new
/// jobs Postgres does not know how many there are, until it analyses the table.
const SETTINGS: [(&str, &str); 6] = [
    ("statement_timeout", "'10s'"),
    ("lock_timeout", "'5s'"),
    ("idle_in_transaction_session_timeout", "'10s'"),
    ("jit", "off"),
    ("max_parallel_workers_per_gather", "0"),
    ("enable_bitmapscan", "off"),
];

/// To be run at the beginning of a session.
pub(super) fn for_session() -> String {
    set("SET")
}

/// To be run at the beginning of each transaction.
pub(super) fn for_transaction() -> String {
    set("SET LOCAL")
}

fn set(verb: &str) -> String {
    let statements = SETTINGS.map(|(name, value)| format!("{verb} {name} = {value}"));
    statements.join("; ")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sessions {
    /// Each connection has its own, for as long as it lives.
    Kept,
    /// Each transaction has any.
    PerTransaction,
}

/// What was found out about the sessions; nothing before the first connection.
#[derive(Debug, Default)]
pub(super) struct Finding {
    code: AtomicU8,
    /// Held by the one that looks.
    looking: Mutex<()>,
}

const KEPT: u8 = 1;
const PER_TRANSACTION: u8 = 2;

impl Finding {
    pub(super) fn get(&self) -> Option<Sessions> {
        match self.code.load(Ordering::Acquire) {
            KEPT => Some(Sessions::Kept),
            PER_TRANSACTION => Some(Sessions::PerTransaction),
            _ => None,
        }
    }

    fn set(&self, sessions: Sessions) {
        let code = match sessions {
            Sessions::Kept => KEPT,
            Sessions::PerTransaction => PER_TRANSACTION,
        };
        self.code.store(code, Ordering::Release);
    }

    /// The next connection finds out anew: a pooler was put between, or was set otherwise.
    pub(super) fn forget(&self) {
        self.code.store(0, Ordering::Release);
    }

    /// Finds out by two connections of its own, unless it is known.
    ///
    /// # Errors
    /// If no connection can be made in time, or the pooler forbids transactions.
    pub(super) async fn find_out(&self, servers: &Servers) -> Result<(), DbError> {
        if self.get().is_some() {
            return Ok(());
        }
        let _others_wait = self.looking.lock().await;
        if self.get().is_some() {
            return Ok(());
        }
        let looking = async {
            let second = timeout(CONNECTION_TIMEOUT, probe(servers));
            match tokio::join!(probe(servers), second) {
                (Ok(one), Ok(Ok(other))) => look(&one, &other).await.map_err(|error| bad(&error)),
                (Ok(_), _) | (Err(_), Ok(Ok(_))) => Ok(alone()),
                (Err(error), _) => Err(error),
            }
        };
        let found = match timeout(PATIENCE, looking).await {
            Ok(found) => found.map_err(DbError::of_connecting)?,
            Err(_) => return Err(DbError::Unavailable("no connection in time".to_owned())),
        };
        self.set(found);
        if found == Sessions::PerTransaction {
            tracing::info!(
                "a pooler gives each transaction another session: statements are prepared anew"
            );
        }
        Ok(())
    }
}

/// For the first answer to the second connection.
const SECOND: Duration = Duration::from_millis(1500);
/// Two connections, and eight round trips, also to another continent.
const PATIENCE: Duration = Duration::from_secs(5);

/// A plain connection, which lives as long as its client.
async fn probe(servers: &Servers) -> ConnectionResult<Client> {
    let (client, connection) = servers.connect().await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Each connection notes its name in its session. If it finds no name, or the other's, the session
/// is another.
async fn look(one: &Client, other: &Client) -> Result<Sessions, tokio_postgres::Error> {
    let clients = [(one, "one"), (other, "other")];
    // A pooler that forbids transactions says so at the first: it must be open for a moment.
    one.batch_execute(&format!("BEGIN; {}", note("one")))
        .await?;
    one.batch_execute("COMMIT").await?;
    // A pooler may let it in, and have no session for it.
    let Ok(noted) = timeout(SECOND, other.batch_execute(&note("other"))).await else {
        return Ok(alone());
    };
    noted?;
    // In turns that no order of a pooler's sessions repeats. Each costs a round trip; if a busy
    // pooler gets them right by chance, the first statement that is lost brings us back here.
    for turn in [0, 1, 1, 0, 1] {
        let (client, name) = clients[turn];
        let answer = client
            .simple_query("SELECT current_setting('thumbforge.connection', true)")
            .await?;
        let found = answer.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        if found != Some(name) {
            return Ok(Sessions::PerTransaction);
        }
    }
    Ok(Sessions::Kept)
}

/// Where one connection is all that there is, nobody else can come between.
fn alone() -> Sessions {
    tracing::info!("there is no second connection to the database to look for poolers");
    Sessions::Kept
}

fn note(name: &str) -> String {
    format!("SELECT set_config('thumbforge.connection', '{name}', false)")
}

fn bad(error: &tokio_postgres::Error) -> ConnectionError {
    // PgBouncer's words in `pool_mode = statement`.
    match error.as_db_error() {
        Some(told) if told.message().contains("transaction blocks not allowed") => {
            ConnectionError::InvalidConnectionUrl(
                "the pooler forbids transactions (pool_mode = statement); ThumbForge needs \
                 pool_mode = transaction or session"
                    .to_owned(),
            )
        }
        _ => failed(error),
    }
}

/// True of what Postgres says of a statement that another session has prepared, or prepared under
/// the same name.
pub(super) fn is_of_another_session(message: &str) -> bool {
    message.contains("prepared statement \"")
        && (message.ends_with("does not exist") || message.ends_with("already exists"))
}
