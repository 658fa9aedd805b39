//! Settings that are fine alone and wrong together.

use super::table::Settings;

/// Combinations that can't work.
pub(super) fn contradictions(settings: &Settings) -> Vec<String> {
    let mut faults = Vec::new();
    if settings.default_page_size > settings.max_page_size {
        faults.push(format!(
            "THUMBFORGE_DEFAULT_PAGE_SIZE ({}) is above THUMBFORGE_MAX_PAGE_SIZE ({})",
            settings.default_page_size, settings.max_page_size
        ));
    }
    // A coded body is held twice: as it came, and inflated.
    if settings.download_memory_bytes / 2 < settings.max_source_bytes {
        faults.push(format!(
            "THUMBFORGE_DOWNLOAD_MEMORY_BYTES ({}) is below twice THUMBFORGE_MAX_SOURCE_BYTES ({}): \
             the largest source could never be downloaded",
            settings.download_memory_bytes, settings.max_source_bytes
        ));
    }
    if settings.redis_cert_file.is_some() != settings.redis_key_file.is_some() {
        faults.push(
            "THUMBFORGE_REDIS_CERT_FILE and THUMBFORGE_REDIS_KEY_FILE go together".to_owned(),
        );
    }
    faults
}

/// Combinations that work, but are hardly meant.
pub(super) fn doubts(settings: &Settings) -> Vec<String> {
    let mut notices = Vec::new();
    let mut doubt = |doubtful: bool, notice: &str| {
        if doubtful {
            notices.push(notice.to_owned());
        }
    };
    doubt(
        settings.shutdown_grace < settings.http_timeout,
        "THUMBFORGE_SHUTDOWN_GRACE_SECONDS is shorter than THUMBFORGE_HTTP_TIMEOUT_SECONDS: \
         a shutdown hands back jobs that are still downloading",
    );
    doubt(
        settings
            .worker_concurrency
            .is_some_and(|most| settings.cpu_threads > most),
        "THUMBFORGE_CPU_THREADS is above THUMBFORGE_WORKER_CONCURRENCY: \
         there are never enough jobs in flight to use them all",
    );
    let networks = &settings.allowed_source_networks;
    doubt(
        networks.iter().any(|network| network.prefix_len() == 0),
        "THUMBFORGE_ALLOWED_SOURCE_NETWORKS allows every address: \
         submitted URLs reach this machine's own network",
    );
    notices
}
