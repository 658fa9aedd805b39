//! The one table of settings. Flags, `--help`, the names that faults suggest, and the tests that
//! hold `.env.example`, `compose.yaml` and the README to it, all derive from here.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use url::Url;

use super::database_url::DatabaseUrl;
use super::log::{LogFormat, log_filter};
use super::merge::Merged;
use super::parse::{
    boolean, integer, keeping, list, network, optional, origin, path, public_url, queue_name, rate,
    seconds, secrets_key, socket_address, user_agent, word,
};
use super::redacted::SecretText;
use super::redis_url::RedisUrl;
use super::setting::{Preset, Reader, Setting};
use super::sources::BesideTable;
use crate::{
    AllowedPorts, DecodeIsolation, DuplicateHandling, EgressProxy, LONGEST_LEASE, OriginRule,
    Variants,
};

macro_rules! settings {
    ($( $group:literal for $group_readers:ident { $(
        #[doc = $help:literal]
        $field:ident: $type:ty = $key:literal $(($secret:ident))? $(for $readers:ident)?, $default:expr, $parse:expr;
    )* } )*) => {
        /// Every setting, checked.
        #[derive(Debug, Clone)]
        pub struct Settings {
            $($( #[doc = $help] pub $field: $type, )*)*
            /// Settings from the file for hosts by their names, the most specific pattern first.
            pub origins: Vec<OriginRule>,
            /// Variants that a client asks for by one name.
            pub presets: BTreeMap<String, Variants>,
            /// Spans are exported, as the variables of OpenTelemetry say.
            pub exports_traces: bool,
        }

        /// Every row, in the order of `--help`.
        pub const TABLE: &[Setting] = &[ $($( Setting {
            key: $key,
            group: $group,
            help: $help.trim_ascii(),
            default: $default,
            is_secret: !stringify!($($secret)?).is_empty(),
            // Its own, or else its group's.
            readers: [$( $readers, )? $group_readers][0],
        }, )*)* ];

        impl Settings {
            /// Parses every value before it answers, so that all faults are known at once.
            pub(super) fn read(
                merged: &Merged<'_>,
                said: BesideTable,
                faults: &mut Vec<String>,
            ) -> Option<Self> {
                $($( let $field = merged.read($key, $parse, faults); )*)*
                let BesideTable { origins, presets, exports_traces } = said;
                Some(Self { $($( $field: $field?, )*)* origins, presets, exports_traces })
            }
        }
    };
}

use Preset::{Cores, Text, Unset};

const NO_LIMIT: u64 = u64::MAX;

/// Who reads a setting; `all` reads what `serve` and `work` do.
type Readers = &'static [Reader];
const EVERYONE: Readers = &Reader::ALL;
const STORES: Readers = &[
    Reader::Serve,
    Reader::Work,
    Reader::Retention,
    Reader::Orphans,
    Reader::Check,
];
const SERVICE: Readers = &[Reader::Serve, Reader::Work];
const RULES: Readers = &[Reader::Serve, Reader::Work, Reader::Retention];
const API: Readers = &[Reader::Serve];
const WORKERS: Readers = &[Reader::Work];

settings! {
    "Stores" for EVERYONE {
        /// The database: sqlite://FILE (three slashes: absolute) or postgres://USER:PASSWORD@HOST:PORT/NAME
        database_url: DatabaseUrl = "database_url" (secret), Text("sqlite://storage/thumbforge.db"), word;
        /// Connections to the database that this process may hold
        database_pool_size: usize = "database_pool_size", Text("10"), integer(1, 1000);
        /// Apply pending migrations at start
        auto_migrate: bool = "auto_migrate" for STORES, Text("true"), boolean;
        /// Seconds that a start waits for a Postgres that can't be reached yet
        startup_wait: Duration = "startup_wait_seconds", Text("30"), seconds(0.0, 3600.0);
        /// Redis: redis://HOST:PORT/DB, rediss:// for TLS, redis+sentinel://…/SERVICE/DB or redis+cluster://…; unset: a queue inside the process, for `all` only
        redis_url: Option<RedisUrl> = "redis_url" (secret) for SERVICE, Unset, optional(word);
        /// PEM file of authorities that may vouch for Redis, besides the public ones and the system's
        redis_ca_file: Option<PathBuf> = "redis_ca_file" for SERVICE, Unset, optional(path);
        /// PEM file of the certificate that Redis asks its clients for
        redis_cert_file: Option<PathBuf> = "redis_cert_file" for SERVICE, Unset, optional(path);
        /// PEM file of the key of that certificate
        redis_key_file: Option<PathBuf> = "redis_key_file" for SERVICE, Unset, optional(path);
        /// Key of the Redis list that carries job ids
        queue_name: String = "queue_name" for SERVICE, Text("thumbforge:image_jobs"), queue_name;
        /// Folder of the thumbnails
        storage_path: PathBuf = "storage_path" for STORES, Text("storage/thumbnails"), path;
    }
    "HTTP API" for API {
        /// Address and port of the API
        bind: SocketAddr = "bind", Text("127.0.0.1:8000"), socket_address;
        /// For a known URL, allow-retry makes a new job, reuse-completed returns the finished one, reject-active refuses while one is active
        duplicate_handling: DuplicateHandling = "duplicate_handling", Text("allow-retry"), word;
        /// Jobs in a list when the client gives no limit
        default_page_size: u32 = "default_page_size", Text("20"), integer(1, 10_000);
        /// Jobs in a list at most
        max_page_size: u32 = "max_page_size", Text("100"), integer(1, 10_000);
        /// Pending jobs, i.e. not those in work, beyond which submissions get 429; unset: no limit
        max_pending: Option<u64> = "max_pending", Unset, optional(integer(1, NO_LIMIT));
        /// File of hashed API keys; unset: no key is needed
        api_keys_file: Option<PathBuf> = "api_keys_file", Unset, optional(path);
        /// Requests a second that each API key may send to this process, with bursts of two seconds' worth; unset: no limit
        rate_limit_per_key: Option<f64> = "rate_limit_per_key", Unset, optional(rate);
        /// Origins whose pages may call the API, separated by commas, or *; empty: none
        cors_allowed_origins: Vec<String> = "cors_allowed_origins", Text(""), list(origin);
        /// Where clients reach the API, e.g. `https://example.org/thumbs`; its path leads every link, and without API keys, changes under other host names are refused
        public_url: Option<Url> = "public_url", Unset, optional(public_url);
        /// Networks of proxies whose X-Forwarded-Prefix is believed, separated by commas; empty: none
        trusted_proxies: Vec<IpNet> = "trusted_proxies", Text("127.0.0.0/8,::1"), list(network);
        /// Connections of clients at once, as far as the limit on open files allows; half of them may follow events or wait
        max_connections: usize = "max_connections", Text("10000"), integer(16, 1_000_000);
        /// Address and port that serve /metrics, and nothing else, without a key; unset: none
        metrics_bind: Option<SocketAddr> = "metrics_bind" for SERVICE, Unset, optional(socket_address);
    }
    "Thumbnails" for WORKERS {
        /// Longest side in pixels; smaller images are not enlarged
        thumbnail_size: u32 = "thumbnail_size", Text("256"), integer(16, 65_535);
        /// JPEG quality, 1 to 100
        jpeg_quality: u8 = "jpeg_quality", Text("85"), integer(1, 100);
        /// Pixels that all variants of a job may have together
        max_output_pixels: u64 = "max_output_pixels", Text("50000000"), integer(1, NO_LIMIT);
    }
    "Workers" for WORKERS {
        /// Jobs in flight in this process at most; unset: as many as the sockets allow
        worker_concurrency: Option<usize> = "worker_concurrency", Unset, optional(integer(1, 10_000));
        /// Downloads at once in this process; a slow one does not keep others from starting
        downloads: usize = "downloads", Text("1000"), integer(1, 100_000);
        /// Thumbnails being made at once
        cpu_threads: usize = "cpu_threads", Cores(1), integer(1, 1024);
        /// Seconds a worker blocks on an empty queue
        worker_poll_timeout: Duration = "worker_poll_timeout", Text("5"), seconds(0.1, 300.0);
        /// Attempts for failures that may pass
        max_attempts: u32 = "max_attempts", Text("3"), integer(1, 100);
        /// Seconds after which a job is taken over from a worker that stopped renewing it
        lease: Duration = "lease_seconds", Text("30"), seconds(2.0, LONGEST_LEASE.as_secs_f64());
        /// Seconds to finish or hand back running jobs on SIGTERM or SIGINT; a second signal ends at once
        shutdown_grace: Duration = "shutdown_grace_seconds" for SERVICE, Text("30"), seconds(0.0, 3600.0);
        /// Address and port of a worker process's health checks; unset: none
        worker_bind: Option<SocketAddr> = "worker_bind", Unset, optional(socket_address);
    }
    "Sources" for WORKERS {
        /// Seconds for which the breaker of a silent origin opens at first; then twice as long, up to ten minutes
        origin_breaker: Duration = "origin_breaker_seconds", Text("30"), seconds(0.1, 600.0);
        /// Seconds that a job waits at most for an origin that refuses requests or does not answer
        origin_max_wait: Duration = "origin_max_wait_seconds", Text("3600"), seconds(1.0, 2_592_000.0);
        /// Seconds for a whole download, redirects included
        http_timeout: Duration = "http_timeout_seconds", Text("30"), seconds(0.1, 3600.0);
        /// Seconds for resolving, connecting and the TLS handshake of one hop
        source_connect_timeout: Duration = "source_connect_timeout_seconds", Text("10"), seconds(0.1, 3600.0);
        /// Seconds from a request to the end of its answer's head
        source_head_timeout: Duration = "source_head_timeout_seconds", Text("20"), seconds(0.1, 3600.0);
        /// Seconds of silence within a body
        source_idle_timeout: Duration = "source_idle_timeout_seconds", Text("10"), seconds(0.1, 3600.0);
        /// Least bytes a second of a body, counted over 5 seconds; 0: any rate
        source_min_bytes_per_second: u64 = "source_min_bytes_per_second", Text("1024"), integer(0, 1_000_000_000);
        /// Redirects followed, each checked anew
        max_redirects: u32 = "max_redirects", Text("5"), integer(0, 20);
        /// User agent sent to sources; may contain a contact
        user_agent: String = "user_agent", Text(concat!("ThumbForge/", env!("CARGO_PKG_VERSION"))), user_agent;
        /// Proxy for all downloads, http://, https://, socks5:// or socks5h://, maybe with user and password; unset: none
        egress_proxy: Option<EgressProxy> = "egress_proxy" (secret) for SERVICE, Unset, optional(word);
        /// Networks that may be fetched from although they are not public, e.g. 127.0.0.0/8,10.1.0.0/16
        allowed_source_networks: Vec<IpNet> = "allowed_source_networks" for SERVICE, Text(""), list(network);
        /// Ports that may be fetched from, separated by commas, or *
        allowed_source_ports: AllowedPorts = "allowed_source_ports" for SERVICE, Text("80,443"), word;
        /// Bytes of a source at most
        max_source_bytes: u64 = "max_source_bytes", Text("33554432"), integer(1, NO_LIMIT);
        /// Bytes that all downloads in this process may hold together
        download_memory_bytes: u64 = "download_memory_bytes", Text("268435456"), integer(1, NO_LIMIT);
        /// Pixels of a source at most, by its header
        max_source_pixels: u64 = "max_source_pixels", Text("200000000"), integer(1, NO_LIMIT);
        /// Bytes that all decodes in this process may use together
        decode_memory_bytes: u64 = "decode_memory_bytes", Text("536870912"), integer(1_048_576, NO_LIMIT);
        /// Seconds for one decode
        decode_timeout: Duration = "decode_timeout_seconds", Text("15"), seconds(0.1, 3600.0);
        /// Which images are decoded in locked-down processes: all, risky (AVIF, SVG, PDF) or off; where there can be none, risky formats are refused
        decode_isolation: DecodeIsolation = "decode_isolation", Text("risky"), word;
        /// Whether the first pages of PDF documents are read, in locked-down processes alone
        decode_pdf: bool = "decode_pdf", Text("false"), boolean;
    }
    "Webhooks" for SERVICE {
        /// Networks of webhook receivers that may be posted to although they are not public
        allowed_webhook_networks: Vec<IpNet> = "allowed_webhook_networks", Text(""), list(network);
        /// Ports of webhook receivers that may be posted to, separated by commas, or *
        allowed_webhook_ports: AllowedPorts = "allowed_webhook_ports", Text("80,443"), word;
        /// Encrypts the secrets of webhooks in the database: at least 32 characters that nobody can guess; unset: they are not encrypted
        secrets_key: Option<SecretText> = "secrets_key" (secret), Unset, optional(secrets_key);
    }
    "Growth" for RULES {
        /// How long completed jobs are kept after their end, e.g. 30d, 12h, 45m or 90s; 0: for ever
        retain_completed: Option<Duration> = "retain_completed", Text("0"), keeping;
        /// How long failed and cancelled jobs are kept after their end, e.g. 90d; 0: for ever
        retain_failed: Option<Duration> = "retain_failed", Text("0"), keeping;
        /// How long events are kept for those who read them later, e.g. 7d; 0: for ever
        retain_events: Option<Duration> = "retain_events" for SERVICE, Text("7d"), keeping;
        /// Remove files from the storage that belong to no job, once a day
        sweep_orphans: bool = "sweep_orphans" for SERVICE, Text("false"), boolean;
    }
    "Logging" for EVERYONE {
        /// off, error, warn, info, debug, trace, or directives such as info,thumbforge::worker=debug
        log_level: String = "log_level", Text("info"), log_filter;
        /// text or json
        log_format: LogFormat = "log_format", Text("text"), word;
    }
}
