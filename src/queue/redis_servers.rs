//! Finds the server that holds the list: the only one, the master that the sentinels name, or the
//! node of a cluster that serves the list's key.

use std::time::Duration;

use deadpool_redis::{Manager, Pool, Runtime, Timeouts};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo,
    RedisError,
};
use thumbforge_intake::settings::RedisKind;
use tokio::time::sleep;
use tokio_rustls::TlsConnector;

use super::QueueError;
use super::redis_answer::ANSWER_TIMEOUT;
use super::redis_link::{Address, Link};
use super::redis_settings::RedisSettings;

/// Each node is asked a little later than the one before, so that a silent one costs little.
const STAGGER: Duration = Duration::from_millis(100);
/// How many redirections are followed from one node of a cluster.
const MOST_REDIRECTIONS: usize = 3;

pub(super) struct Servers {
    kind: RedisKind,
    /// The server, or the nodes that know where it is.
    nodes: Vec<Address>,
    /// User, password and database of the server.
    login: RedisConnectionInfo,
    sentinel_login: Option<RedisConnectionInfo>,
    tls: Option<TlsConnector>,
    /// Of the only server, unless TLS leads to it.
    pool: Option<Pool>,
    key: String,
}

/// One connection waits for ids, one is for everything else, and others replace those that break.
const POOL_SIZE: usize = 6;

/// Blocking commands wait longer than any fixed limit: each call has its own.
fn pool_of(server: ConnectionInfo) -> Result<Pool, QueueError> {
    let unusable = |error: &dyn std::fmt::Display| QueueError::Url(error.to_string());
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(ANSWER_TIMEOUT))
        .set_response_timeout(None);
    let server = server.set_tcp_settings(TcpSettings::default().set_nodelay(true));
    let manager = Manager::new_with_config(server, config).map_err(|error| unusable(&error))?;
    Pool::builder(manager)
        .max_size(POOL_SIZE)
        .runtime(Runtime::Tokio1)
        .timeouts(Timeouts {
            wait: Some(ANSWER_TIMEOUT),
            create: Some(ANSWER_TIMEOUT),
            recycle: Some(ANSWER_TIMEOUT),
        })
        .build()
        .map_err(|error| unusable(&error))
}

impl Servers {
    pub(super) fn new(settings: &RedisSettings) -> Result<Self, QueueError> {
        let url = &settings.url;
        let info = url.server().into_connection_info();
        // Of the words of the client none is about the password.
        let info = info.map_err(|error| QueueError::Url(error.to_string()))?;
        let server = match info.addr() {
            ConnectionAddr::Tcp(host, port) => Address::Tcp(host.clone(), *port),
            ConnectionAddr::TcpTls { host, port, .. } => Address::Tcp(host.clone(), *port),
            ConnectionAddr::Unix(path) => Address::Socket(path.clone()),
            _ => return Err(QueueError::Url("it is of no known kind".to_owned())),
        };
        let named = url.nodes().iter();
        let named = named.map(|(host, port)| Address::Tcp(host.clone(), *port));
        let sentinel_login = url.sentinel_login().map(|(user, password)| {
            let login = RedisConnectionInfo::default().set_password(password);
            match user {
                Some(user) => login.set_username(user),
                None => login,
            }
        });
        let is_alone = *url.kind() == RedisKind::Server && !url.is_encrypted();
        Ok(Self {
            pool: match is_alone {
                true => Some(pool_of(info.clone())?),
                false => None,
            },
            nodes: match url.kind() {
                RedisKind::Server => vec![server],
                _ => named.collect(),
            },
            kind: url.kind().clone(),
            login: info.redis_settings().clone(),
            sentinel_login,
            tls: match url.is_encrypted() {
                true => Some(settings.connector()?),
                false => None,
            },
            key: settings.key.clone(),
        })
    }

    /// A new connection to the server that holds the list.
    ///
    /// # Errors
    /// Why no node led to it.
    pub(super) async fn link(&self) -> Result<Link, QueueError> {
        if let Some(pool) = &self.pool {
            return Link::from_pool(pool).await;
        }
        let mut asked: FuturesUnordered<_> = (0u32..)
            .zip(&self.nodes)
            .map(|(place, node)| async move {
                sleep(STAGGER * place).await;
                self.link_through(node).await
            })
            .collect();
        let mut told: Option<QueueError> = None;
        while let Some(linked) = asked.next().await {
            match linked {
                Ok(link) => return Ok(link),
                // A wrong setting tells more than a node that is away.
                Err(error) if told.as_ref().is_none_or(QueueError::is_unavailable) => {
                    told = Some(error);
                }
                Err(_) => {}
            }
        }
        Err(told.unwrap_or_else(|| QueueError::Url("it names no server".to_owned())))
    }

