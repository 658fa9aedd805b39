//! The main job as a whole: real processes of the built binary, from a submitted URL to a
//! thumbnail.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use image::imageops::FilterType;
use image::{DynamicImage, ImageFormat};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;

use crate::support::child_process::ChildProcess;
use crate::support::deadline::eventually;
use crate::support::images;
use crate::support::origin::{Origin, Reply};
use crate::support::postgres::Postgres;
use crate::support::redis::Redis;
use crate::support::server_process::free_port;

const START: Duration = Duration::from_secs(60);
const WORK: Duration = Duration::from_secs(120);

/// A deployment: its variables, and a client of its API.
struct Deployment {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
    base: String,
    client: reqwest::Client,
}

impl Deployment {
    fn new(more: Vec<(&str, String)>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let own = [
            ("THUMBFORGE_BIND", format!("127.0.0.1:{port}")),
            (
                "THUMBFORGE_STORAGE_PATH",
                folder.path().join("thumbnails").display().to_string(),
            ),
            (
                "THUMBFORGE_ALLOWED_SOURCE_NETWORKS",
                "127.0.0.0/8".to_owned(),
            ),
            ("THUMBFORGE_ALLOWED_SOURCE_PORTS", "*".to_owned()),
        ];
        let variables = own.into_iter().chain(more);
        Self {
            variables: variables
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            folder,
            base: format!("http://127.0.0.1:{port}"),
            client: crate::support::client::new(),
        }
    }

    /// On SQLite and the queue in the process.
    fn alone() -> Self {
        let deployment = Self::new(Vec::new());
        let file = deployment.folder.path().join("deep/jobs.db");
        let url = format!("sqlite://{}", file.display());
        deployment.with("THUMBFORGE_DATABASE_URL", &url)
    }

