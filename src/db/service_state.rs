//! What the service itself remembers: texts by name. A text is replaced only by whoever has read
//! it, so that of several processes one wins.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::dialect::Dialect;
use super::pools::{read_query, write_query};
use super::{Database, DbError};

/// What is remembered under a name, and when it was read.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Remembered {
    #[diesel(sql_type = Nullable<Text>)]
    pub value: Option<String>,
    /// Milliseconds since the Unix epoch, by the database's clock.
    #[diesel(sql_type = BigInt)]
    pub now: i64,
}

/// Which process does a duty, and until when: milliseconds since the Unix epoch.
#[derive(serde::Serialize, serde::Deserialize)]
struct Turn {
    holder: Uuid,
    until: i64,
}

impl Database {
    pub async fn remembered(&self, name: &'static str) -> Result<Remembered, DbError> {
        let dialect = Dialect::of(&self.pools);
        let text = format!(
            "SELECT (SELECT value FROM service_state WHERE name = {}) AS value, {} AS now",
            dialect.parameter(1),
            dialect.millis
        );
        read_query!(self.pools, connection => diesel::sql_query(text)
            .bind::<Text, _>(name)
            .get_result(connection)
            .await)
    }

    /// Remembers `new` under `name` if `old` is what is remembered now; returns whether it was.
    pub async fn remember(
        &self,
        name: &'static str,
        old: Option<&str>,
        new: &str,
    ) -> Result<bool, DbError> {
        let dialect = Dialect::of(&self.pools);
        let [first, second, third] = [1, 2, 3].map(|number| dialect.parameter(number));
        let new = new.to_owned();
        let changed = match old.map(str::to_owned) {
            None => {
                let text = format!(
                    "INSERT INTO service_state (name, value) VALUES ({first}, {second}) \
                     ON CONFLICT (name) DO NOTHING"
                );
                write_query!(self.pools, connection => diesel::sql_query(text)
                    .bind::<Text, _>(name)
                    .bind::<Text, _>(new)
                    .execute(connection)
                    .await)?
            }
            Some(old) => {
                let text = format!(
                    "UPDATE service_state SET value = {second} \
                     WHERE name = {first} AND value = {third}"
                );
                write_query!(self.pools, connection => diesel::sql_query(text)
                    .bind::<Text, _>(name)
                    .bind::<Text, _>(new)
                    .bind::<Text, _>(old)
                    .execute(connection)
                    .await)?
            }
        };
        Ok(changed > 0)
    }

    /// Makes the duty `name` that of `holder` for this long, unless another process has it;
    /// returns whether it is. No session holds it, so no proxy between can leak it.
    pub async fn take_turn(
        &self,
        name: &'static str,
        holder: Uuid,
        length: Duration,
    ) -> Result<bool, DbError> {
        let Remembered { value, now } = self.remembered(name).await?;
        let until = now.saturating_add(super::clock::millis(length));
        // What can't be read is no turn of this version's.
        let turn = value
            .as_deref()
            .and_then(|json| serde_json::from_str::<Turn>(json).ok());
        // One that ends later than it could was given before the clock was set back.
        let is_anothers =
            turn.is_some_and(|turn| turn.holder != holder && (now..=until).contains(&turn.until));
        if is_anothers {
            return Ok(false);
        }
        let turn = serde_json::json!(Turn { holder, until }).to_string();
        self.remember(name, value.as_deref(), &turn).await
    }

    /// Gives a turn back, if it is still `holder`'s.
    pub async fn end_turn(&self, name: &'static str, holder: Uuid) -> Result<(), DbError> {
        let Remembered { value, .. } = self.remembered(name).await?;
        let Some(value) = value else { return Ok(()) };
        let is_own = serde_json::from_str::<Turn>(&value).is_ok_and(|turn| turn.holder == holder);
        if is_own {
            let ended = serde_json::json!(Turn { holder, until: 0 }).to_string();
            self.remember(name, Some(&value), &ended).await?;
        }
        Ok(())
    }

    /// What the cookies of the dashboard are signed with, in every process; made when it is first
    /// asked for. Hexadecimal digits.
    pub async fn dashboard_secret(&self) -> Result<String, DbError> {
        const NAME: &str = "dashboard_secret";
        loop {
            if let Some(secret) = self.remembered(NAME).await?.value {
                return Ok(secret);
            }
            let secret = crate::domain::hex(&rand::random::<[u8; 32]>());
            self.remember(NAME, None, &secret).await?;
        }
    }

    /// The id of this database as the owner of a storage; made when it is first asked for.
    pub async fn storage_owner(&self) -> Result<Uuid, DbError> {
        const NAME: &str = "storage_owner";
        loop {
            let Some(value) = self.remembered(NAME).await?.value else {
                let id = Uuid::from_u128(rand::random()).to_string();
                self.remember(NAME, None, &id).await?;
                continue;
            };
            return value.parse().map_err(|error| {
                DbError::Unreadable(format!("the owner of the storage: {error}"))
            });
        }
    }
}
