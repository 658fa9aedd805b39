//! The audit that ends every fault: each job that was ever accepted is accounted for.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use thumbforge::domain::{retry, transition};

use crate::audit_events::check_events;
use crate::load::Record;
use crate::stage::{LEASE, Stage};
use crate::support::deadline::eventually_blocking;

/// What a fault may leave in its wake.
#[derive(Clone)]
pub struct Terms {
    pub max_attempts: usize,
    /// Whether every job must complete; else it may fail with a reason.
    pub all_complete: bool,
    /// How long a job may take where more work comes than is done; otherwise see [`Terms::bound`].
    pub overload: Option<Duration>,
    /// Whether the API's own processes were killed, so that connections may break.
    pub api_died: bool,
    /// Whether a job may fail while it waits, because its origin is given up.
    pub origin_given_up: bool,
    /// Whether the database was away, so that for some time nobody takes over from the dead.
    pub database_away: bool,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            all_complete: true,
            overload: None,
            api_died: false,
            origin_given_up: false,
            database_away: false,
        }
    }
}

/// What the audit found.
pub struct Findings {
    /// From the end of the fault until the last job accepted before it ended.
    pub recovered: Duration,
    /// The longest that a job took to end after the fault, or after its submission if that was
    /// later.
    pub slowest: Duration,
    pub jobs: usize,
    pub failed: usize,
}

struct Row {
    id: String,
    status: String,
    attempts: usize,
    error_code: String,
    result: String,
}

/// The time for working on a job, apart from its waits, with others on two cores. The largest
/// picture of the suite takes 0.1 s on an idle core, and each of the two loops that find a job
/// looks about once a second.
const WORK: Duration = Duration::from_secs(3);

/// By then a worker has looked up which origins have work, which it does about once a second.
const MISSED: Duration = Duration::from_secs(5);

/// After a database was away, living workers have so long to renew their leases.
const RENEWING: Duration = Duration::from_secs(8);

impl Terms {
    /// How soon a job with this many attempts must have ended: a lease, the longest back-off that
    /// follows a death, the time after which a lost id is missed, and the work itself.
    fn bound(&self, attempts: usize) -> Duration {
        let deaths = u32::try_from(attempts.saturating_sub(1)).expect("a few attempts");
        let backoff = match deaths {
            0 => Duration::ZERO,
            deaths => retry::delay_after_death(deaths, 1.0),
        };
        let renewing = match self.database_away {
            true => RENEWING,
            false => Duration::ZERO,
        };
        self.overload
            .unwrap_or(renewing + LEASE + backoff + MISSED + WORK)
    }
}

/// Waits until all jobs have ended, and checks every promise. `lifted` is when the fault ended, in
/// seconds since the epoch.
pub fn audit(stage: &Stage, record: &Record, lifted: f64, terms: &Terms) -> Findings {
    check_answers(record, terms);
    let limit = terms.bound(terms.max_attempts);
    wait_for_ends(stage, limit);
    stage.analyze();
    let slowest = check_times(stage, record, lifted, terms);
    let rows = rows(stage);
    check_rows(record, &rows, terms);
    check_history(stage, &rows, terms);
    check_counts(stage);
    check_batches(stage, record);
    check_events(stage);
    check_files(stage, &rows);
    eventually_blocking("no temporary file is left", limit, || {
        std::fs::read_dir(stage.storage.join(".tmp")).is_ok_and(|files| files.count() == 0)
    });
    if stage.redis.is_some() || stage.sentinels.is_some() {
        eventually_blocking("the queue is empty", limit, || stage.queue_length() == 0);
    }
    Findings {
        recovered: recovered(stage, lifted),
        slowest,
        jobs: rows.len(),
        failed: rows.iter().filter(|row| row.status == "failed").count(),
    }
}

fn check_answers(record: &Record, terms: &Terms) {
    assert!(record.improper.is_empty(), "{:?}", record.improper);
    let improper = &record.meddling.improper;
    assert!(improper.is_empty(), "{improper:?}");
    if !terms.api_died {
        assert_eq!(record.broken, 0, "connections to a living API broke");
        record.check_bound();
    }
}

