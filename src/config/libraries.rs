//! Lets the libraries that receive settings judge them at start, and not only at the first use.

use thumbforge_intake::settings::{
    DatabaseUrl, EXPECTED_FILTER, PostgresUrl, RedisUrl, log_filter,
};
use tracing_subscriber::EnvFilter;

use super::postgres_variables::PostgresVariables;

/// Asks the library that will use the setting of this key, if one will read its text anew.
pub(super) fn judge(key: &str, text: &str, variables: &PostgresVariables) -> Result<(), String> {
    match key {
        "database_url" => match text.parse()? {
            DatabaseUrl::Postgres(url) => postgres(&variables.complete(&url))
                .map_err(|sentence| format!("{sentence}{}", variables.hint(&url))),
            DatabaseUrl::Sqlite(_) => Ok(()),
        },
        "redis_url" if !text.is_empty() => redis(&text.parse()?),
        "log_level" => filter(&log_filter(text)?),
        _ => Ok(()),
    }
}

fn postgres(url: &str) -> Result<(), String> {
    let url: PostgresUrl = url.parse()?;
    let read: Result<tokio_postgres::Config, _> = url.base.parse();
    read.map(|_| ()).map_err(|error| {
        // It names the option whose value is wrong, and never the value.
        match std::error::Error::source(&error) {
            Some(cause) => format!("can't be read as a Postgres URL: {cause}"),
            None => "can't be read as a Postgres URL".to_owned(),
        }
    })
}

fn redis(url: &RedisUrl) -> Result<(), String> {
    redis::IntoConnectionInfo::into_connection_info(url.server())
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
            (
                "database_url",
                "postgres://u@a:5432,b:5433/n?target_session_attrs=read-write",
            ),
            ("redis_url", ""),
            ("redis_url", "rediss://:p@cache:6380/2"),
            ("redis_url", "unix:///run/redis.sock"),
            (
                "redis_url",
                "redis+sentinel://:p@a:26379,b:26379/mymaster/0",
            ),
            ("redis_url", "rediss+cluster://a:6379,b:6379"),
            ("log_level", "WARNING"),
            ("log_level", "info,thumbforge::worker=debug"),
            ("bind", "anything"),
        ] {
            let judged = judge(key, text, &PostgresVariables::default());
            assert_eq!(judged, Ok(()), "{key} {text}");
        }
    }

    #[test]
    fn what_a_client_can_not_read_is_refused_without_quoting_it() {
        for (key, text) in [
            ("database_url", "postgres:///n"),
            ("database_url", "postgres://u:hunter2@db:port/n"),
            ("database_url", "postgres://u:hunter2@db/n?hunter2=1"),
            ("database_url", "postgres://u:hunter2@db/n?sslmode=hunter2"),
            (
                "database_url",
                "postgres://u:hunter2@db/n?connect_timeout=hunter2",
            ),
            ("redis_url", "redis://:hunter2@cache/hunter2"),
            ("redis_url", "redis://:hunter2@cache:port"),
            ("log_level", "thumbforge=hunter2"),
        ] {
            let judged = judge(key, text, &PostgresVariables::default());
            let sentence = judged.unwrap_err();
            assert!(!sentence.contains("hunter2"), "{text}: {sentence}");
        }
    }
}
