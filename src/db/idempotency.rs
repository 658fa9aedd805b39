//! First answers to requests with an `Idempotency-Key`. The row of a key is inserted in the
//! transaction of what the request makes, and before it: a second request with the key waits until
//! the first is decided, for the row in Postgres and for the write lock in SQLite.

use std::sync::Arc;
use std::time::Duration;

use diesel::dsl::case_when;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::literal::literal;
use super::pools::{read_query, write_query};
use super::schema::idempotency_keys;
use super::types::{Id, Moment};
use super::{Database, DbError, clock};

/// How long answers are kept at least.
const KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// A key, and the request that it was sent with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyClaim {
    /// SHA-256 of caller, route and key, lower-case hex.
    pub scope: String,
    /// SHA-256 of the request's body, lower-case hex; empty while it is not known.
    pub body_hash: String,
}

/// An answer, to be repeated byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// What to answer to what was made; `None`: nothing was made, so the key stays free.
pub type Answering<T> = Arc<dyn Fn(&T) -> Option<StoredAnswer> + Send + Sync>;

/// What became of a request with a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Kept<T> {
    /// It is the first.
    New {
        made: T,
        answer: Option<StoredAnswer>,
    },
    /// It was answered before.
    Known {
        body_hash: String,
        answer: StoredAnswer,
    },
    /// The first is under way, or broke off; what it has made, if that is known.
    UnderWay { made: Option<Uuid> },
}

/// The row of a key.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = idempotency_keys)]
pub(super) struct KeyRow {
    body_hash: String,
    status: Option<i16>,
    headers: Option<String>,
    body: Option<String>,
    made: Option<Id>,
}

impl<T> From<Option<KeyRow>> for Kept<T> {
    /// Without a row the first request was undone a moment ago.
    fn from(row: Option<KeyRow>) -> Self {
        let Some(row) = row else {
            return Self::UnderWay { made: None };
        };
        let status = row.status.and_then(|status| u16::try_from(status).ok());
        let headers = row
            .headers
            .and_then(|json| serde_json::from_str(&json).ok());
        match (status, headers, row.body) {
            (Some(status), Some(headers), Some(body)) => Self::Known {
                body_hash: row.body_hash,
                answer: StoredAnswer {
                    status,
                    headers,
                    body,
                },
            },
            _ => Self::UnderWay {
                made: row.made.map(|id| id.0),
            },
        }
    }
}

/// Words of an error by which Postgres says that another transaction holds the key.
const LOCK_TIMEOUT: &str = "lock timeout";

/// A key that another transaction holds is under way.
pub(super) fn or_under_way<T>(kept: Result<Kept<T>, DbError>) -> Result<Kept<T>, DbError> {
    match kept {
        Err(DbError::Unavailable(reason)) if reason.contains(LOCK_TIMEOUT) => {
            Ok(Kept::UnderWay { made: None })
        }
        other => other,
    }
}

/// Inserts the row of `$claim` inside a transaction, or gives the row that is there:
/// `Option<Kept<_>>`. In Postgres it waits shorter than the whole operation may.
macro_rules! claim_key {
    ($connection:ident, $is_postgres:expr, $claim:expr, $made:expr) => {{
        if $is_postgres {
            diesel::sql_query("SET LOCAL lock_timeout = '2s'")
                .execute($connection)
                .await?;
        }
        let inserted = diesel::insert_into(idempotency_keys::table)
            .values((
                idempotency_keys::scope.eq(&$claim.scope),
                idempotency_keys::body_hash.eq(&$claim.body_hash),
                idempotency_keys::made.eq($made),
                idempotency_keys::created_at.eq(clock::now()),
            ))
            .on_conflict_do_nothing()
            .execute($connection)
            .await?;
        match inserted {
            0 => {
                let row: Option<$crate::db::idempotency::KeyRow> = idempotency_keys::table
                    .find(&$claim.scope)
                    .select($crate::db::idempotency::KeyRow::as_select())
                    .first($connection)
                    .await
                    .optional()?;
                Some($crate::db::idempotency::Kept::from(row))
            }
            _ => None,
        }
    }};
}

/// Writes the answer into the row of `$scope`, or removes the row if there is none.
macro_rules! keep_answer {
    ($connection:ident, $scope:expr, $answer:expr) => {{
        match $answer {
            Some(answer) => {
                diesel::update(idempotency_keys::table.find($scope))
                    .set((
                        idempotency_keys::status.eq(i16::try_from(answer.status).ok()),
                        idempotency_keys::headers
                            .eq(Some(serde_json::json!(answer.headers).to_string())),
                        idempotency_keys::body.eq(Some(&answer.body)),
                    ))
                    .execute($connection)
                    .await?
            }
            None => {
                diesel::delete(idempotency_keys::table.find($scope))
                    .execute($connection)
                    .await?
            }
        }
    }};
}
pub(super) use {claim_key, keep_answer};

impl Database {
    /// What is known of a key; `None` if it is free.
    pub async fn find_key(&self, scope: &str) -> Result<Option<Kept<()>>, DbError> {
        let scope = scope.to_owned();
        let row: Option<KeyRow> = read_query!(self.pools, connection => idempotency_keys::table
            .find(&scope)
            .select(KeyRow::as_select())
            .first(connection)
            .await
            .optional())?;
        Ok(row.map(|row| Kept::from(Some(row))))
    }

    /// Keeps the answer to a request whose key was claimed before.
    pub async fn keep_answer(&self, claim: KeyClaim, answer: StoredAnswer) -> Result<(), DbError> {
        let headers = serde_json::json!(answer.headers).to_string();
        write_query!(self.pools, connection => diesel::update(
                idempotency_keys::table.find(&claim.scope),
            )
            .set((
                idempotency_keys::body_hash.eq(&claim.body_hash),
                idempotency_keys::status.eq(i16::try_from(answer.status).ok()),
                idempotency_keys::headers.eq(Some(headers)),
                idempotency_keys::body.eq(Some(&answer.body)),
            ))
            .execute(connection)
            .await)
        .map(|_| ())
    }

    /// Deletes keys that are older than a day, `limit` at most; returns how many.
    pub async fn forget_keys(&self, limit: u32) -> Result<usize, DbError> {
        let old: Vec<(String, Moment)> = read_query!(self.pools, connection => {
            idempotency_keys::table
                .filter(idempotency_keys::created_at.lt(clock::before(KEPT_FOR)))
                .order(idempotency_keys::created_at.asc())
                .select((idempotency_keys::scope, idempotency_keys::created_at))
                .limit(i64::from(limit))
                .load(connection)
                .await
        })?;
        if old.is_empty() {
            return Ok(0);
        }
        let scopes: Vec<String> = old.into_iter().map(|(scope, _)| scope).collect();
        // Looked at again: another process may have deleted one, and a client used its key anew.
        write_query!(self.pools, connection => diesel::delete(
                idempotency_keys::table
                    .filter(idempotency_keys::scope.eq_any(&scopes))
                    // As a case no index fits it: the scopes are looked up, not all old keys.
                    .filter(
                        case_when(
                            idempotency_keys::created_at.lt(clock::before(KEPT_FOR)),
                            literal::<Bool>("true"),
                        )
                        .otherwise(literal::<Bool>("false")),
                    ),
            )
            .execute(connection)
            .await)
    }
}
