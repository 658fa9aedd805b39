//! URLs of Redis that name several nodes, which the `url` crate can't read:
//! `redis+sentinel://[USER:PASSWORD@]HOST[:PORT],…/SERVICE[/DB]` and
//! `redis+cluster://[USER:PASSWORD@]HOST[:PORT],…`, as several libraries for Python write them.

use super::postgres_url::{ENCODE, decoded};
use super::redis_url::{RedisKind, RedisUrl};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nodes {
    Sentinels,
    OfCluster,
}

impl Nodes {
    const fn word(self) -> &'static str {
        match self {
            Self::Sentinels => "sentinel",
            Self::OfCluster => "cluster",
        }
    }

    const fn default_port(self) -> u16 {
        match self {
            Self::Sentinels => 26379,
            Self::OfCluster => 6379,
        }
    }
}

/// Reads what follows `://`; `scheme` is that of each server.
///
/// # Errors
/// A sentence that quotes nothing of the URL.
pub(super) fn with_nodes(of: Nodes, scheme: &str, rest: &str) -> Result<RedisUrl, String> {
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = place.split_once('/').unwrap_or((place, ""));
    if authority.matches('@').count() > 1 || path.contains('@') || query.contains('@') {
        return Err(ENCODE.to_owned());
    }
    let (login, hosts) = match authority.split_once('@') {
        Some((login, hosts)) => (format!("{login}@"), hosts),
        None => (String::new(), authority),
    };
    let nodes = hosts
        .split(',')
        .map(|text| node(text, of))
        .collect::<Result<Vec<_>, _>>()?;
    let (kind, database) = path_of(of, path)?;
    let options = options(of, query)?;
    let server = format!(
        "{scheme}://{login}{}/{database}{}",
        hosts.split(',').next().unwrap_or_default(),
        options
            .protocol
            .map_or(String::new(), |protocol| format!("?protocol={protocol}"))
    );
    let hidden = match login.split_once(':') {
        Some((user, _)) => format!("{user}:***@"),
        None => login,
    };
    let shown = format!("{scheme}+{}://{hidden}{hosts}/{path}", of.word());
    let sentinel_login = options
        .password
        .map(|password| (options.user.filter(|user| !user.is_empty()), password));
    Ok(RedisUrl::of_nodes(
        shown,
        kind,
        server,
        nodes,
        sentinel_login,
    ))
}

fn node(text: &str, of: Nodes) -> Result<(String, u16), String> {
    let (host, after) = match text.strip_prefix('[') {
        Some(literal) => literal
            .split_once(']')
            .ok_or("an IPv6 address stands in brackets, e.g. [::1]:6379".to_owned())?,
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    if host.is_empty() {
        return Err("expected hosts separated by commas, each with its port".to_owned());
    }
    let port = match after.strip_prefix(':') {
        None if after.is_empty() => of.default_port(),
        // What was taken for a port may be the rest of a password.
        after => after
            .and_then(|port| port.parse().ok())
            .filter(|port| *port > 0)
            .ok_or_else(|| format!("a port must be a number from 1 to 65535, and {ENCODE}"))?,
    };
    Ok((decoded(host)?, port))
}

/// What the path says, and the number of the database.
fn path_of(of: Nodes, path: &str) -> Result<(RedisKind, u32), String> {
    let path = path.trim_end_matches('/');
    let number = |text: &str| match text {
        "" => Ok(0),
        text => text
            .parse::<u32>()
            .map_err(|_| "the database of Redis is a number, e.g. 0".to_owned()),
    };
    match of {
        Nodes::OfCluster => match number(path)? {
            0 => Ok((RedisKind::Cluster, 0)),
            _ => Err("a Redis Cluster has no database but 0".to_owned()),
        },
        Nodes::Sentinels => {
            let (service, database) = path.split_once('/').unwrap_or((path, ""));
            if service.is_empty() {
                return Err(
                    "the URL of sentinels names the service that they watch, e.g. \
                     redis+sentinel://HOST:26379/mymaster/0"
                        .to_owned(),
                );
            }
            let service = decoded(service)?;
            Ok((RedisKind::Sentinel { service }, number(database)?))
        }
    }
}

#[derive(Default)]
struct Options {
    user: Option<String>,
    password: Option<String>,
    protocol: Option<&'static str>,
}

fn options(of: Nodes, query: &str) -> Result<Options, String> {
    let mut read = Options::default();
    for option in query.split('&').filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        match (of, name) {
            (Nodes::Sentinels, "sentinel_username") => read.user = Some(decoded(value)?),
            (Nodes::Sentinels, "sentinel_password") => read.password = Some(decoded(value)?),
            (_, "protocol") if value == "2" => read.protocol = Some("resp2"),
            (_, "protocol") if value == "3" => read.protocol = Some("resp3"),
            (Nodes::Sentinels, _) => {
                return Err("after ? a URL of sentinels may have sentinel_username, \
                     sentinel_password, and protocol=2 or 3"
                    .to_owned());
            }
            (Nodes::OfCluster, _) => {
                return Err("after ? a URL of a cluster may have protocol=2 or 3".to_owned());
            }
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<RedisUrl, String> {
        text.parse()
    }

    #[test]
    fn sentinels_have_a_service_and_maybe_a_database() {
        let url = read("redis+sentinel://:hunter2@a:1,b,[::1]:3/my%20master/2").unwrap();
        let service = "my master".to_owned();
        assert_eq!(url.kind(), &RedisKind::Sentinel { service });
        let nodes =
            [("a", 1), ("b", 26379), ("::1", 3)].map(|(host, port)| (host.to_owned(), port));
        assert_eq!(url.nodes(), nodes);
        assert_eq!(url.server(), "redis://:hunter2@a:1/2");
        assert_eq!(
            url.to_string(),
            "redis+sentinel://:***@a:1,b,[::1]:3/my%20master/2"
        );
        assert_eq!(url.sentinel_login(), None);
        let url = read("rediss+sentinel://a/m?sentinel_username=u&sentinel_password=p%40").unwrap();
        assert_eq!(url.server(), "rediss://a/0");
        assert_eq!(url.sentinel_login(), Some((Some("u"), "p@")));
    }

    #[test]
    fn a_cluster_has_nodes_alone() {
        let url = read("rediss+cluster://u:hunter2@a:7000,b").unwrap();
        assert_eq!(url.kind(), &RedisKind::Cluster);
        assert_eq!(
            url.nodes(),
            [("a".to_owned(), 7000), ("b".to_owned(), 6379)]
        );
        assert_eq!(url.server(), "rediss://u:hunter2@a:7000/0");
        assert!(!format!("{url:?}").contains("hunter2"));
        assert!(read("redis+cluster://a/0?protocol=3").is_ok());
    }

    #[test]
    fn what_does_not_fit_is_told_without_quoting_it() {
        for text in [
            "redis+sentinel://:hunter2@a:1",
            "redis+sentinel://:hunter2@a:1/",
            "redis+sentinel://:hunter2@a:1/m/hunter2",
            "redis+sentinel://:hunter2@x@a:1/m",
            "redis+sentinel://:hunter2/x@a:1/m",
            "redis+sentinel://a:hunter2/m",
            "redis+sentinel://a/m?hunter2=1",
            "redis+sentinel://a,,b/m",
            "redis+cluster://a:7000/1",
            "redis+cluster://a?hunter2=1",
            "redis+cluster://",
        ] {
            let sentence = read(text).unwrap_err();
            assert!(!sentence.contains("hunter2"), "{text}: {sentence}");
        }
    }
}