    async fn link_through(&self, node: &Address) -> Result<Link, QueueError> {
        match &self.kind {
            RedisKind::Server => self.open(node).await,
            RedisKind::Sentinel { service } => self.ask_sentinel(node, service).await,
            RedisKind::Cluster => self.ask_cluster(node).await,
        }
    }

    async fn open(&self, address: &Address) -> Result<Link, QueueError> {
        Link::open(address, &self.login, self.tls.as_ref()).await
    }

    /// As <https://redis.io/docs/latest/develop/reference/sentinel-clients/> wants it: the master's
    /// address from a sentinel, and its role from itself.
    async fn ask_sentinel(&self, sentinel: &Address, service: &str) -> Result<Link, QueueError> {
        let mut question = redis::cmd("SENTINEL");
        question.arg("GET-MASTER-ADDR-BY-NAME").arg(service);
        let tls = self.tls.as_ref();
        let without = RedisConnectionInfo::default();
        let login = self.sentinel_login.as_ref().unwrap_or(&without);
        let link = Link::open(sentinel, login, tls).await?;
        let mut answer = link.ask::<Option<(String, u16)>>(&question).await;
        if answer
            .as_ref()
            .is_err_and(|error| error.code() == Some("NOAUTH"))
            && self.login.password().is_some()
        {
            // Mostly the sentinels have the password of their servers.
            let login = without.set_password(self.login.password().unwrap_or_default());
            let link = Link::open(sentinel, &login, tls).await?;
            answer = link.ask(&question).await;
        }
        let Some((host, port)) = answer? else {
            return Err(QueueError::Unavailable(format!(
                "the sentinel knows no service {service:?}"
            )));
        };
        let link = self.open(&Address::Tcp(host, port)).await?;
        match link.ask::<Vec<redis::Value>>(&redis::cmd("ROLE")).await {
            Ok(role) if !is_master(&role) => Err(QueueError::Unavailable(
                "the server that the sentinel names is not the master yet".to_owned(),
            )),
            Err(error) if error.code() != Some("NOPERM") => Err(error.into()),
            _ => Ok(link),
        }
    }

    /// Any command with the key tells which node serves it.
    async fn ask_cluster(&self, node: &Address) -> Result<Link, QueueError> {
        let mut address = node.clone();
        let mut length = redis::cmd("LLEN");
        length.arg(&self.key);
        for _ in 0..=MOST_REDIRECTIONS {
            let link = self.open(&address).await?;
            match link.ask::<redis::Value>(&length).await {
                Err(error) if error.code() == Some("MOVED") => {
                    address = redirection(&error, &address)?;
                }
                // Whatever else is wrong, it is the node that serves the key.
                Err(error) if !matches!(error.code(), Some("WRONGTYPE" | "NOPERM")) => {
                    return Err(error.into());
                }
                _ => return Ok(link),
            }
        }
        Err(QueueError::Unavailable(
            "the nodes of the cluster send from one to another".to_owned(),
        ))
    }
}

fn is_master(role: &[redis::Value]) -> bool {
    let word = role.first().map(redis::from_redis_value_ref::<String>);
    matches!(word, Some(Ok(word)) if word == "master")
}

/// Where a `MOVED` leads to; without a host it is another port of the same one.
fn redirection(error: &RedisError, asked: &Address) -> Result<Address, QueueError> {
    let target = error.redirect_node().and_then(|(target, _)| {
        let (host, port) = target.rsplit_once(':')?;
        Some((host.to_owned(), port.parse().ok()?))
    });
    match (target, asked) {
        (Some((host, port)), Address::Tcp(same, _)) if host.is_empty() => {
            Ok(Address::Tcp(same.clone(), port))
        }
        (Some((host, port)), _) => Ok(Address::Tcp(host, port)),
        (None, _) => Err(QueueError::Unavailable(error.to_string())),
    }
}
