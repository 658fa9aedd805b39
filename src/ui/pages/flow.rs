//! Curves: how many jobs ended, and how long they waited and were worked on.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use thumbforge_intake::FlowQuery;

use crate::db::JobFlow;
use crate::domain::{FlowCounts, FlowStep};
use crate::http::ApiState;
use crate::http::shared::Problem;
use crate::ui::frame::{Frame, Section, answer};
use crate::ui::times::{When, grouped, length};

/// Of a drawing, in its own units.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 200.0;

#[derive(Template)]
#[template(path = "flow.html")]
struct FlowPage {
    frame: Frame,
    ranges: Vec<Range>,
    unit: &'static str,
    completed: String,
    failed: String,
    from: When,
    bars: Vec<Bar>,
    most: String,
    lines: Vec<Lines>,
}

struct Range {
    href: String,
    text: &'static str,
    is_current: bool,
}

/// One bucket.
struct Bar {
    x: String,
    width: String,
    completed_y: String,
    completed_height: String,
    failed_y: String,
    failed_height: String,
    title: String,
}

/// A half and 95 % of the jobs, over time.
struct Lines {
    title: &'static str,
    p50: String,
    p95: String,
    p50_path: String,
    p95_path: String,
    most: String,
}

pub async fn show(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let query = FlowQuery::parse(request.query_string())?;
    let now = state
        .ask(|database| async move { database.now().await })
        .await?;
    let range = query.range(now)?;
    let flow = state.ask(move |database| async move { database.flow(range).await });
    let JobFlow {
        buckets,
        total: all,
        ..
    } = flow.await?;
    let frame = Frame::of(&request, Section::Flow, "Curves");
    let begin = |place: usize| {
        let moment = buckets
            .get(place)
            .and_then(|bucket| range.step.begin(bucket.number));
        When::from(moment.unwrap_or(now))
    };
    let series: Vec<&FlowCounts> = buckets.iter().map(|bucket| &bucket.counts).collect();
    let most = series
        .iter()
        .map(|one| one.completed + one.failed)
        .max()
        .unwrap_or(0);
    let bars = series.iter().enumerate();
    let page = FlowPage {
        ranges: ranges(range.step, &frame),
        unit: range.step.as_str(),
        completed: grouped(all.completed),
        failed: grouped(all.failed),
        from: begin(0),
        bars: bars
            .map(|(place, one)| bar(place, series.len(), one, most, &begin(place)))
            .collect(),
        most: grouped(most),
        lines: vec![
            lines("Waiting", &all, &series, |one, percent| {
                one.waits.percentile(percent)
            }),
            lines("Work", &all, &series, |one, percent| {
                one.works.percentile(percent)
            }),
        ],
        frame,
    };
    answer(StatusCode::OK, &page)
}

fn ranges(step: FlowStep, frame: &Frame) -> Vec<Range> {
    let all = [
        (FlowStep::Minute, "Last hour"),
        (FlowStep::Hour, "Last day"),
        (FlowStep::Day, "Last month"),
    ];
    let range = |(of, text): (FlowStep, _)| Range {
        href: frame.link(&format!("/ui/flow?step={}", of.as_str())),
        text,
        is_current: of == step,
    };
    all.into_iter().map(range).collect()
}

/// Numbers of a drawing: two decimals are enough.
fn unit(number: f64) -> String {
    format!("{number:.2}")
}

#[expect(clippy::cast_precision_loss, reason = "it is drawn")]
fn bar(place: usize, count: usize, one: &FlowCounts, most: u64, when: &When) -> Bar {
    let step = WIDTH / count.max(1) as f64;
    let high = |jobs: u64| jobs as f64 / most.max(1) as f64 * HEIGHT;
    let (completed, failed) = (high(one.completed), high(one.failed));
    Bar {
        x: unit(place as f64 * step + step * 0.1),
        width: unit(step * 0.8),
        completed_y: unit(HEIGHT - completed),
        completed_height: unit(completed),
        failed_y: unit(HEIGHT - completed - failed),
        failed_height: unit(failed),
        title: format!(
            "{}: {} completed, {} failed",
            when.spelled(),
            grouped(one.completed),
            grouped(one.failed)
        ),
    }
}

#[expect(clippy::cast_precision_loss, reason = "it is drawn")]
fn lines(
    title: &'static str,
    all: &FlowCounts,
    series: &[&FlowCounts],
    percentile: impl Fn(&FlowCounts, u64) -> Option<Duration>,
) -> Lines {
    let of = |percent| -> Vec<Option<Duration>> {
        series.iter().map(|one| percentile(one, percent)).collect()
    };
    let (p50, p95) = (of(50), of(95));
    let most = p95.iter().flatten().max().copied().unwrap_or_default();
    let step = WIDTH / series.len().max(1) as f64;
    // A gap where nothing ended.
    let path = |values: &[Option<Duration>]| {
        let mut path = String::new();
        let mut is_down = false;
        for (place, value) in values.iter().enumerate() {
            let Some(value) = value else {
                is_down = false;
                continue;
            };
            let share = value.as_secs_f64() / most.as_secs_f64().max(1e-6);
            let (x, y) = (
                (place as f64 + 0.5) * step,
                HEIGHT - share * (HEIGHT - 4.0) - 2.0,
            );
            let command = if is_down { 'L' } else { 'M' };
            path.push_str(&format!("{command}{} {} ", unit(x), unit(y)));
            // One alone is a dot.
            path.push_str(if is_down { "" } else { "h0.01 " });
            is_down = true;
        }
        path
    };
    let said = |percent| percentile(all, percent).map_or_else(|| "–".to_owned(), length);
    Lines {
        title,
        p50: said(50),
        p95: said(95),
        p50_path: path(&p50),
        p95_path: path(&p95),
        most: length(most),
    }
}
