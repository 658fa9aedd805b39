//! The truth: jobs in Postgres or SQLite. Queries are written once for both, except the hot writes
//! ([`insert_many`], [`finish_many`], [`renew`]).
//!
//! Each state change is one conditional statement, so that it holds under any number of processes.
//! Frequent writes (new jobs, ends of attempts) go through the [`committer`], which puts those that
//! wait into one transaction.

mod action_slice;
mod actions;
mod attempts_log;
mod batch_changes;
mod batch_forget;
mod batch_items;
mod batch_submit;
mod batches;
mod begin;
mod brakes;
mod claim;
mod claim_limited;
mod claim_ready;
mod clock;
mod committer;
mod connect;
mod counts;
mod counts_check;
mod dialect;
mod doomed;
mod error;
mod event_numbers;
mod event_retention;
mod events;
mod failures;
mod failures_sql;
mod finish;
mod finish_many;
mod give_up;
mod idempotency;
mod indexes;
mod insert_json;
mod insert_many;
mod job_flow;
mod job_flow_read;
mod known_files;
mod life;
mod life_change;
mod list;
mod list_branch;
mod list_sql;
mod literal;
mod migrate;
mod oldest;
mod origin_flow;
mod origin_list;
mod origin_reports;
mod origin_row;
mod origin_sql;
mod origins_parked;
mod pool_use;
mod pools;
mod postgres_pool;
mod prepared;
mod pull_in;
mod queue_names;
mod read;
mod ready_origins;
mod renew;
mod retention;
mod row;
mod schema;
mod servers;
mod service_state;
mod session;
mod submit;
mod tls;
mod trial_write;
mod types;
mod unknown_ids;
mod webhook_claims;
mod webhook_ends;
mod webhook_inserts;
mod webhook_log;
mod webhooks;
mod worker_presence;
mod worker_report;

pub use batch_submit::{BatchOpening, BatchSlice, MadeBatch, NewBatch, SliceOutcome};
pub use batches::{BatchImages, BatchPage};
pub use claim_limited::LimitedClaim;
pub use claim_ready::{ClaimSource, Claimed, SkippedOrigin};
pub use connect::Target;
pub use counts::StatusCounts;
pub use counts_check::CountFault;
pub use doomed::Doomed;
pub use error::DbError;
pub use events::{EventRange, EventsOf};
pub use failures::{FailedJob, FailureGroup, Failures};
pub use idempotency::{Answering, Kept, KeyClaim, StoredAnswer};
pub use job_flow_read::{FlowBucket, JobFlow};
pub use known_files::KnownFiles;
pub use life::Deleted;
pub use list::{FilterTotal, JobPage};
pub use origin_flow::Flow;
pub use origin_list::{OriginPage, OriginPlace, OriginReport, OriginSort};
pub use origin_reports::{Held, OriginState};
pub use pool_use::PoolUse;
pub use queue_names::{QueueNames, QueueUse};
pub use read::JobCounts;
pub use ready_origins::ReadyOrigin;
pub use retention::{Expired, Overdue};
pub use service_state::Remembered;
pub use submit::Submission;
pub use webhook_claims::{ClaimedDelivery, WebhookWork};
pub use webhook_ends::DeliveryEnd;
pub use webhook_inserts::NewDelivery;
pub use webhooks::{NewWebhook, WebhookChange, WebhookSecrets};
pub use worker_report::{JobInWork, WorkerReport, WorkersReport};

use committer::Committer;
use pools::Pools;

/// The database of this process. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    pools: Pools,
    committer: Committer,
}

impl Database {
    /// Opens the pools. Connections are made when they are needed; [`Self::ping`] shows whether
    /// they can be. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`DbError::Url`] if the URL can't be used at all.
    pub fn open(target: &Target, pool_size: usize) -> Result<Self, DbError> {
        let pools = Pools::open(target, pool_size)?;
        let committer = Committer::spawn(pools.clone());
        Ok(Self { pools, committer })
    }
}
