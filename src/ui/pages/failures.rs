//! Failed jobs by cause and host.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::job::advice;
use crate::db::FailureGroup;
use crate::domain::JobFilter;
use crate::http::ApiState;
use crate::http::shared::Problem;
use crate::ui::filter::query_of;
use crate::ui::frame::{Frame, Section, answer};
use crate::ui::times::{When, grouped};

/// Most groups on the page.
const GROUPS: u32 = 50;

#[derive(Template)]
#[template(path = "failures.html")]
struct FailuresPage {
    frame: Frame,
    groups: Vec<Group>,
    /// How many jobs failed, in how many groups.
    total: String,
    group_count: u64,
    is_exact: bool,
}

struct Group {
    error_code: String,
    host: String,
    count: String,
    is_one: bool,
    first: When,
    last: When,
    advice: Option<&'static str>,
    examples: Vec<Example>,
    list: String,
    retry: String,
}

struct Example {
    href: String,
    url: String,
    error: String,
}

pub async fn show(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let filter = JobFilter::default();
    let asked = state.ask(move |database| async move { database.failures(&filter, GROUPS).await });
    let failures = asked.await?;
    let frame = Frame::of(&request, Section::Failures, "Failures");
    let groups = failures
        .groups
        .into_iter()
        .map(|group| shown(group, &frame));
    let page = FailuresPage {
        groups: groups.collect(),
        total: grouped(failures.job_count),
        group_count: failures.group_count,
        is_exact: failures.is_exact,
        frame,
    };
    answer(StatusCode::OK, &page)
}

fn shown(group: FailureGroup, frame: &Frame) -> Group {
    let filter = query_of(&group.filter);
    let examples = group.examples.into_iter().map(|job| Example {
        href: frame.link(&format!("/ui/jobs/{}", job.id)),
        url: job.url,
        error: job.error.unwrap_or_default(),
    });
    Group {
        advice: advice(&group.error_code),
        error_code: group.error_code,
        host: group.host,
        count: grouped(group.count),
        is_one: group.count == 1,
        first: group.first_failed_at.into(),
        last: group.last_failed_at.into(),
        examples: examples.collect(),
        list: frame.link(&format!("/ui/jobs?{filter}")),
        retry: frame.link(&format!("/ui/actions/new?action=retry&{filter}")),
    }
}
