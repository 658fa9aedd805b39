//! What operators decide about origins: to pause them, one or all, and to forget what was learned.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::claim_ready::ALL_ORIGINS as ALL;
use super::pools::{read_query, write_query};
use super::schema::origins;
use super::types::Moment;
use super::{Database, DbError, clock};
use crate::domain::Origin;

impl Database {
    /// Pauses or resumes the claims of an origin's jobs; those in work go on. Jobs of other origins
    /// that wait because a redirect leads there are due when it is resumed, the first 10,000 of
    /// them.
    pub async fn pause_origin(&self, origin: &Origin, paused: bool) -> Result<(), DbError> {
        self.pause(origin.to_string(), paused).await?;
        if !paused {
            self.pull_in_redirected(origin).await?;
        }
        Ok(())
    }

    /// Pauses or resumes all claims.
    pub async fn pause_queue(&self, paused: bool) -> Result<(), DbError> {
        self.pause(ALL.to_owned(), paused).await?;
        if paused {
            return Ok(());
        }
        // No origin was asked meanwhile.
        write_query!(self.pools, connection => diesel::update(
                origins::table.filter(origins::unavailable_since.is_not_null()),
            )
            .set(origins::unavailable_since.eq(None::<Moment>))
            .execute(connection)
            .await)
        .map(|_| ())
    }

    pub async fn queue_is_paused(&self) -> Result<bool, DbError> {
        let paused: Option<bool> = read_query!(self.pools, connection => origins::table
            .find(ALL)
            .select(origins::paused)
            .first(connection)
            .await
            .optional())?;
        Ok(paused.unwrap_or(false))
    }

    async fn pause(&self, origin: String, paused: bool) -> Result<(), DbError> {
        if !paused {
            // Without a row there is nothing to end.
            return write_query!(self.pools, connection =>
                diesel::update(origins::table.find(origin))
                    .set((
                        origins::paused.eq(false),
                        // No origin was asked meanwhile.
                        origins::unavailable_since.eq(None::<Moment>),
                        origins::updated_at.eq(clock::now()),
                    ))
                    .execute(connection)
                    .await)
            .map(|_| ());
        }
        write_query!(self.pools, connection => diesel::insert_into(origins::table)
            .values((
                origins::origin.eq(origin),
                origins::paused.eq(true),
                origins::updated_at.eq(clock::now()),
            ))
            .on_conflict(origins::origin)
            .do_update()
            .set((origins::paused.eq(true), origins::updated_at.eq(clock::now())))
            .execute(connection)
            .await)
        .map(|_| ())
    }

    /// Forgets what was learned of an origin, but not that it is paused. Its bucket is empty
    /// afterwards: the operator's limits still hold.
    pub async fn reset_origin(&self, origin: &Origin) -> Result<(), DbError> {
        let origin = origin.to_string();
        write_query!(self.pools, connection => diesel::update(origins::table.find(origin))
            .set((
                origins::parked_until.eq(None::<Moment>),
                origins::park_reason.eq(None::<String>),
                origins::rate.eq(None::<f64>),
                origins::settled_rate.eq(None::<f64>),
                origins::measured.eq(false),
                origins::held_until.eq(None::<Moment>),
                origins::tokens.eq(0.0),
                origins::refusals.eq(0),
                origins::cut_at.eq(None::<Moment>),
                origins::failures.eq(0),
                origins::openings.eq(0),
                origins::unavailable_since.eq(None::<Moment>),
                origins::updated_at.eq(clock::now()),
            ))
            .execute(connection)
            .await)
        .map(|_| ())
    }
}
