//! Where pictures are fetched from, how that goes, and the brakes.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use thumbforge_intake::members;
use thumbforge_intake::requests::OriginBody;

use crate::db::{DbError, OriginReport};
use crate::http::ApiState;
use crate::http::shared::{OriginsQuery, Problem, ProblemKind, origin_cursor};
use crate::ui::frame::{Frame, Section, answer, see};
use crate::ui::times::{When, grouped, length};

const PAGE: u32 = 50;

#[derive(Template)]
#[template(path = "origins.html")]
struct OriginsPage {
    frame: Frame,
    is_paused: bool,
    origins: Vec<Shown>,
    next: Option<String>,
    is_first: bool,
}

struct Shown {
    origin: String,
    jobs: String,
    in_flight: String,
    queued: String,
    waiting: String,
    done: String,
    failed: String,
    has_failed: bool,
    duration: String,
    rate: Option<String>,
    parked: Option<String>,
    unavailable_since: Option<When>,
    is_paused: bool,
    /// Whether a reset would forget something.
    is_known: bool,
}

pub async fn list(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let query = without_notice(request.query_string());
    let query = OriginsQuery::parse(&query, PAGE, PAGE)?;
    let is_first = query.after.is_none();
    let (sort, after) = (query.sort, query.after);
    let asked = state.ask(move |database| async move {
        let page = database.list_origins(sort, after, PAGE).await?;
        Ok::<_, DbError>((page, database.queue_is_paused().await?))
    });
    let (page, is_paused) = asked.await?;
    let frame = Frame::of(&request, Section::Origins, "Origins");
    let next = page.next.map(|place| origin_cursor(sort, &place));
    let page = OriginsPage {
        is_paused,
        next: next.map(|cursor| frame.link(&format!("/ui/origins?cursor={cursor}"))),
        origins: page
            .origins
            .into_iter()
            .map(|origin| shown(origin, &frame))
            .collect(),
        is_first,
        frame,
    };
    answer(StatusCode::OK, &page)
}

fn without_notice(query: &str) -> String {
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs.filter(|(name, _)| name != "done"))
        .finish()
}

fn shown(report: OriginReport, frame: &Frame) -> Shown {
    let origin = report.origin.to_string();
    let host = url::Url::parse(&origin).ok();
    let host = host.as_ref().and_then(url::Url::host_str).unwrap_or("");
    let jobs: String = url::form_urlencoded::byte_serialize(host.as_bytes()).collect();
    let reason = report.park_reason.as_deref().map(|word| match word {
        "retry_after" => "asked for a pause",
        "rate_limited" => "refused: too many requests",
        "breaker" => "does not answer",
        other => other,
    });
    let parked = report.parked_until.map(|until| {
        let until = When::from(until);
        let clock = until.exact.get(11..19).unwrap_or("").to_owned();
        format!("{}; next try at {clock} UTC", reason.unwrap_or("parked"))
    });
    Shown {
        jobs: frame.link(&format!("/ui/jobs?host={jobs}")),
        in_flight: grouped(report.in_flight),
        queued: grouped(report.queued),
        waiting: grouped(report.waiting),
        done: grouped(report.done_last_hour),
        failed: grouped(report.failed_last_hour),
        has_failed: report.failed_last_hour > 0,
        duration: report
            .duration_seconds
            .and_then(|seconds| std::time::Duration::try_from_secs_f64(seconds).ok())
            .map_or_else(|| "–".to_owned(), length),
        rate: report
            .rate_per_second
            .map(|rate| format!("{rate:.1} a second")),
        is_known: parked.is_some()
            || report.rate_per_second.is_some()
            || report.failures_in_a_row > 0,
        parked,
        unavailable_since: report.unavailable_since.map(When::from),
        is_paused: report.paused,
        origin,
    }
}

#[derive(Deserialize)]
pub struct OriginForm {
    origin: String,
}

/// `pause`, `resume` or `reset`.
pub async fn brake(
    request: HttpRequest,
    state: web::Data<ApiState>,
    form: web::Form<OriginForm>,
) -> Result<HttpResponse, Problem> {
    let json = serde_json::json!({ "origin": form.origin }).to_string();
    let OriginBody { origin } = members::parse(json.as_bytes())?;
    let word = request.match_info().query("brake").to_owned();
    let (done, how) = match &*word {
        "pause" => ("origin-paused", Some(true)),
        "resume" => ("origin-resumed", Some(false)),
        "reset" => ("origin-reset", None),
        _ => return Err(no_such_brake()),
    };
    let changing = state.ask(move |database| async move {
        match how {
            Some(paused) => database.pause_origin(&origin, paused).await,
            None => database.reset_origin(&origin).await,
        }
    });
    changing.await?;
    Ok(see(&format!("/ui/origins?done={done}")))
}

/// `pause` or `resume`.
pub async fn queue(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let (done, paused) = match request.match_info().query("brake") {
        "pause" => ("queue-paused", true),
        "resume" => ("queue-resumed", false),
        _ => return Err(no_such_brake()),
    };
    state
        .ask(move |database| async move { database.pause_queue(paused).await })
        .await?;
    Ok(see(&format!("/ui/origins?done={done}")))
}

fn no_such_brake() -> Problem {
    Problem::new(ProblemKind::NotFound, "The dashboard has no such page.")
}
