//! A master of Redis, its replica, and the sentinels that watch both.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::deadline::eventually_blocking;
use super::redis::{Redis, program};
use super::server_process::{ServerProcess, free_port};

/// What the sentinels call the service.
pub const SERVICE: &str = "themaster";

pub struct Sentinels {
    /// In the beginning the first is the master.
    pub servers: Vec<Redis>,
    sentinels: Vec<Sentinel>,
    folder: PathBuf,
}

struct Sentinel {
    process: ServerProcess,
    port: u16,
    password: Option<&'static str>,
}

impl Sentinels {
    /// Two servers and three sentinels, which take a server for dead after one second.
    pub fn start() -> Self {
        Self::start_with(None)
    }

    /// Servers and sentinels ask for this password.
    pub fn with_password(password: &'static str) -> Self {
        Self::start_with(Some(password))
    }

    fn start_with(password: Option<&'static str>) -> Self {
        let login = password.map(|password| ["--masterauth", password]);
        let login = login.as_ref().map_or(&[][..], |login| &login[..]);
        let master = Redis::start_with(password, login);
        let port = master.port.to_string();
        let follows = ["--replicaof", "127.0.0.1", &port];
        let replica = Redis::start_with(password, &[&follows, login].concat());
        let folder = tempfile::Builder::new()
            .prefix("thumbforge-sentinels-")
            .tempdir()
            .expect("a temporary folder")
            .keep();
        let sentinels = (0..3)
            .map(|_| Sentinel::launch(&folder, master.port, password))
            .collect();
        let all = Self {
            servers: vec![master, replica],
            sentinels,
            folder,
        };
        eventually_blocking("the sentinels know all", Duration::from_secs(30), || {
            all.sentinels.iter().all(Sentinel::knows_all)
        });
        all
    }

    /// `redis+sentinel://` with all sentinels.
    pub fn url(&self) -> String {
        let places = self
            .sentinels
            .iter()
            .map(|sentinel| format!("127.0.0.1:{}", sentinel.port));
        let places: Vec<_> = places.collect();
        format!("redis+sentinel://{}/{SERVICE}/0", places.join(","))
    }

    /// The port of the server that all sentinels name.
    pub fn master(&self) -> Option<u16> {
        let mut named = self.sentinels.iter().map(Sentinel::named);
        let first = named.next()??;
        named.all(|other| other == Some(first)).then_some(first)
    }

    /// The server that all sentinels name; waits until they agree.
    pub fn master_server(&self) -> &Redis {
        let mut found = None;
        eventually_blocking("the sentinels agree", Duration::from_secs(30), || {
            let port = self.master();
            found = self.servers.iter().find(|server| Some(server.port) == port);
            found.is_some()
        });
        found.expect("it was found")
    }

    /// Kills the master; returns its port.
    pub fn kill_master(&mut self) -> u16 {
        let port = self.master_server().port;
        self.server(port).kill();
        port
    }

    /// Starts a killed server again, and waits until it is the replica of the present master.
    pub fn restart(&mut self, port: u16) {
        let server = self.server(port);
        server.restart();
        eventually_blocking("it is a replica", Duration::from_secs(60), || {
            let told = role_of(server);
            told.contains("role:slave") && told.contains("master_link_status:up")
        });
        let good = Duration::from_secs(30);
        eventually_blocking("the sentinels know it again", good, || {
            self.sentinels.iter().all(Sentinel::knows_all)
        });
    }

    fn server(&mut self, port: u16) -> &mut Redis {
        let mut servers = self.servers.iter_mut();
        servers
            .find(|server| server.port == port)
            .expect("one of ours")
    }

    /// Stops a sentinel for good.
    pub fn end_sentinel(&mut self, place: usize) {
        self.sentinels[place].process.end();
    }

    /// Has the sentinels exchange the roles of the servers while both live, and waits until each
    /// server has its new one.
    pub fn exchange(&self) {
        let old = self.master_server();
        let before = Some(old.port);
        let mut connection = self.sentinels[0].connection().expect("a sentinel answers");
        // Right after an election there may be none that is fit (`NOGOODSLAVE`).
        eventually_blocking("the sentinel obeys", Duration::from_secs(30), || {
            let asked = redis::cmd("SENTINEL")
                .arg("FAILOVER")
                .arg(SERVICE)
                .exec(&mut connection);
            asked.is_ok()
        });
        eventually_blocking("the roles are exchanged", Duration::from_secs(30), || {
            let master = self.master();
            master.is_some() && master != before
        });
        eventually_blocking(
            "the old master is a replica",
            Duration::from_secs(60),
            || role_of(old).contains("role:slave"),
        );
    }
}

impl Drop for Sentinels {
    fn drop(&mut self) {
        for sentinel in &mut self.sentinels {
            sentinel.process.end();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Sentinel {
    fn launch(folder: &Path, master: u16, password: Option<&'static str>) -> Self {
        let port = free_port();
        let own = folder.join(port.to_string());
        std::fs::create_dir(&own).expect("our own folder");
        let file = own.join("sentinel.conf");
        let mut lines = vec![
            format!("port {port}"),
            "bind 127.0.0.1".to_owned(),
            format!("dir {}", own.display()),
            format!("sentinel monitor {SERVICE} 127.0.0.1 {master} 2"),
            format!("sentinel down-after-milliseconds {SERVICE} 1000"),
            format!("sentinel failover-timeout {SERVICE} 3000"),
        ];
        if let Some(password) = password {
            lines.push(format!("sentinel auth-pass {SERVICE} {password}"));
            lines.push(format!("requirepass {password}"));
        }
        std::fs::write(&file, lines.join("\n")).expect("our own folder");
        let arguments = [file.display().to_string(), "--sentinel".to_owned()];
        Self {
            process: ServerProcess::start(&program(), &arguments, &own, None, "KILL"),
            port,
            password,
        }
    }

    fn connection(&self) -> redis::RedisResult<redis::Connection> {
        let login = self.password.map(|password| format!(":{password}@"));
        let login = login.unwrap_or_default();
        redis::Client::open(format!("redis://{login}127.0.0.1:{}/", self.port))?.get_connection()
    }

    /// The port of the master that it names.
    fn named(&self) -> Option<u16> {
        let (_, port): (String, u16) = redis::cmd("SENTINEL")
            .arg("GET-MASTER-ADDR-BY-NAME")
            .arg(SERVICE)
            .query(&mut self.connection().ok()?)
            .ok()?;
        Some(port)
    }

    /// It has to have met the two others and the replica before it may elect.
    fn knows_all(&self) -> bool {
        let count = |what: &str| -> usize {
            let Ok(mut connection) = self.connection() else {
                return 0;
            };
            let listed: redis::RedisResult<Vec<redis::Value>> = redis::cmd("SENTINEL")
                .arg(what)
                .arg(SERVICE)
                .query(&mut connection);
            listed.map_or(0, |listed| listed.len())
        };
        count("SENTINELS") == 2 && count("REPLICAS") == 1
    }
}

/// Nothing where the sentinels have just cut our connection off, with all others.
fn role_of(server: &Redis) -> String {
    let told = redis::cmd("INFO")
        .arg("replication")
        .query(&mut server.connection());
    told.unwrap_or_default()
}