    /// On Postgres and Redis.
    fn split() -> Self {
        Self::new(vec![
            ("THUMBFORGE_DATABASE_URL", Postgres::shared().new_database()),
            ("THUMBFORGE_REDIS_URL", Redis::shared().url()),
            ("THUMBFORGE_QUEUE_NAME", Redis::new_key()),
        ])
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    fn start(&self, command: &'static str) -> ChildProcess {
        self.start_another(command, command, &self.variables)
    }

    fn start_another(
        &self,
        command: &'static str,
        name: &str,
        variables: &[(String, String)],
    ) -> ChildProcess {
        let mut process = ChildProcess::new(command, name, self.folder.path(), variables);
        process.launch();
        process
    }

    fn run(&self, command: &str) -> (Option<i32>, String) {
        ChildProcess::run(command, self.folder.path(), &self.variables)
    }

    async fn ready(&self) {
        eventually("the API is ready", START, async || {
            let answer = self
                .client
                .get(format!("{}/readyz", self.base))
                .send()
                .await;
            answer.is_ok_and(|answer| answer.status() == 200)
        })
        .await;
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.client.get(format!("{}{path}", self.base)).send().await;
        answer.unwrap().json().await.unwrap()
    }

    async fn submit(&self, url: &str) -> (u16, Value) {
        let answer = self
            .client
            .post(format!("{}/v1/images", self.base))
            .json(&json!({ "url": url }))
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn accepted(&self, url: &str) -> String {
        let (status, job) = self.submit(url).await;
        assert_eq!(status, 202, "{job}");
        job["id"].as_str().unwrap().to_owned()
    }

    /// Waits until a job has ended.
    async fn ended(&self, id: &str) -> Value {
        let mut job = Value::Null;
        eventually("the job ends", WORK, async || {
            job = self.get(&format!("/v1/images/{id}")).await;
            job["status"] == "completed" || job["status"] == "failed"
        })
        .await;
        job
    }

    async fn all_ended(&self) {
        eventually("all jobs end", WORK, async || {
            let counts = self.get("/v1/metrics").await;
            counts["pending"] == 0 && counts["processing"] == 0
        })
        .await;
    }
}

fn photograph() -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/Landscape_6.jpg"))
        .unwrap()
}

async fn thumbnail(deployment: &Deployment, id: &str) -> image::DynamicImage {
    let path = format!("{}/v1/images/{id}/thumbnail", deployment.base);
    let answer = deployment.client.get(path).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "image/jpeg");
    let bytes = answer.bytes().await.unwrap();
    image::load_from_memory_with_format(&bytes, ImageFormat::Jpeg).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_in_one_process_makes_a_thumbnail_of_a_photograph() {
    let origin = Origin::start().await;
    origin.on("/photo.jpg", [Reply::body("image/jpeg", photograph())]);
    let deployment = Deployment::alone();
    let mut program = deployment.start("all");
    deployment.ready().await;
    assert!(program.log().contains("/docs"), "{}", program.log());

    let id = deployment.accepted(&origin.url("/photo.jpg#part")).await;
    let job = deployment.ended(&id).await;
    assert_eq!(job["status"], "completed", "{job}");
    assert_eq!(job["attempts"], 1);
    assert_eq!(job["url"], origin.url("/photo.jpg"));
    let result = &job["result"];
    // Stored as 400×600 with orientation 6; seen as 600×400.
    assert_eq!(
        (&result["width"], &result["height"]),
        (&json!(600), &json!(400))
    );
    assert_eq!(result["orientation"], 6);
    assert_eq!(result["format"], "JPEG");
    assert_eq!(result["size_bytes"], photograph().len());
    assert_eq!(result["source_content_type"], "image/jpeg");
    assert_eq!(result["source_url"], origin.url("/photo.jpg"));
    assert_eq!(result["thumbnail_path"], format!("{id}.jpg"));
    assert_eq!(result["sha256"].as_str().unwrap().len(), 64);
    let picture = thumbnail(&deployment, &id).await;
    assert_eq!((picture.width(), picture.height()), (256, 171));
    assert_eq!(result["thumbnail"]["width"], 256);

    program.signal("TERM");
    assert!(program.wait_for_end(WORK).success());
}

/// The processes that a process started.
fn children(pid: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let children = threads.filter_map(|thread| {
        // Threads come and go.
        std::fs::read_to_string(thread.ok()?.path().join("children")).ok()
    });
    let numbers: Vec<_> = children
        .flat_map(|list| {
            let numbers = list
                .split_whitespace()
                .map(|number| number.parse().unwrap());
            numbers.collect::<Vec<_>>()
        })
        .collect();
    numbers
}

#[tokio::test(flavor = "multi_thread")]
async fn an_avif_is_decoded_in_a_child_and_a_child_that_hangs_costs_one_job() {
    let origin = Origin::start().await;
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/avif");
    let avif = std::fs::read(fixtures.join("grid.avif")).unwrap();
    origin.on("/a.avif", [Reply::body("image/avif", avif)]);
    let deployment = Deployment::alone()
        .with("THUMBFORGE_DECODE_TIMEOUT_SECONDS", "2")
        .with("THUMBFORGE_CPU_THREADS", "1");
    let mut program = deployment.start("all");
    deployment.ready().await;
    let readiness = deployment.get("/readyz").await;
    assert_eq!(readiness, json!({"status": "ok"}));
    let decoders = children(program.pid());
    assert_eq!(decoders.len(), 1, "{decoders:?}");

    let submit = async || {
        let id = deployment.accepted(&origin.url("/a.avif")).await;
        deployment.ended(&id).await
    };
    let job = submit().await;
    assert_eq!(job["status"], "completed", "{job}");
    assert_eq!(job["result"]["format"], "AVIF");
    assert_eq!(job["result"]["width"], 100);
    crate::support::child_process::kill("STOP", decoders[0]);
    let job = submit().await;
    assert_eq!(job["error_code"], "decode_timeout", "{job}");
    let job = submit().await;
    assert_eq!(job["status"], "completed", "{job}");
    let others = children(program.pid());
    assert!(others.len() == 1 && others != decoders, "{others:?}");

    program.signal("TERM");
    assert!(program.wait_for_end(WORK).success());
    assert!(!Path::new(&format!("/proc/{}", others[0])).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_isolation_risky_formats_are_refused_and_readiness_says_so() {
    let origin = Origin::start().await;
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/avif");
    let avif = std::fs::read(fixtures.join("420.avif")).unwrap();
    origin.on("/a.avif", [Reply::body("image/avif", avif)]);
    let deployment = Deployment::alone().with("THUMBFORGE_DECODE_ISOLATION", "off");
    let program = deployment.start("all");
    deployment.ready().await;
    let sentence = "AVIF and SVG images are refused: THUMBFORGE_DECODE_ISOLATION is off.";
    let readiness = deployment.get("/readyz").await;
    assert_eq!(readiness, json!({"status": "ok", "notes": [sentence]}));
    assert!(program.log().contains(sentence), "{}", program.log());
    assert!(children(program.pid()).is_empty());
    let id = deployment.accepted(&origin.url("/a.avif")).await;
    let job = deployment.ended(&id).await;
    assert_eq!(job["error_code"], "unsupported_format", "{job}");
    assert_eq!(job["attempts"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_page_of_a_document_is_shown_where_the_setting_says_so() {
    let origin = Origin::start().await;
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pdf");
    let pdf = std::fs::read(fixtures.join("wide_rotated.pdf")).unwrap();
    origin.on("/a.pdf", [Reply::body("application/pdf", pdf)]);
    for is_on in [false, true] {
        let mut deployment = Deployment::alone();
        if is_on {
            deployment = deployment.with("THUMBFORGE_DECODE_PDF", "true");
        }
        let _program = deployment.start("all");
        deployment.ready().await;
        let readiness = deployment.get("/readyz").await;
        assert_eq!(readiness, json!({"status": "ok"}));
        let id = deployment.accepted(&origin.url("/a.pdf")).await;
        let job = deployment.ended(&id).await;
        assert_eq!(job["attempts"], 1);
        if is_on {
            assert_eq!(job["status"], "completed", "{job}");
            let result = &job["result"];
            assert_eq!(result["format"], "PDF", "{job}");
            assert_eq!([&result["width"], &result["height"]], [85, 171], "{job}");
        } else {
            assert_eq!(job["error_code"], "unsupported_format", "{job}");
            let sentence = job["error"].as_str().unwrap_or_default();
            assert!(sentence.contains("THUMBFORGE_DECODE_PDF=true"), "{job}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_mixed_images_through_two_workers_are_each_published_once() {
    let origin = Origin::start().await;
    let formats = [
        (ImageFormat::Jpeg, "image/jpeg"),
        (ImageFormat::Png, "image/png"),
        (ImageFormat::Gif, "image/gif"),
        (ImageFormat::WebP, "image/webp"),
        (ImageFormat::Bmp, "image/bmp"),
    ];
    let sources: u32 = 25;
    for number in 0..sources {
        let (format, content_type) = formats[number as usize % formats.len()];
        let body = images::encoded(40 + number * 11, 300 - number * 9, number, format);
        origin.on(&format!("/{number}"), [Reply::body(content_type, body)]);
    }
    let deployment = Deployment::split();
    let (code, output) = deployment.run("init-db");
    assert_eq!(code, Some(0), "{output}");
    let _api = deployment.start("serve");
    let workers = ["worker-0", "worker-1"]
        .map(|name| deployment.start_another("work", name, &deployment.variables));
    deployment.ready().await;

    let mut expected = HashMap::new();
    for number in 0..500_u32 {
        let source = number % sources;
        let id = deployment
            .accepted(&origin.url(&format!("/{source}?{number}")))
            .await;
        expected.insert(id, source);
    }
    deployment.all_ended().await;
    let counts = deployment.get("/v1/metrics").await;
    assert_eq!(
        (&counts["completed"], &counts["failed"]),
        (&json!(500), &json!(0)),
        "{counts}"
    );

    let mut seen = HashSet::new();
    for offset in (0..500).step_by(100) {
        let page = deployment
            .get(&format!("/v1/images?limit=100&offset={offset}"))
            .await;
        for job in page["items"].as_array().unwrap() {
            let id = job["id"].as_str().unwrap();
            assert!(seen.insert(id.to_owned()), "{id} twice");
            let source = expected[id];
            let size = (40 + source * 11, 300 - source * 9);
            assert_eq!(
                (&job["result"]["width"], &job["result"]["height"]),
                (&json!(size.0), &json!(size.1))
            );
            assert_eq!(job["attempts"], 1, "{job}");
            let picture = thumbnail(&deployment, id).await;
            assert_eq!(
                picture.width().max(picture.height()),
                size.0.max(size.1).min(256)
            );
        }
    }
    assert_eq!(seen.len(), 500);
    // Each job was asked for once and completed once, by one of the two.
    let hits: usize = (0..sources)
        .map(|number| origin.hits(&format!("/{number}")))
        .sum();
    assert_eq!(hits, 500);
    let logs: Vec<String> = workers.iter().map(ChildProcess::log).collect();
    let published: Vec<usize> = logs
        .iter()
        .map(|log| log.matches(" completed ").count())
        .collect();
    assert_eq!(published.iter().sum::<usize>(), 500, "{published:?}");
    assert!(published.iter().all(|count| *count > 0), "{published:?}");
    let files = std::fs::read_dir(deployment.folder.path().join("thumbnails")).unwrap();
    assert_eq!(
        files.count(),
        502,
        "500 thumbnails, the folder of temporary files, and the owner"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_serve_processes_let_one_of_64_duplicates_in() {
    let origin = Origin::start().await;
    let gate = Arc::new(Semaphore::new(0));
    let reply = Reply::body("image/jpeg", images::jpeg(64, 64, 1)).behind(&gate);
    origin.on("/same.jpg", [reply]);
    let deployment = Deployment::split().with("THUMBFORGE_DUPLICATE_HANDLING", "reject-active");
    let other = free_port();
    let mut variables = deployment.variables.clone();
    variables.push(("THUMBFORGE_BIND".to_owned(), format!("127.0.0.1:{other}")));
    let _processes = [
        deployment.start("serve"),
        deployment.start_another("serve", "other", &variables),
    ];
    deployment.ready().await;
    let bases = [deployment.base.clone(), format!("http://127.0.0.1:{other}")];
    eventually("the second API is ready", START, async || {
        let answer = deployment
            .client
            .get(format!("{}/readyz", bases[1]))
            .send()
            .await;
        answer.is_ok_and(|answer| answer.status() == 200)
    })
    .await;
    let url = origin.url("/same.jpg");
    let tries = (0..64).map(|number| {
        let request = deployment
            .client
            .post(format!("{}/v1/images", bases[number % 2]))
            .json(&json!({ "url": url }));
        tokio::spawn(async move {
            let answer = request.send().await.unwrap();
            (
                answer.status().as_u16(),
                answer.json::<Value>().await.unwrap(),
            )
        })
    });
    let mut ids = HashSet::new();
    let mut statuses = Vec::new();
    for attempt in tries.collect::<Vec<_>>() {
        let (status, body) = attempt.await.unwrap();
        statuses.push(status);
        let id = if status == 202 {
            &body["id"]
        } else {
            &body["job_id"]
        };
        ids.insert(id.as_str().unwrap().to_owned());
    }
    statuses.sort_unstable();
    assert_eq!(statuses[0], 202);
    assert!(
        statuses[1..].iter().all(|status| *status == 409),
        "{statuses:?}"
    );
    assert_eq!(ids.len(), 1, "all answers name the one job");
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_typed_retried_or_final() {
    let origin = Origin::start().await;
    let good = || Reply::body("image/jpeg", images::jpeg(32, 32, 3));
    origin.on("/gone", [Reply::status(404)]);
    origin.on(
        "/text",
        [Reply::body("image/jpeg", b"hello, I am no image".to_vec())],
    );
    origin.on("/empty", [Reply::body("image/jpeg", Vec::new())]);
    origin.on("/flaky", [Reply::status(503), good()]);
    origin.on("/broken", [Reply::status(500)]);
    origin.on(
        "/inside",
        [Reply::status(302).header("Location", "http://169.254.169.254/")],
    );
    origin.on("/loop", [Reply::status(302).header("Location", "/loop")]);
    let deployment = Deployment::alone();
    let _program = deployment.start("all");
    deployment.ready().await;
    let mut jobs = Vec::new();
    for (path, status, code, attempts) in [
        ("/gone", "failed", json!("source_client_error"), 1),
        ("/text", "failed", json!("unsupported_format"), 1),
        ("/empty", "failed", json!("empty_source"), 1),
        ("/flaky", "completed", Value::Null, 2),
        ("/broken", "failed", json!("source_server_error"), 3),
        ("/inside", "failed", json!("forbidden_source"), 1),
        ("/loop", "failed", json!("too_many_redirects"), 1),
    ] {
        let id = deployment.accepted(&origin.url(path)).await;
        jobs.push((path, id, status, code, attempts));
    }
    for (path, id, status, code, attempts) in jobs {
        let job = deployment.ended(&id).await;
        assert_eq!(job["status"], status, "{path}: {job}");
        assert_eq!(job["error_code"], code, "{path}: {job}");
        assert_eq!(job["attempts"], attempts, "{path}: {job}");
        assert_eq!(
            job["error"].is_string(),
            status == "failed",
            "{path}: {job}"
        );
    }
    let (status, problem) = deployment.submit("http://10.0.0.1/x.png").await;
    assert_eq!(status, 422, "{problem}");
}

/// Answers with `part` of a body that it declares as `length` long, and closes.
async fn cutting(part: Vec<u8>, length: usize) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(&[head.as_bytes(), &part].concat()).await;
        }
    });
    format!("http://{address}/")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_of_a_body_that_broke_off_is_tried_in_the_last_attempt() {
    let jpeg = photograph();
    let most = cutting(jpeg[..jpeg.len() * 9 / 10].to_vec(), jpeg.len()).await;
    let little = cutting(jpeg[..jpeg.len() / 10].to_vec(), jpeg.len()).await;
    let deployment = Deployment::alone();
    let _program = deployment.start("all");
    deployment.ready().await;
    let most = deployment.accepted(&most).await;
    let little = deployment.accepted(&little).await;
    let job = deployment.ended(&most).await;
    assert_eq!(job["status"], "completed", "{job}");
    assert_eq!(job["attempts"], 3, "{job}");
    assert_eq!(job["result"]["truncated"], true, "{job}");
    let job = deployment.ended(&little).await;
    assert_eq!(job["status"], "failed", "{job}");
    assert_eq!(job["error_code"], "connection_failed", "{job}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_that_is_cleaned_away_is_made_again_by_the_next_job() {
    let origin = Origin::start().await;
    origin.on("/photo.jpg", [Reply::body("image/jpeg", photograph())]);
    let deployment = Deployment::alone();
    let _program = deployment.start("all");
    deployment.ready().await;
    let storage = deployment.folder.path().join("thumbnails");
    for removed in [storage.join(".tmp"), storage] {
        std::fs::remove_dir_all(removed).unwrap();
        let id = deployment.accepted(&origin.url("/photo.jpg")).await;
        let job = deployment.ended(&id).await;
        assert_eq!(job["status"], "completed", "{job}");
        assert_eq!(job["attempts"], 1, "{job}");
        thumbnail(&deployment, &id).await;
    }
    deployment.ready().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_with_what_was_accepted() {
    let origin = Origin::start().await;
    let gate = Arc::new(Semaphore::new(0));
    for number in 0..20 {
        let reply = Reply::body("image/jpeg", images::jpeg(32, 32, number)).behind(&gate);
        origin.on(&format!("/{number}"), [reply]);
    }
    let deployment = Deployment::alone().with("THUMBFORGE_LEASE_SECONDS", "2");
    let mut program = deployment.start("all");
    deployment.ready().await;
    for number in 0..20 {
        deployment
            .accepted(&origin.url(&format!("/{number}")))
            .await;
    }
    program.signal("KILL");
    program.wait_for_end(START);
    gate.add_permits(1000);
    let _again = deployment.start("all");
    deployment.ready().await;
    deployment.all_ended().await;
    assert_eq!(deployment.get("/v1/metrics").await["completed"], 20);
}

/// A photo of twelve megapixels.
fn large_photograph() -> DynamicImage {
    let small = image::load_from_memory(&photograph()).unwrap();
    small.resize_exact(4000, 3000, FilterType::Triangle)
}

fn assert_shows(picture: &DynamicImage, source: &DynamicImage) {
    let expected = source
        .resize_exact(picture.width(), picture.height(), FilterType::Triangle)
        .to_rgb8();
    let found = picture.to_rgb8();
    let differences = found
        .iter()
        .zip(expected.iter())
        .map(|(a, b)| a.abs_diff(*b));
    let sum: u64 = differences.map(u64::from).sum();
    let mean = sum as f64 / found.len() as f64;
    assert!(mean < 4.0, "{mean} a sample");
}

/// Four variants of one source, by the whole program: one download and one decode, each file right.
async fn four_variants(deployment: Deployment, commands: &[&'static str]) {
    let origin = Origin::start().await;
    let source = large_photograph();
    let mut jpeg = std::io::Cursor::new(Vec::new());
    source.write_to(&mut jpeg, ImageFormat::Jpeg).unwrap();
    origin.on("/photo.jpg", [Reply::body("image/jpeg", jpeg.into_inner())]);
    let directives = "info,thumbforge::worker::rendering=debug";
    let deployment = deployment.with("THUMBFORGE_LOG_LEVEL", directives);
    let programs: Vec<_> = commands.iter().map(|name| deployment.start(name)).collect();
    deployment.ready().await;
    let variants = json!([
        {"name": "small", "width": 256, "height": 256},
        {"name": "card", "width": 320, "height": 320, "fit": "cover", "gravity": "attention",
            "format": "webp"},
        {"name": "large", "width": 1024, "height": 1024, "format": "avif"},
        {"name": "icon", "width": 200, "height": 200, "fit": "contain", "format": "png",
            "background": "#0000"},
    ]);
    let answer = deployment
        .client
        .post(format!("{}/v1/images", deployment.base))
        .json(&json!({ "url": origin.url("/photo.jpg"), "variants": variants }))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 202);
    let id = answer.json::<Value>().await.unwrap()["id"].clone();
    let job = deployment.ended(id.as_str().unwrap()).await;
    assert_eq!(job["status"], "completed", "{job}");
    assert_eq!(origin.asked().len(), 1, "one download");
    let logs: String = programs.iter().map(ChildProcess::log).collect();
    assert_eq!(logs.matches("source decoded").count(), 1, "{logs}");
    for (name, content_type, width, height) in [
        ("small", "image/jpeg", 256, 192),
        ("card", "image/webp", 320, 320),
        ("large", "image/avif", 1024, 768),
        ("icon", "image/png", 200, 200),
    ] {
        let described = &job["result"]["variants"][name];
        assert_eq!(described["content_type"], content_type, "{described}");
        let size = (&described["width"], &described["height"]);
        assert_eq!(size, (&json!(width), &json!(height)), "{name}");
        let path = format!("{}{}", deployment.base, described["href"].as_str().unwrap());
        let answer = deployment.client.get(path).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{name}");
        assert_eq!(answer.headers()["content-type"], content_type, "{name}");
        let bytes = answer.bytes().await.unwrap();
        assert_eq!(described["size_bytes"], bytes.len(), "{name}");
        if name == "large" {
            // No decoder of AVIF is at hand.
            assert_eq!(&bytes[4..12], b"ftypavif");
            continue;
        }
        let picture = image::load_from_memory(&bytes).unwrap();
        assert_eq!(
            (picture.width(), picture.height()),
            (width, height),
            "{name}"
        );
        match name {
            "small" => assert_shows(&picture, &source),
            "icon" => {
                let alpha = |y| picture.to_rgba8().get_pixel(100, y).0[3];
                assert_eq!((alpha(5), alpha(100), alpha(194)), (0, 255, 0));
                assert_shows(&picture.crop_imm(0, 25, 200, 150), &source);
            }
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_in_one_process_makes_four_variants() {
    four_variants(Deployment::alone(), &["all"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_on_postgres_and_redis_make_four_variants() {
    let deployment = Deployment::split();
    let (status, output) = deployment.run("init-db");
    assert_eq!(status, Some(0), "{output}");
    four_variants(deployment, &["serve", "work"]).await;
}