/// The fault is over and nothing more is submitted: from here, no job may take longer than the
/// longest bound.
fn wait_for_ends(stage: &Stage, limit: Duration) {
    let end = Instant::now() + limit;
    loop {
        let active = stage.lines(
            "SELECT id || ' ' || status || ' ' || attempts AS line FROM jobs \
             WHERE status IN ('pending', 'processing')",
        );
        if active.is_empty() {
            return;
        }
        assert!(Instant::now() < end, "stuck for {limit:?}: {active:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Each job ended in time, counted from the end of the fault or its submission, whichever was
/// later. Returns the longest.
fn check_times(stage: &Stage, record: &Record, lifted: f64, terms: &Terms) -> Duration {
    let lines = stage.lines(&format!(
        "SELECT ended.id || '|' || ended.attempts || '|' || \
             (ended.at - CASE WHEN born.at > {lifted:.3} THEN born.at ELSE {lifted:.3} END) \
             AS line \
         FROM job_history AS ended JOIN job_history AS born ON born.id = ended.id \
             AND born.fence = 0 AND born.status = 'pending' \
         WHERE ended.status IN ('completed', 'failed')"
    ));
    let mut slowest = Duration::ZERO;
    for line in lines {
        let mut fields = line.split('|');
        let mut next = || fields.next().expect("three fields");
        let (id, attempts, seconds) = (next().to_owned(), next().to_owned(), next());
        // Of a retried job the last end counts, and not from its submission.
        if record.meddling.jobs.contains_key(&id) {
            continue;
        }
        let attempts = attempts.parse().expect("a number");
        let seconds: f64 = seconds.parse().expect("a number");
        let took = Duration::from_secs_f64(seconds.max(0.0));
        assert!(
            took <= terms.bound(attempts),
            "{id} ended {took:?} after the fault, in attempt {attempts}; {:?} are allowed",
            terms.bound(attempts)
        );
        slowest = slowest.max(took);
    }
    slowest
}

fn rows(stage: &Stage) -> Vec<Row> {
    let sql = "SELECT id || '|' || status || '|' || attempts || '|' || \
               coalesce(error_code, '') || '|' || coalesce(CAST(result AS text), '') AS line \
               FROM jobs";
    let split = |line: String| {
        let mut fields = line.splitn(5, '|').map(str::to_owned);
        let mut next = || fields.next().expect("five fields");
        Row {
            id: next(),
            status: next(),
            attempts: next().parse().expect("a number"),
            error_code: next(),
            result: next(),
        }
    };
    stage.lines(sql).into_iter().map(split).collect()
}

fn check_rows(record: &Record, rows: &[Row], terms: &Terms) {
    let known: HashSet<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    for id in &record.accepted {
        assert!(known.contains(id.as_str()), "{id}: a 202 without a job");
    }
    let statuses: HashMap<&str, &str> = rows
        .iter()
        .map(|row| (row.id.as_str(), row.status.as_str()))
        .collect();
    for (id, deeds) in &record.meddling.jobs {
        deeds.check(id, statuses.get(id.as_str()).copied());
    }
    for row in rows {
        assert!(
            row.attempts <= terms.max_attempts,
            "{}: {} attempts",
            row.id,
            row.attempts
        );
        match row.status.as_str() {
            "completed" => {}
            "cancelled" if record.meddling.jobs.contains_key(&row.id) => {}
            "failed" => {
                assert!(!row.error_code.is_empty(), "{}: no reason", row.id);
                assert!(!terms.all_complete, "{}: {}", row.id, row.error_code);
            }
            other => panic!("{}: {other}", row.id),
        }
    }
}

/// Each job reached one final state, once, and only by legal steps.
fn check_history(stage: &Stage, rows: &[Row], terms: &Terms) {
    let lines = stage.lines("SELECT id || '|' || status AS line FROM job_history ORDER BY seq");
    let mut histories: HashMap<&str, Vec<&str>> = HashMap::new();
    for line in &lines {
        let (id, status) = line.split_once('|').expect("two fields");
        histories.entry(id).or_default().push(status);
    }
    for row in rows {
        let history = &histories[row.id.as_str()];
        assert_eq!(history.first(), Some(&"pending"), "{}: {history:?}", row.id);
        for step in history.windows(2) {
            let is_given_up = (step[0], step[1]) == ("pending", "failed");
            let legal =
                transition::is_legal(step[0], step[1]) && (!is_given_up || terms.origin_given_up);
            assert!(legal, "{}: {history:?}", row.id);
        }
        assert_eq!(history.last(), Some(&row.status.as_str()), "{}", row.id);
    }
}

/// Every accepted batch is there, has ended, and holds the jobs that were accepted with it.
fn check_batches(stage: &Stage, record: &Record) {
    let lines = stage.lines(
        "SELECT id || ' ' || status || ' ' || total || ' ' || \
         (SELECT count(*) FROM jobs WHERE batch_id = batches.id) AS line FROM batches",
    );
    let mut known = HashSet::new();
    for line in &lines {
        let fields: Vec<&str> = line.split(' ').collect();
        let is_over = !matches!(fields[1], "accepting" | "running");
        assert!(
            is_over && fields[2] == fields[3],
            "no batch that has ended: {line}"
        );
        assert!(known.insert(fields[0]), "{line}");
    }
    for id in &record.meddling.batches {
        assert!(known.contains(id.as_str()), "{id}: a 202 without a batch");
    }
    let unknown = known.len() - record.meddling.batches.len();
    // Of a batch whose answers were all lost nobody knows; of each key there is one.
    assert!(
        unknown == 0 || record.meddling.lost > 0,
        "{unknown} batches more than answers"
    );
}

/// What is kept is what there is.
fn check_counts(stage: &Stage) {
    let faults = stage.lines(
        "SELECT status || ' ' || sum(n) AS line FROM ( \
             SELECT status, count(*) AS n FROM jobs GROUP BY status \
             UNION ALL SELECT status, -n FROM job_counts WHERE level = 4 \
             UNION ALL SELECT status, -n FROM job_count_deltas WHERE minute IS NOT NULL) AS compared \
         GROUP BY status HAVING sum(n) <> 0",
    );
    assert!(faults.is_empty(), "kept counts are wrong by {faults:?}");
}

/// Every completed job has all its files, whole and as described; there are no others.
fn check_files(stage: &Stage, rows: &[Row]) {
    let mut expected: HashSet<String> = HashSet::new();
    for row in rows.iter().filter(|row| row.status == "completed") {
        let result: serde_json::Value = serde_json::from_str(&row.result).expect("a result");
        let thumbnail = &result["thumbnail"];
        let path = result["thumbnail_path"].as_str().expect("a path");
        check_file(
            stage,
            path,
            [&thumbnail["width"], &thumbnail["height"]],
            thumbnail,
        );
        expected.insert(path.to_owned());
        for variant in result["variants"].as_array().into_iter().flatten() {
            let files = variant["files"].as_array().expect("files");
            assert!(!files.is_empty(), "{}: {variant}", row.id);
            for file in files {
                let path = file["path"].as_str().expect("a path");
                check_file(stage, path, [&variant["width"], &variant["height"]], file);
                expected.insert(path.to_owned());
            }
        }
    }
    let mut strays = Vec::new();
    // A file is removed after its job's failure is written.
    let end = Instant::now() + Duration::from_secs(5);
    while Instant::now() < end {
        strays = stage.stored_files();
        strays.retain(|path| !expected.contains(path));
        if strays.is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("belongs to no completed job: {strays:?}");
}

/// The file has this size in pixels, and the size in bytes and the type that are described; and it
/// can be decoded to its end.
fn check_file(
    stage: &Stage,
    path: &str,
    sides: [&serde_json::Value; 2],
    described: &serde_json::Value,
) {
    let bytes = std::fs::read(stage.storage.join(path))
        .unwrap_or_else(|error| panic!("{path} is not there: {error}"));
    assert_eq!(described["size_bytes"], bytes.len(), "{path}");
    let (width, height) = match described["content_type"].as_str().expect("a type") {
        // The decoder notices a file that is cut off.
        "image/jpeg" => {
            assert!(bytes.ends_with(&[0xff, 0xd9]), "{path}: cut off");
            let mut decoder = zune_jpeg::JpegDecoder::new(std::io::Cursor::new(&bytes));
            decoder
                .decode()
                .unwrap_or_else(|error| panic!("{path}: {error}"));
            let info = decoder.info().expect("decoded");
            (info.width.into(), info.height.into())
        }
        media_type => {
            let format = image::ImageFormat::from_mime_type(media_type).expect("a known type");
            let picture = image::load_from_memory_with_format(&bytes, format)
                .unwrap_or_else(|error| panic!("{path}: {error}"));
            (picture.width(), picture.height())
        }
    };
    assert_eq!(sides, [width, height], "{path}");
}

fn recovered(stage: &Stage, lifted: f64) -> Duration {
    let lines = stage.lines(&format!(
        "SELECT CAST(coalesce(max(ended.at), 0) AS text) AS line FROM job_history AS ended \
         JOIN job_history AS born ON born.id = ended.id AND born.fence = 0 \
             AND born.status = 'pending' AND born.at <= {lifted:.3} \
         WHERE ended.status IN ('completed', 'failed')"
    ));
    let last: f64 = lines[0].parse().expect("a number");
    Duration::from_secs_f64((last - lifted).max(0.0))
}
