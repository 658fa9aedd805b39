//! Everything that a fault happens to: servers, folders, settings, and the processes' descriptions.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::ledger::Ledger;
use crate::load::Urls;
use crate::support::child_process::ChildProcess;
use crate::support::origin::{Origin, Reply};
use crate::support::postgres::Postgres;
use crate::support::receiver::{Manner, Receiver};
use crate::support::redis::Redis;
use crate::support::sentinels::Sentinels;

/// A server that only this test uses, or one that tests share because none of them harms it.
pub enum Server<T: 'static> {
    Own(Box<T>),
    Shared(&'static T),
}

impl<T> Deref for Server<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Self::Own(server) => server,
            Self::Shared(server) => server,
        }
    }
}

impl<T> Server<T> {
    /// For faults that restart it.
    pub fn own(&mut self) -> &mut T {
        match self {
            Self::Own(server) => server,
            Self::Shared(_) => panic!("others use this server"),
        }
    }
}

pub const LEASE: Duration = Duration::from_secs(2);

/// Only in the statement that writes a new job of a small image to Postgres, or the end of an
/// attempt at one: the statements are prepared, so that only their values are on the wire.
pub const WRITES: &[u8] = b"/small.jpg";
/// Only in the statement that writes that an attempt has completed.
pub const COMPLETIONS: &[u8] = b"thumbnail_path";

pub struct Stage {
    pub postgres: Option<Server<Postgres>>,
    pub redis: Option<Server<Redis>>,
    /// Instead of one Redis.
    pub sentinels: Option<Sentinels>,
    pub key: String,
    pub ledger: Ledger,
    pub origin: Origin,
    /// What is told what happens; its webhook is there unless an earlier version made the schema.
    pub receiver: Receiver,
    pub is_told: bool,
    pub storage: PathBuf,
    environment: Vec<(String, String)>,
    folder: tempfile::TempDir,
}

impl Stage {
    /// On servers that no other test disturbs.
    pub async fn shared() -> Self {
        Self::on(
            Server::Shared(Postgres::shared()),
            Server::Shared(Redis::shared()),
        )
        .await
    }

    /// With a Redis of its own.
    pub async fn own_redis() -> Self {
        let redis = Server::Own(Box::new(Redis::start()));
        Self::on(Server::Shared(Postgres::shared()), redis).await
    }

    /// With a master of Redis, its replica and the sentinels that watch both.
    pub async fn sentinels() -> Self {
        let mut stage = Self::shared().await;
        let sentinels = Sentinels::start();
        stage.set("THUMBFORGE_REDIS_URL", &sentinels.url());
        stage.redis = None;
        stage.sentinels = Some(sentinels);
        stage
    }

    /// With a Postgres of its own.
    pub async fn own_postgres() -> Self {
        let postgres = Server::Own(Box::new(Postgres::start()));
        Self::on(postgres, Server::Shared(Redis::shared())).await
    }

    /// With both of its own.
    pub async fn own_servers() -> Self {
        let postgres = Server::Own(Box::new(Postgres::start()));
        Self::on(postgres, Server::Own(Box::new(Redis::start()))).await
    }

    /// On shared servers, with the schema of another binary.
    pub async fn of_an_earlier_version(binary: &Path) -> Self {
        let (postgres, redis) = (Postgres::shared(), Redis::shared());
        let stage = Self::without_schema(Server::Shared(postgres), Server::Shared(redis)).await;
        stage.make_schema_with(Some(binary));
        stage
    }

    async fn on(postgres: Server<Postgres>, redis: Server<Redis>) -> Self {
        let mut stage = Self::without_schema(postgres, redis).await;
        stage.make_schema();
        stage
    }

    async fn without_schema(postgres: Server<Postgres>, redis: Server<Redis>) -> Self {
        let url = postgres.new_database();
        let (_, database) = url.rsplit_once('/').expect("a URL");
        let ledger = Ledger::Postgres {
            database: database.to_owned(),
        };
        let mut stage = Self::bare(ledger).await;
        stage.set("THUMBFORGE_DATABASE_URL", &url);
        stage.set("THUMBFORGE_REDIS_URL", &redis.url());
        stage.postgres = Some(postgres);
        stage.redis = Some(redis);
        stage
    }

