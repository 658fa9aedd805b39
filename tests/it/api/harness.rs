//! The API in this process, on a free port, with a database of the test's own.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use thumbforge::db::{ClaimSource, Database};
use thumbforge::domain::{
    Claim, DuplicateHandling, JobId, JobResult, Outcome, SourceUrl, ThumbnailInfo, VariantRecord,
};
use thumbforge::http::{ApiSettings, ApiState, LiveKeys, Pace, Probe, run};
use thumbforge::queue::{MemoryQueue, Queue};
use thumbforge::storage::{NewFile, Storage, TemporaryFile, first_path};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::database::Fixture;
use crate::support::http_client::{Answer, request};

pub const JSON: (&str, &str) = ("Content-Type", "application/json");

pub struct Api {
    pub address: SocketAddr,
    pub database: Database,
    pub queue: Queue,
    pub storage: Storage,
    pub folder: tempfile::TempDir,
    /// Keeps the folder of the database, where nothing else does.
    _fixture: Option<Fixture>,
    shutdown: Option<oneshot::Sender<()>>,
    server: tokio::task::JoinHandle<std::io::Result<()>>,
}

pub fn settings() -> ApiSettings {
    ApiSettings {
        duplicate_handling: DuplicateHandling::AllowRetry,
        presets: BTreeMap::new(),
        default_page_size: 20,
        max_page_size: 100,
        max_pending: None,
        api_keys: LiveKeys::default(),
        rate_limit_per_key: None,
        cors_origins: Vec::new(),
        public_url: None,
        trusted_proxies: Vec::new(),
        max_connections: 10_000,
        pace: Pace::default(),
    }
}

/// Refuses one host.
fn source_check(url: &SourceUrl) -> Result<(), String> {
    match url.as_url().host_str() {
        Some("forbidden.example") => Err("the host is not a public host name".to_owned()),
        _ => Ok(()),
    }
}

impl Api {
    pub async fn start(fixture: &Fixture) -> Self {
        Self::start_with(fixture, settings()).await
    }

    pub async fn start_with(fixture: &Fixture, settings: ApiSettings) -> Self {
        let queue = Queue::Memory(MemoryQueue::default());
        Self::serve(fixture.open().await, queue, settings, None)
    }

    /// For tests to which the database does not matter.
    pub async fn on_sqlite(settings: ApiSettings) -> Self {
        let fixture = Fixture::sqlite();
        let mut api = Self::start_with(&fixture, settings).await;
        api._fixture = Some(fixture);
        api
    }

