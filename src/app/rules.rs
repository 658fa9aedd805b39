//! What the settings mean to the workers.

use std::sync::Arc;

use thumbforge_imaging::Variant;

use crate::config::{RedisUrl, Settings};
use crate::db::QueueUse;
use crate::domain::origin_record::Caps;
use crate::domain::{OriginRule, Retention};
use crate::http;
use crate::isolation::{CHILD_BYTES, CannotIsolate, ChildLimits, DecoderRules, Decoders};
use crate::upkeep::Sign;
use crate::worker::{CapsOf, DecodeLimits, Engine, WorkerSettings};

pub(super) const fn retention(settings: &Settings) -> Retention {
    Retention {
        completed: settings.retain_completed,
        failed: settings.retain_failed,
    }
}

/// What a process shows to others that may use the same queue.
pub(super) fn sign(settings: &Settings, uses: &[QueueUse]) -> Sign {
    let shown = settings.database_url.to_string();
    // Without the login.
    let database = match (shown.split_once("://"), shown.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => format!("{scheme}://{place}"),
        _ => shown,
    };
    let number = settings.redis_url.as_ref().map_or(0, RedisUrl::database);
    Sign {
        database,
        queue: format!("{} in database {number}", settings.queue_name),
        uses: uses.to_vec(),
    }
}

/// One of so many open files may be a download's: in a process of workers, and beside the API.
pub(super) const DOWNLOADS_ALONE: u64 = 2;
pub(super) const DOWNLOADS_BESIDE_CLIENTS: u64 = 8;
/// Jobs begun ahead of the engine for each of its threads: enough that it never waits.
const LINE_A_THREAD: usize = 4;

pub(super) fn worker_settings(settings: &Settings, downloads: usize) -> WorkerSettings {
    WorkerSettings {
        concurrency: settings.worker_concurrency,
        line: settings.cpu_threads.saturating_mul(LINE_A_THREAD),
        downloads,
        has_caps: settings.origins.iter().any(is_capped),
        origin_breaker: settings.origin_breaker,
        origin_max_wait: settings.origin_max_wait,
        poll_timeout: settings.worker_poll_timeout,
        max_attempts: settings.max_attempts,
        lease: settings.lease,
        shutdown_grace: settings.shutdown_grace,
        thumbnail: Variant::thumbnail(settings.thumbnail_size, settings.jpeg_quality),
    }
}

/// The processes that decode, as far as the settings want them.
pub(super) fn decoders(settings: &Settings) -> Result<Decoders, CannotIsolate> {
    let memory_bytes = settings
        .decode_memory_bytes
        .saturating_add(settings.max_source_bytes)
        .saturating_add(CHILD_BYTES);
    let limits = ChildLimits {
        memory_bytes,
        timeout: settings.decode_timeout,
    };
    let rules = DecoderRules {
        isolation: settings.decode_isolation,
        reads_pdf: settings.decode_pdf,
    };
    Decoders::open(rules, &limits)
}

pub(super) fn engine(settings: &Settings, decoders: Decoders) -> Engine {
    let limits = DecodeLimits {
        max_pixels: settings.max_source_pixels,
        max_output_pixels: settings.max_output_pixels,
        memory_bytes: settings.decode_memory_bytes,
        timeout: settings.decode_timeout,
    };
    Engine::new(settings.cpu_threads, limits, decoders)
}

/// As many of the downloads that are wished for as the system lets a process open files.
pub(super) fn downloads_that_fit(wished: usize, share: u64) -> usize {
    let Some(open_files) = http::raise_open_files() else {
        return wished;
    };
    let fit = usize::try_from(open_files / share).unwrap_or(wished).max(1);
    if fit < wished {
        tracing::warn!(
            open_files,
            downloads = fit,
            "the limit on open files allows fewer downloads than THUMBFORGE_DOWNLOADS"
        );
    }
    wished.min(fit)
}

fn is_capped(rule: &OriginRule) -> bool {
    rule.concurrency.is_some() || rule.per_second.is_some()
}

pub(super) fn caps_of(rules: Vec<OriginRule>) -> CapsOf {
    Arc::new(move |origin| Caps {
        concurrency: OriginRule::find(&rules, origin, |rule| rule.concurrency),
        per_second: OriginRule::find(&rules, origin, |rule| rule.per_second),
    })
}
