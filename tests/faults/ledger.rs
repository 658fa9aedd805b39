//! What the database holds, read without ThumbForge, and a history that the database itself keeps.

use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use crate::support::postgres::Postgres;

/// Every status ever written, by a trigger: no state is missed and none is invented.
const POSTGRES_HISTORY: &str = "
    CREATE TABLE job_history (
        seq bigserial PRIMARY KEY, id uuid NOT NULL, status text NOT NULL,
        attempts integer NOT NULL, fence bigint NOT NULL, worker_id uuid,
        at double precision NOT NULL);
    CREATE FUNCTION note_job() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO job_history (id, status, attempts, fence, worker_id, at) VALUES
            (NEW.id, NEW.status, NEW.attempts, NEW.fence, NEW.worker_id,
             extract(epoch FROM clock_timestamp()));
        RETURN NULL;
    END $$;
    CREATE TRIGGER note_insert AFTER INSERT ON jobs
        FOR EACH ROW EXECUTE FUNCTION note_job();
    CREATE TRIGGER note_update AFTER UPDATE OF status ON jobs
        FOR EACH ROW EXECUTE FUNCTION note_job();";

const SQLITE_HISTORY: &str = "
    CREATE TABLE job_history (
        seq INTEGER PRIMARY KEY, id TEXT NOT NULL, status TEXT NOT NULL,
        attempts INTEGER NOT NULL, fence INTEGER NOT NULL, worker_id TEXT, at REAL NOT NULL);
    CREATE TRIGGER note_insert AFTER INSERT ON jobs BEGIN
        INSERT INTO job_history (id, status, attempts, fence, worker_id, at) VALUES
            (NEW.id, NEW.status, NEW.attempts, NEW.fence, NEW.worker_id, unixepoch('subsec'));
    END;
    CREATE TRIGGER note_update AFTER UPDATE OF status ON jobs BEGIN
        INSERT INTO job_history (id, status, attempts, fence, worker_id, at) VALUES
            (NEW.id, NEW.status, NEW.attempts, NEW.fence, NEW.worker_id, unixepoch('subsec'));
    END;";

/// The database that holds the jobs of a test.
pub enum Ledger {
    Postgres { database: String },
    Sqlite(PathBuf),
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = diesel::sql_types::Text)]
    line: String,
}

impl Ledger {
    /// Begins the history; the schema must be there.
    pub fn keep_history(&self, postgres: Option<&Postgres>) {
        match (self, postgres) {
            (Self::Postgres { database }, Some(server)) => {
                let output = server.psql(database, POSTGRES_HISTORY);
                assert!(output.status.success(), "{output:?}");
            }
            (Self::Sqlite(path), _) => sqlite(path)
                .batch_execute(SQLITE_HISTORY)
                .expect("the schema is there"),
            (Self::Postgres { .. }, None) => panic!("no server"),
        }
    }

    /// A receiver of all events from the first on.
    pub fn add_webhook(&self, postgres: Option<&Postgres>, url: &str) {
        let now = match self {
            Self::Postgres { .. } => "now()",
            Self::Sqlite(_) => "0",
        };
        let id = uuid::Uuid::now_v7();
        let inserted = self.lines(
            postgres,
            &format!(
                "INSERT INTO webhooks (id, url, secret, position, created_at, updated_at) VALUES \
                 ('{id}', '{url}', 'plain:whsec_c2VjcmV0', 0, {now}, {now}) RETURNING url AS line"
            ),
        );
        assert_eq!(inserted.len(), 1, "{inserted:?}");
    }

    /// Runs a query whose only column is a text named `line`.
    pub fn lines(&self, postgres: Option<&Postgres>, sql: &str) -> Vec<String> {
        match (self, postgres) {
            (Self::Postgres { database }, Some(server)) => {
                let output = server.psql(database, sql);
                assert!(output.status.success(), "{sql}: {output:?}");
                let text = String::from_utf8(output.stdout).expect("text");
                text.lines().map(str::to_owned).collect()
            }
            (Self::Sqlite(path), _) => {
                let rows: Vec<Line> = diesel::sql_query(sql)
                    .load(&mut sqlite(path))
                    .unwrap_or_else(|error| panic!("{sql}: {error}"));
                rows.into_iter().map(|row| row.line).collect()
            }
            (Self::Postgres { .. }, None) => panic!("no server"),
        }
    }
}

/// A connection as another process has it: it shares only the file with ThumbForge.
pub fn sqlite(path: &Path) -> SqliteConnection {
    let mut connection = SqliteConnection::establish(path.to_str().expect("a plain path"))
        .expect("the file can be opened");
    connection
        .batch_execute("PRAGMA busy_timeout = 10000")
        .expect("a setting");
    connection
}