    pub fn serve(
        database: Database,
        queue: Queue,
        settings: ApiSettings,
        workers: Option<Probe>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::open(&folder.path().join("thumbnails")).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut state = ApiState::new(
            database.clone(),
            queue.clone(),
            storage.clone(),
            Arc::new(source_check),
            settings,
        )
        .with_pages(thumbforge::ui::pages(true));
        if let Some(workers) = workers {
            state = state.with_workers(workers, Vec::new());
        }
        let (shutdown, asked) = oneshot::channel::<()>();
        let stop = async move {
            let _ = asked.await;
        };
        let numbered = database.clone();
        // As every process does.
        tokio::spawn(async move {
            loop {
                let _ = numbered.number_events().await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let server = tokio::spawn(run(listener, state, stop, Duration::from_secs(10)));
        Self {
            address,
            database,
            queue,
            storage,
            folder,
            _fixture: None,
            shutdown: Some(shutdown),
            server,
        }
    }

    pub async fn get(&self, target: &str) -> Answer {
        request(self.address, "GET", target, &[], b"").await
    }

    pub async fn get_with(&self, target: &str, headers: &[(&str, &str)]) -> Answer {
        request(self.address, "GET", target, headers, b"").await
    }

    pub async fn post(&self, body: &str) -> Answer {
        request(self.address, "POST", "/v1/images", &[JSON], body.as_bytes()).await
    }

    pub async fn submit(&self, url: &str) -> Answer {
        self.post(&serde_json::json!({ "url": url }).to_string())
            .await
    }

    /// Submits and returns the new job's id.
    pub async fn accepted(&self, url: &str) -> JobId {
        let answer = self.submit(url).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.json()["id"].as_str().unwrap().parse().unwrap()
    }

    /// Claims this job, wherever it stands among those of its origin.
    pub async fn claimed(&self, id: JobId) -> Claim {
        let job = self.database.find(id).await.unwrap().expect("a job");
        let origin = SourceUrl::parse(&job.url).unwrap().origin();
        let source = ClaimSource::Origins(vec![(origin, 1000)]);
        let lease = Duration::from_secs(30);
        let claimed = self
            .database
            .claim(source, Uuid::now_v7(), lease)
            .await
            .unwrap();
        let (wanted, others): (Vec<_>, Vec<_>) =
            claimed.claims.into_iter().partition(|claim| claim.id == id);
        for claim in others {
            let released = Outcome::Released {
                delay: Duration::ZERO,
            };
            assert!(self.database.finish(&claim, &released).await.unwrap());
        }
        wanted.into_iter().next().expect("a pending job")
    }

    /// Does what a worker does, with `jpeg` for the thumbnail.
    pub async fn complete(&self, id: JobId, jpeg: &[u8]) {
        let path = first_path(id, "jpg");
        let bytes = jpeg.to_vec();
        let claim = self.claimed(id).await;
        self.publish(&claim, vec![NewFile { path, bytes }], Vec::new())
            .await;
    }

    /// Publishes `files`, the first one first, and completes the job with this record of its
    /// variants.
    pub async fn publish(&self, claim: &Claim, files: Vec<NewFile>, variants: Vec<VariantRecord>) {
        let result = JobResult {
            thumbnail_path: files[0].path.clone(),
            variants,
            ..result()
        };
        let first = result.thumbnail_path.clone();
        let are_several = files.len() > 1;
        assert!(self.storage.publish(claim, files).await.unwrap());
        let outcome = Outcome::Completed {
            result: Box::new(result),
            source_status: Some(200),
        };
        assert!(self.database.finish(claim, &outcome).await.unwrap());
        if are_several {
            let marker = TemporaryFile::of(claim);
            self.storage.settle(marker, first).await.unwrap();
        }
    }

    /// Asks for the shutdown; the server ends when its requests have.
    pub fn begin_shutdown(&mut self) {
        let shutdown = self.shutdown.take().expect("not yet asked for");
        shutdown.send(()).expect("the server runs");
    }

    pub async fn ended(self) {
        self.server.await.unwrap().unwrap();
    }
}

fn result() -> JobResult {
    JobResult {
        width: 640,
        height: 480,
        format: "JPEG".to_owned(),
        size_bytes: 12_345,
        source_content_type: Some("image/jpeg".to_owned()),
        source_url: "https://images.example.com/a.jpg".to_owned(),
        sha256: "0".repeat(64),
        thumbnail_path: "x.jpg".to_owned(),
        thumbnail: ThumbnailInfo {
            width: 256,
            height: 192,
            size_bytes: 4_321,
            content_type: "image/jpeg".to_owned(),
        },
        has_alpha: false,
        frames: 1,
        orientation: 6,
        icc_profile: Some("Display P3".to_owned()),
        exif: None,
        dominant_color: "#102030".to_owned(),
        thumbhash: "AAAA".to_owned(),
        truncated: false,
        variants: Vec::new(),
    }
}

/// Each function runs as a test on both databases.
macro_rules! on_both_databases {
    ($(async fn $name:ident($fixture:ident: &Fixture) $body:block)*) => {
        $( async fn $name($fixture: &crate::database::Fixture) $body )*
        mod postgres { $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() { super::$name(&crate::database::Fixture::postgres()).await; }
        )* }
        mod sqlite { $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() { super::$name(&crate::database::Fixture::sqlite()).await; }
        )* }
    };
}
pub(crate) use on_both_databases;
