//! Does the actions that clients asked for, in slices.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{pace, pause};
use crate::db::Database;
use crate::domain::action::ActionKind;

const INTERVAL: Duration = Duration::from_millis(500);
/// How often rows of ended actions are looked for that are too old to be kept.
const FORGETTING: Duration = Duration::from_secs(3600);

pub(super) async fn act_forever(database: &Database) {
    let runner = uuid::Uuid::now_v7();
    let mut forgotten: Option<Instant> = None;
    loop {
        if forgotten.is_none_or(|moment| moment.elapsed() > FORGETTING) {
            forgotten = Some(Instant::now());
            if let Err(error) = database.forget_actions().await {
                tracing::debug!(%error, "old actions could not be removed");
            }
        }
        match database.take_actions(runner).await {
            Ok(taken) if !taken.is_empty() => {
                // Each in its turn: a long one does not hold up a short one.
                for id in taken {
                    act(database, id, runner).await;
                }
            }
            Ok(_) => pause(INTERVAL).await,
            Err(error) => {
                tracing::warn!(%error, "actions could not be looked for");
                pause(INTERVAL).await;
            }
        }
    }
}

async fn act(database: &Database, id: uuid::Uuid, runner: uuid::Uuid) {
    let began = Instant::now();
    match database.act_on_slice(id, runner).await {
        // What is deleted may be a large part of the table, and nobody waits for it.
        Ok(Some(ActionKind::Delete)) => sleep(pace::after_deleting(began.elapsed())).await,
        // Half as long again, so that others get their turn.
        Ok(_) => sleep(began.elapsed() / 2).await,
        Err(error) => {
            tracing::warn!(%error, action.id = %id, "a slice of an action is not done yet");
            pause(INTERVAL).await;
        }
    }
}