    /// SQLite and the queue inside the process.
    pub async fn sqlite() -> Self {
        let mut stage = Self::bare(Ledger::Sqlite(PathBuf::new())).await;
        let file = stage.folder.path().join("thumbforge.db");
        stage.set(
            "THUMBFORGE_DATABASE_URL",
            &format!("sqlite://{}", file.display()),
        );
        stage.ledger = Ledger::Sqlite(file);
        stage.make_schema();
        stage
    }

    async fn bare(ledger: Ledger) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("thumbforge-faults-")
            .tempdir()
            .expect("a temporary folder");
        let storage = folder.path().join("thumbnails");
        let key = Redis::new_key();
        let settings = [
            ("QUEUE_NAME", key.as_str()),
            ("STORAGE_PATH", storage.to_str().expect("a plain path")),
            ("ALLOWED_SOURCE_NETWORKS", "127.0.0.0/8"),
            ("ALLOWED_SOURCE_PORTS", "*"),
            ("ALLOWED_WEBHOOK_NETWORKS", "127.0.0.0/8"),
            ("ALLOWED_WEBHOOK_PORTS", "*"),
            ("LEASE_SECONDS", "2"),
            ("WORKER_POLL_TIMEOUT", "1"),
            ("WORKER_CONCURRENCY", "8"),
            ("CPU_THREADS", "1"),
            ("THUMBNAIL_SIZE", "64"),
        ];
        let environment = settings
            .iter()
            .map(|(name, value)| (format!("THUMBFORGE_{name}"), (*value).to_owned()))
            .collect();
        let origin = Origin::start().await;
        origin.on("/small.jpg", vec![image_reply(120, 90)]);
        Self {
            postgres: None,
            redis: None,
            sentinels: None,
            key,
            ledger,
            origin,
            receiver: Receiver::start(Manner::Answers(200, "")).await,
            is_told: false,
            storage,
            environment,
            folder,
        }
    }

    /// A setting of all processes described from now on; the last value counts.
    pub fn set(&mut self, variable: &str, value: &str) {
        self.environment
            .push((variable.to_owned(), value.to_owned()));
    }

    /// Leaves a setting of the stage at its default.
    pub fn unset(&mut self, variable: &str) {
        self.environment.retain(|(name, _)| name != variable);
    }

    /// What only the file can set; the processes start in the stage's folder.
    pub fn write_settings_file(&self, toml: &str) {
        std::fs::write(self.folder.path().join("thumbforge.toml"), toml).expect("our own folder");
    }

    /// A process of this stage, not started yet.
    pub fn process(&self, command: &'static str, name: &str) -> ChildProcess {
        ChildProcess::new(command, name, self.folder.path(), &self.environment)
    }

    /// The same, which reaches Postgres through another port (a proxy).
    pub fn process_through_postgres(
        &self,
        command: &'static str,
        name: &str,
        port: u16,
    ) -> ChildProcess {
        let mut process = self.process(command, name);
        process.set("THUMBFORGE_DATABASE_URL", &self.postgres_url(port));
        process
    }

    pub fn postgres_url(&self, port: u16) -> String {
        match &self.ledger {
            Ledger::Postgres { database } => self.postgres().url(database, port),
            Ledger::Sqlite(_) => panic!("no Postgres here"),
        }
    }

    pub fn postgres(&self) -> &Postgres {
        self.postgres.as_deref().expect("a Postgres")
    }

    /// The Redis, or the present master.
    pub fn redis(&self) -> &Redis {
        match &self.sentinels {
            Some(sentinels) => sentinels.master_server(),
            None => self.redis.as_deref().expect("a Redis"),
        }
    }

    pub fn own_sentinels(&mut self) -> &mut Sentinels {
        self.sentinels.as_mut().expect("sentinels")
    }

    pub fn own_postgres_server(&mut self) -> &mut Postgres {
        self.postgres.as_mut().expect("a Postgres").own()
    }

    pub fn own_redis_server(&mut self) -> &mut Redis {
        self.redis.as_mut().expect("a Redis").own()
    }

    fn make_schema(&mut self) {
        self.make_schema_with(None);
        let url = self.receiver.url();
        self.ledger.add_webhook(self.postgres.as_deref(), &url);
        self.is_told = true;
    }

    /// Brings the schema up to date.
    pub fn migrate(&self) {
        let (code, output) = ChildProcess::run("init-db", self.folder.path(), &self.environment);
        assert_eq!(code, Some(0), "{output}");
    }

    fn make_schema_with(&self, binary: Option<&Path>) {
        match binary {
            None => self.migrate(),
            Some(binary) => {
                let folder = self.folder.path();
                let (code, output) =
                    ChildProcess::run_of(binary, "init-db", folder, &self.environment);
                assert_eq!(code, Some(0), "{output}");
            }
        }
        self.ledger.keep_history(self.postgres.as_deref());
    }

    /// Runs a query whose only column is a text named `line`.
    pub fn lines(&self, sql: &str) -> Vec<String> {
        self.ledger.lines(self.postgres.as_deref(), sql)
    }

    /// Lets the planner know how many rows there are: without that, joins of thousands of rows
    /// take minutes, and hold up what else runs.
    pub fn analyze(&self) {
        self.lines("ANALYZE");
    }

    /// A query that gives one number.
    pub fn count(&self, sql: &str) -> usize {
        let lines = self.lines(&format!("SELECT CAST(({sql}) AS text) AS line"));
        lines[0].parse().expect("a number")
    }

    pub fn status(&self, id: &str) -> String {
        let sql = format!("SELECT status AS line FROM jobs WHERE id = '{id}'");
        self.lines(&sql).first().cloned().unwrap_or_default()
    }

    /// How many of these jobs the database knows.
    pub fn known(&self, ids: &[String]) -> usize {
        let ids = ids.join("','");
        self.count(&format!("SELECT count(*) FROM jobs WHERE id IN ('{ids}')"))
    }

    /// Distinct URLs of one small image.
    pub fn small_urls(&self) -> Urls {
        let base = self.origin.url("/small.jpg");
        Box::new(move |n| format!("{base}?n={n}"))
    }

    /// Every file in the storage except the temporary ones and the owner's, by its path in it.
    pub fn stored_files(&self) -> Vec<String> {
        let mut folders = vec![self.storage.clone()];
        let mut files = Vec::new();
        while let Some(folder) = folders.pop() {
            // A worker may just remove it.
            let Ok(entries) = std::fs::read_dir(&folder) else {
                continue;
            };
            for path in entries.map(|entry| entry.expect("readable").path()) {
                let name = path.strip_prefix(&self.storage).expect("in the storage");
                let name = name.to_str().expect("our own names").to_owned();
                match name.as_str() {
                    ".tmp" | ".owner" => {}
                    _ if path.is_dir() => folders.push(path),
                    _ => files.push(name),
                }
            }
        }
        files
    }

    /// Ids in the Redis list.
    pub fn queue_length(&self) -> usize {
        let mut connection = self.redis().connection();
        ::redis::cmd("LLEN")
            .arg(&self.key)
            .query(&mut connection)
            .expect("Redis answers")
    }
}

/// A JPEG with some texture.
pub fn jpeg(width: u16, height: u16) -> Vec<u8> {
    let picture = crate::support::images::picture(width.into(), height.into(), 7);
    let mut bytes = Vec::new();
    jpeg_encoder::Encoder::new(&mut bytes, 90)
        .encode(&picture, width, height, jpeg_encoder::ColorType::Rgb)
        .expect("the picture can be written");
    bytes
}

pub fn image_reply(width: u16, height: u16) -> Reply {
    Reply::body("image/jpeg", jpeg(width, height))
}
