//! What every process does beside its work, so that tables and disk stay tidy. Each duty is safe in
//! any number of processes at once: the database decides which of them does it.
//!
//! | file | duty |
//! | --- | --- |
//! | `actions` | changes many jobs as clients asked |
//! | `batches` | ends the acceptance of batches whose process died, and forgets old batches |
//! | `counts` | adds appended changes of counts to the kept counts |
//! | `files` | removes the files of deleted and cancelled jobs |
//! | `keys` | deletes answers to requests with an `Idempotency-Key` after their day |
//! | `retention` | deletes jobs whose time is over; `notice`: an hour after that was set |
//! | `orphans` | removes files of no job from the storage |

mod actions;
mod batches;
mod counts;
mod files;
mod keys;
mod notice;
pub mod orphans;
mod pace;
pub mod retention;

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::db::Database;
use crate::domain::Retention;
use crate::storage::Storage;

pub use files::{FilesError, remove_some as remove_due_files};

/// The duties of this process.
pub struct Upkeep {
    pub database: Database,
    pub storage: Storage,
    /// How long ended jobs are kept.
    pub retention: Retention,
    /// Whether to remove files of no job.
    pub sweep_orphans: bool,
}

impl Upkeep {
    /// Does what is due until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let actions = actions::act_forever(&self.database);
        let counts = counts::fold_forever(&self.database);
        let files = files::remove_forever(&self.database, &self.storage);
        let batches = batches::end_stale_forever(&self.database);
        let old_batches = batches::forget_forever(&self.database);
        let keys = keys::forget_forever(&self.database);
        let retention = retention::tend_forever(&self.database, self.retention);
        let orphans = async {
            if self.sweep_orphans {
                orphans::sweep_forever(&self.database, &self.storage).await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = async {
                tokio::join!(actions, batches, old_batches, counts, files, keys, retention, orphans);
            } => {}
        }
    }
}

/// Waits for about `interval`: processes that began together do not stay in step.
async fn pause(interval: Duration) {
    sleep(interval.mul_f64(0.7 + 0.6 * rand::random::<f64>())).await;
}
