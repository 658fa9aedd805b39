//! The place of the database, in the forms that people have at hand.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::postgres_url::{self, PostgresUrl};

/// A checked `DATABASE_URL`.
///
/// `Debug` and `Display` hide the password; only the variant's content has it.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// The database file; relative paths count from the working directory.
    Sqlite(PathBuf),
    /// A `postgres://` URL that [`PostgresUrl`] can read.
    Postgres(String),
}

const EXPECTED: &str = "expected sqlite://FILE or postgres://USER:PASSWORD@HOST:PORT/NAME";

impl FromStr for DatabaseUrl {
    /// A sentence that never quotes the URL, because it may hold a password.
    type Err = String;

    /// Reads `sqlite://relative`, `sqlite:///absolute`, `postgres://…` and `postgresql://…`, and
    /// SQLAlchemy's forms with a driver: `postgresql+asyncpg://…`, and
    /// `sqlite+aiosqlite:///relative`, where, as in SQLAlchemy, only a fourth slash makes the path
    /// absolute.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = text.split_once("://").ok_or(EXPECTED)?;
        let (dialect, driver) = match scheme.split_once('+') {
            Some((dialect, driver)) => (dialect, Some(driver)),
            None => (scheme, None),
        };
        match dialect.to_ascii_lowercase().as_str() {
            "sqlite" if driver.is_some() => sqlite(rest.strip_prefix('/').unwrap_or(rest)),
            "sqlite" => sqlite(rest),
            "postgres" | "postgresql" => postgres(rest),
            _ => Err(EXPECTED.to_owned()),
        }
    }
}

fn sqlite(path: &str) -> Result<DatabaseUrl, String> {
    if path.contains(":memory:") || path.contains("mode=memory") {
        return Err(
            "an in-memory SQLite database would lose every job at a restart; \
                    name a file, e.g. sqlite://storage/thumbforge.db"
                .to_owned(),
        );
    }
    if path.contains('?') {
        return Err("options after ? are not supported in a sqlite:// URL".to_owned());
    }
    // `sqlite:///./jobs.db` is SQLAlchemy's relative path; it never means `/./jobs.db`.
    let path = match path.strip_prefix('/') {
        Some(relative) if relative.starts_with("./") || relative.starts_with("../") => relative,
        _ => path,
    };
    if path.is_empty() || path.ends_with('/') {
        return Err("the sqlite:// URL names no file, e.g. sqlite://storage/thumbforge.db".into());
    }
    Ok(DatabaseUrl::Sqlite(PathBuf::from(path)))
}

fn postgres(rest: &str) -> Result<DatabaseUrl, String> {
    if rest.is_empty() {
        return Err("the Postgres URL names no host".to_owned());
    }
    let url = format!("postgres://{rest}");
    url.parse::<PostgresUrl>()?;
    Ok(DatabaseUrl::Postgres(url))
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Postgres(url) => f.write_str(&postgres_url::redacted(url)),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> Result<DatabaseUrl, String> {
        Ok(DatabaseUrl::Sqlite(PathBuf::from(path)))
    }

    #[test]
    fn sqlite_paths_are_relative_or_absolute() {
        for (text, path) in [
            ("sqlite://storage/thumbforge.db", "storage/thumbforge.db"),
            ("sqlite:///var/lib/jobs.db", "/var/lib/jobs.db"),
            ("sqlite:///./jobs.db", "./jobs.db"),
            ("sqlite+aiosqlite:///jobs.db", "jobs.db"),
            ("sqlite+aiosqlite:////var/jobs.db", "/var/jobs.db"),
        ] {
            assert_eq!(text.parse(), file(path), "{text}");
        }
    }

    #[test]
    fn a_database_in_memory_is_refused_because_it_loses_jobs() {
        for text in [
            "sqlite://:memory:",
            "sqlite:///:memory:",
            "sqlite+aiosqlite:///:memory:",
            "sqlite://file:x?mode=memory",
        ] {
            let sentence = text.parse::<DatabaseUrl>().unwrap_err();
            assert!(sentence.contains("lose every job"), "{text}: {sentence}");
        }
    }

    #[test]
    fn every_form_of_a_postgres_url_becomes_one() {
        for scheme in [
            "postgres",
            "postgresql",
            "postgresql+asyncpg",
            "postgresql+psycopg",
        ] {
            assert_eq!(
                format!("{scheme}://u:p@db:5432/n").parse(),
                Ok(DatabaseUrl::Postgres("postgres://u:p@db:5432/n".into()))
            );
        }
        assert_eq!(
            "postgresql+asyncpg://u:p@db/n?ssl=require".parse(),
            Ok(DatabaseUrl::Postgres(
                "postgres://u:p@db/n?ssl=require".into()
            ))
        );
        for mode in [
            "disable",
            "allow",
            "prefer",
            "require",
            "verify-ca",
            "verify-full",
        ] {
            let url = format!("postgres://u@db/n?sslmode={mode}");
            assert_eq!(url.parse(), Ok(DatabaseUrl::Postgres(url)));
        }
        assert!("postgres:///n?host=/run/pg".parse::<DatabaseUrl>().is_ok());
    }

    #[test]
    fn wrong_urls_are_refused_without_quoting_the_password() {
        for text in [
            "",
            "thumbforge.db",
            "sqlite://",
            "sqlite:///",
            "mysql://u:hunter2@db/n",
            "postgres://",
            "postgres:///n",
            "postgres://u:hunter2@x@db/n",
            "postgres://u:hunter2@db/n?frobnicate=hunter2",
        ] {
            let sentence = text.parse::<DatabaseUrl>().unwrap_err();
            assert!(!sentence.contains("hunter2"), "{text}: {sentence}");
        }
    }

    #[test]
    fn printing_hides_the_password() {
        let url: DatabaseUrl = "postgres://u:hunter2@db:5432/n?password=hunter2"
            .parse()
            .unwrap();
        assert_eq!(url.to_string(), "postgres://u:***@db:5432/n");
        let url: DatabaseUrl = "postgres://u:hunter2@a:1,b:2/n".parse().unwrap();
        assert_eq!(url.to_string(), "postgres://u:***@a:1,b:2/n");
        assert!(!format!("{url:?}").contains("hunter2"));
    }
}
