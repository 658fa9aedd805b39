//! What `/metrics` shows of which part.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::entrance::listen;
use super::error::AppError;
use crate::db::{Database, DbError, PoolUse};
use crate::domain::JobStatus;
use crate::http::{self, ReservedAddress};
use crate::observe::{AskDatabase, Exposition, SharedNumbers};
use crate::worker::{Parts, Workers};

/// The setting that names the address of metrics alone.
pub(super) const SETTING: &str = "THUMBFORGE_METRICS_BIND";

/// What a process without workers shows.
pub(super) fn exposition(database: &Database) -> Exposition {
    let exposition = Exposition::of_this_process().with_shared(asking(database));
    type Count = fn(&PoolUse) -> usize;
    let counts: [(&str, &str, Count); 4] = [
        (
            "database_connections_limit",
            "Connections that each pool of this process may open",
            |pool| pool.limit,
        ),
        (
            "database_connections_open",
            "Connections that each pool has open",
            |pool| pool.open,
        ),
        (
            "database_connections_in_use",
            "Connections that work for somebody",
            |pool| pool.in_use,
        ),
        (
            "database_connections_waiting",
            "Queries that wait for a connection",
            |pool| pool.waiting,
        ),
    ];
    counts
        .into_iter()
        .fold(exposition, |all, (name, help, of)| {
            let database = database.clone();
            all.with_gauges(name, help, "pool", move || {
                let pools = database.pools_in_use();
                pools
                    .iter()
                    .map(|pool| (pool.pool, of(pool) as f64))
                    .collect()
            })
        })
}

/// What workers add to it.
pub(super) fn with_workers(exposition: Exposition, workers: &Workers, parts: &Parts) -> Exposition {
    let (leases, failing) = (workers.leases_held(), workers.storage_failing());
    let (fetcher, engine) = (parts.fetcher.clone(), parts.engine.clone());
    let memory = fetcher.memory().clone();
    let (memory_limit, engine_limit) = (memory.limit(), engine.memory_limit());
    exposition
        .with_work(&parts.meters)
        .with_counter(
            "source_received_bytes",
            "Bytes of bodies that sources have sent, as they came, also of failed downloads",
            move || fetcher.received_bytes() as f64,
        )
        .with_gauge(
            "download_memory_bytes",
            "Memory that downloads hold",
            move || memory.used() as f64,
        )
        .with_gauge(
            "download_memory_limit_bytes",
            "Memory that downloads may hold",
            move || memory_limit as f64,
        )
        .with_gauge(
            "decode_memory_bytes",
            "Memory that decodes hold",
            move || engine.memory_in_use() as f64,
        )
        .with_gauge(
            "decode_memory_limit_bytes",
            "Memory that decodes may hold",
            move || engine_limit as f64,
        )
        .with_gauge(
            "leases_held",
            "Jobs that this process holds a lease of",
            move || leases() as f64,
        )
        .with_gauge(
            "storage_failing",
            "1 while this process takes no jobs because the storage fails",
            move || f64::from(u8::from(failing())),
        )
}

fn asking(database: &Database) -> AskDatabase {
    let database = database.clone();
    Arc::new(move || {
        let database = database.clone();
        Box::pin(async move {
            let numbers = shared_numbers(&database).await;
            let said = numbers.inspect_err(|error| tracing::debug!(%error, "not known now"));
            said.ok()
        })
    })
}

async fn shared_numbers(database: &Database) -> Result<SharedNumbers, DbError> {
    let counts = database.counts().await?;
    let parked = database.count_parked_origins().await?;
    let deliveries_waiting = database.count_waiting_deliveries().await?;
    let statuses = JobStatus::ALL.iter();
    Ok(SharedNumbers {
        jobs: statuses
            .map(|status| (*status, counts.by_status.of(*status)))
            .collect(),
        oldest_pending: counts.oldest_pending_seconds,
        oldest_parked: counts.oldest_parked_seconds,
        workers_alive: counts.workers_alive,
        deliveries_waiting,
        origins_parked: parked
            .into_iter()
            .map(|(reason, origins)| (reason.as_str(), origins))
            .collect(),
    })
}

/// Serves metrics on an address of their own until `stop`.
pub(super) fn serve_apart(
    reserved: ReservedAddress,
    exposition: Arc<Exposition>,
    stop: CancellationToken,
) -> Result<(), AppError> {
    let listener = listen(reserved, SETTING)?;
    let address = listener.local_addr().map_err(AppError::Http)?;
    tracing::info!(%address, "metrics are served here, without a key");
    tokio::spawn(async move {
        let served = http::run_metrics(listener, exposition, stop.cancelled_owned());
        if let Err(error) = served.await {
            tracing::error!(%error, "the server of metrics has broken");
        }
    });
    Ok(())
}
