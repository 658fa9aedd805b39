//! Lets the libraries that receive settings judge them at start, and not only at the first use.

use thumbforge_intake::settings::{DatabaseUrl, EXPECTED_FILTER, log_filter};
use tracing_subscriber::EnvFilter;

/// Asks the library that will use the setting of this key, if one will read its text anew.
pub(super) fn judge(key: &str, text: &str) -> Result<(), String> {
    match key {
        "database_url" => match text.parse()? {
            DatabaseUrl::Postgres(url) => postgres(&url),
            DatabaseUrl::Sqlite(_) => Ok(()),
        },
        "redis_url" if !text.is_empty() => redis(text),
        "log_level" => filter(&log_filter(text)?),
        _ => Ok(()),
    }
}

fn postgres(url: &str) -> Result<(), String> {
    let parsed: tokio_postgres::Config = with_known_sslmode(url).parse().map_err(|_| {
        "can't be read as a Postgres URL; special characters in the user name or password must be \
         percent-encoded, and options after ? must be those of libpq, e.g. sslmode=require"
            .to_owned()
    })?;
    if parsed.get_hosts().is_empty() && parsed.get_hostaddrs().is_empty() {
        return Err("the Postgres URL names no host".to_owned());
    }
    Ok(())
}

/// `tokio-postgres` leaves verification to its TLS connector and has no word for it.
fn with_known_sslmode(url: &str) -> String {
    url.replace("sslmode=verify-full", "sslmode=require")
        .replace("sslmode=verify-ca", "sslmode=require")
}

fn redis(url: &str) -> Result<(), String> {
    redis::IntoConnectionInfo::into_connection_info(url)
        .map(|_| ())
        .map_err(|_| {
            "can't be read as a Redis URL; special characters in the password must be \
             percent-encoded, and the path must be a database number"
                .to_owned()
        })
}

fn filter(text: &str) -> Result<(), String> {
    EnvFilter::builder()
        .parse(text)
        .map(|_| ())
        .map_err(|_| EXPECTED_FILTER.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_clients_read_passes() {
        for (key, text) in [
            ("database_url", "sqlite://storage/thumbforge.db"),
            ("database_url", "postgresql+asyncpg://u:p@db/n?ssl=require"),
            ("database_url", "postgres://u@db/n?sslmode=verify-full"),
            ("database_url", "postgres://u@db/n?sslmode=verify-ca"),
            ("database_url", "postgres:///n?host=/run/pg"),
            ("redis_url", ""),
            ("redis_url", "rediss://:p@cache:6380/2"),
            ("redis_url", "unix:///run/redis.sock"),
            ("log_level", "WARNING"),
            ("log_level", "info,thumbforge::worker=debug"),
            ("bind", "anything"),
        ] {
            assert_eq!(judge(key, text), Ok(()), "{key} {text}");
        }
    }

    #[test]
    fn what_a_client_can_not_read_is_refused_without_quoting_it() {
        for (key, text) in [
            ("database_url", "postgres:///n"),
            ("database_url", "postgres://u:hunter2@db:port/n"),
            ("database_url", "postgres://u:hunter2@db/n?hunter2=1"),
            ("database_url", "postgres://u:hunter2@db/n?sslmode=hunter2"),
            ("redis_url", "redis://:hunter2@cache/hunter2"),
            ("redis_url", "redis://:hunter2@cache:port"),
            ("log_level", "thumbforge=hunter2"),
        ] {
            let sentence = judge(key, text).unwrap_err();
            assert!(!sentence.contains("hunter2"), "{text}: {sentence}");
        }
    }
}
