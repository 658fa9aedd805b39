//! What the health checks try.

use crate::db::Database;
use crate::http;
use crate::storage::Storage;
use crate::worker::Workers;

pub(super) fn storage(storage: &Storage) -> http::Probe {
    let storage = storage.clone();
    http::probe(move || {
        let storage = storage.clone();
        async move { storage.ping().await }
    })
}

pub(super) fn database(database: &Database) -> http::Probe {
    let database = database.clone();
    http::probe(move || {
        let database = database.clone();
        async move { database.try_writing().await }
    })
}

pub(super) fn consuming(workers: &Workers) -> http::Probe {
    let pulse = workers.pulse();
    http::probe(move || {
        let consuming = pulse.is_consuming();
        async move { consuming.then_some(()).ok_or("the workers take no jobs") }
    })
}
