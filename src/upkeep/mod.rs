//! What every process does beside its work, so that tables and disk stay tidy. Each duty is safe in
//! any number of processes at once: the database decides which of them does it.
//!
//! | file | duty |
//! | --- | --- |
//! | `actions` | changes many jobs as clients asked |
//! | `batches` | ends the acceptance of batches whose process died, and forgets old batches |
//! | `counts` | adds appended changes of counts to the kept counts |
//! | `files` | removes the files of deleted and cancelled jobs |
//! | `events` | numbers events, and deletes old ones |
//! | `flow` | counts the ends of jobs, minute by minute |
//! | `neighbours` | notices others on the same queue, and relatives on another |
//! | `keys` | deletes answers to requests with an `Idempotency-Key` after their day |
//! | `retention` | deletes jobs whose time is over; `notice`: an hour after that was set |
//! | `orphans` | removes files of no job from the storage |

mod actions;
mod batches;
mod counts;
mod events;
mod files;
mod flow;
mod keys;
mod neighbours;
mod notice;
pub mod orphans;
mod pace;
pub mod retention;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::db::Database;
use crate::domain::Retention;
use crate::queue::Queue;
use crate::storage::Storage;

pub use files::{FilesError, remove_some as remove_due_files};
pub use neighbours::Sign;

/// The duties of this process.
pub struct Upkeep {
    pub database: Database,
    pub storage: Storage,
    pub queue: Queue,
    /// What this process shows to others that may use the same queue.
    pub sign: Sign,
    /// How long ended jobs are kept.
    pub retention: Retention,
    /// How long events are kept; `None`: for ever.
    pub retain_events: Option<Duration>,
    /// Whether to remove files of no job.
    pub sweep_orphans: bool,
}

impl Upkeep {
    /// Does what is due until `stop`. Each duty is a task of its own: together in one, they would
    /// need more stack than a thread has in a debug build.
    pub async fn run(self, stop: CancellationToken) {
        let this = Arc::new(self);
        let mut duties = JoinSet::new();
        macro_rules! begin {
            ($this:ident => $duty:expr) => {{
                let $this = Arc::clone(&this);
                duties.spawn(async move { $duty.await });
            }};
        }
        begin!(this => actions::act_forever(&this.database));
        begin!(this => counts::fold_forever(&this.database));
        begin!(this => files::remove_forever(&this.database, &this.storage));
        begin!(this => batches::end_stale_forever(&this.database));
        begin!(this => batches::forget_forever(&this.database));
        begin!(this => keys::forget_forever(&this.database));
        begin!(this => retention::tend_forever(&this.database, this.retention));
        begin!(this => events::number_forever(&this.database));
        begin!(this => events::delete_forever(&this.database, this.retain_events));
        begin!(this => flow::fold_forever(&this.database));
        begin!(this => neighbours::watch_forever(&this.database, &this.queue, &this.sign));
        if this.sweep_orphans {
            begin!(this => orphans::sweep_forever(&this.database, &this.storage));
        }
        stop.cancelled().await;
        duties.shutdown().await;
    }
}

/// Waits for about `interval`: processes that began together do not stay in step.
async fn pause(interval: Duration) {
    sleep(interval.mul_f64(0.7 + 0.6 * rand::random::<f64>())).await;
}
