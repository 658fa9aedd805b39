//! The first page: the newest pictures, what is under way, and how many jobs are in which state.

use std::collections::BTreeSet;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use crate::db::{DbError, WorkerReport};
use crate::domain::{Job, JobFilter, JobStatus, WorkerState};
use crate::http::ApiState;
use crate::http::shared::Problem;
use crate::ui::frame::{Frame, Section, answer};
use crate::ui::pages::sign_in::came_by_tls;
use crate::ui::picture::Card;
use crate::ui::times::{grouped, rough};

/// Pictures on the wall.
const WALL: u32 = 48;
/// Jobs that are shown as under way.
const UNDER_WAY: u32 = 6;

/// Worker processes that are shown.
const CREW: usize = 12;

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    frame: Frame,
    counts: Vec<Count>,
    workers: Workers,
    under_way: Vec<Card>,
    /// How many more there are.
    more_under_way: String,
    wall: Vec<Card>,
    is_empty: bool,
    /// Where the API is, for a command line.
    base: String,
    needs_key: bool,
}

struct Count {
    status: &'static str,
    label: &'static str,
    number: String,
    href: String,
}

struct Workers {
    alive: u64,
    /// How long the oldest job waits that could run.
    waiting: Option<String>,
    /// The same of jobs that a brake holds up.
    held_up: Option<String>,
    /// Jobs wait, and no worker takes them.
    is_abandoned: bool,
    is_paused: bool,
    pending: String,
    crew: Vec<WorkerCard>,
}

struct WorkerCard {
    name: String,
    state: &'static str,
    /// What it does now.
    work: String,
}

pub async fn show(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let asked = state.ask(|database| async move {
        let of = |status| JobFilter {
            status: Some(status),
            ..JobFilter::default()
        };
        let (working, waiting, done) = (
            of(JobStatus::Processing),
            of(JobStatus::Pending),
            of(JobStatus::Completed),
        );
        let (working, waiting, done, (counts, workers)) = tokio::try_join!(
            database.list(&working, UNDER_WAY, 0, None),
            database.list(&waiting, UNDER_WAY, 0, None),
            database.list(&done, WALL, 0, None),
            database.counts_and_workers(),
        )?;
        Ok::<_, DbError>((working.jobs, waiting.jobs, done.jobs, counts, workers))
    });
    let (mut under_way, waiting, done, counts, workers) = asked.await?;
    let frame = Frame::of(&request, Section::Overview, "Overview");
    under_way.extend(waiting);
    under_way.truncate(UNDER_WAY as usize);
    let by_status = counts.by_status;
    let active = by_status.of(JobStatus::Processing) + by_status.of(JobStatus::Pending);
    let more = active.saturating_sub(under_way.len() as u64);
    let seconds = |length: Option<f64>| {
        // Less than that is no wait worth a word.
        let length = length.filter(|length| *length >= 2.0)?;
        Some(rough(std::time::Duration::from_secs_f64(length).as_secs()))
    };
    let cards = |jobs: &[Job]| jobs.iter().map(|job| Card::new(job, &frame)).collect();
    let page = OverviewPage {
        counts: count_cards(&by_status, &frame),
        workers: Workers {
            alive: counts.workers_alive,
            waiting: seconds(counts.oldest_pending_seconds),
            held_up: seconds(counts.oldest_parked_seconds),
            is_abandoned: workers.is_backlog_unattended
                || (workers.workers.is_empty() && by_status.of(JobStatus::Pending) > 0),
            is_paused: workers.is_paused,
            crew: workers
                .workers
                .into_iter()
                .take(CREW)
                .map(worker_card)
                .collect(),
            pending: grouped(by_status.of(JobStatus::Pending)),
        },
        more_under_way: if more > 0 {
            grouped(more)
        } else {
            String::new()
        },
        under_way: cards(&under_way),
        wall: cards(&done),
        is_empty: by_status.total() == 0,
        base: base(&request, &frame, &state),
        needs_key: state.settings.api_keys.are_needed(),
        frame,
    };
    answer(StatusCode::OK, &page)
}

fn worker_card(worker: WorkerReport) -> WorkerCard {
    let id = worker.id.to_string();
    let hosts: BTreeSet<&str> = worker.jobs.iter().map(|job| &*job.host).collect();
    let hosts: Vec<&str> = hosts.into_iter().take(3).collect();
    let jobs = if worker.job_count == 1 { "job" } else { "jobs" };
    WorkerCard {
        name: worker.host.unwrap_or_else(|| id.chars().take(8).collect()),
        state: match worker.state {
            WorkerState::Ready => "ready",
            WorkerState::StorageFailing => "its storage can't be written",
            WorkerState::NotReady => "not ready",
            WorkerState::Stopping => "stopping",
        },
        work: match worker.job_count {
            0 => "idle".to_owned(),
            count => format!("{} {jobs} from {}", grouped(count), hosts.join(", ")),
        },
    }
}

fn count_cards(counts: &crate::db::StatusCounts, frame: &Frame) -> Vec<Count> {
    let of = |status: JobStatus, label| Count {
        status: status.as_str(),
        label,
        number: grouped(counts.of(status)),
        href: frame.link(&format!("/ui/jobs?status={}", status.as_str())),
    };
    vec![
        of(JobStatus::Pending, "Pending"),
        of(JobStatus::Processing, "In work"),
        of(JobStatus::Completed, "Completed"),
        of(JobStatus::Failed, "Failed"),
        of(JobStatus::Cancelled, "Cancelled"),
    ]
}

/// As the browser sees it, unless the settings say it.
fn base(request: &HttpRequest, frame: &Frame, state: &ApiState) -> String {
    if let Some(url) = &state.settings.public_url {
        return url.as_str().trim_end_matches('/').to_owned();
    }
    let host = request
        .headers()
        .get("host")
        .and_then(|host| host.to_str().ok());
    let scheme = match came_by_tls(request, state) {
        true => "https",
        false => "http",
    };
    format!(
        "{scheme}://{}{}",
        host.unwrap_or("127.0.0.1:8000"),
        frame.link("")
    )
}
