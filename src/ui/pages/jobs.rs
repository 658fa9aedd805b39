//! The list of jobs, with its filters in the URL.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use thumbforge_intake::query::{InvalidQuery, ListQuery, cursor};

use crate::domain::{FailureCode, JobFilter, JobStatus};
use crate::http::ApiState;
use crate::http::shared::Problem;
use crate::ui::filter::query_of;
use crate::ui::frame::{Frame, Section, answer};
use crate::ui::picture::Card;
use crate::ui::times::grouped;

/// Jobs on a page.
const PAGE: u32 = 50;
const PATH: &str = "/ui/jobs";

#[derive(Template)]
#[template(path = "jobs.html")]
struct JobsPage {
    frame: Frame,
    filters: Filters,
    statuses: Vec<Choice>,
    codes: Vec<Choice>,
    jobs: Vec<Card>,
    /// How many there are, in words.
    total: String,
    /// Only some of the jobs are looked at for a page: it may have none, and yet not be the last.
    is_short: bool,
    older: Option<String>,
    newest: Option<String>,
    faults: Vec<String>,
    /// Without a filter.
    all: String,
    /// What may be done to all that fit, and where.
    actions: Vec<(&'static str, String)>,
}

/// What stands in the fields of the form.
#[derive(Default)]
pub struct Filters {
    pub status: String,
    pub error_code: String,
    pub host: String,
    pub tag: String,
    pub submitted_by: String,
    pub batch_id: String,
    pub created_after: String,
    pub created_before: String,
}

/// An option of a field.
pub struct Choice {
    pub value: &'static str,
    pub text: &'static str,
    pub is_chosen: bool,
}

impl Filters {
    /// The members by the names that they have in the API.
    fn members(&self) -> [(&'static str, &str); 8] {
        [
            ("status", &self.status),
            ("error_code", &self.error_code),
            ("host", &self.host),
            ("tag", &self.tag),
            ("submitted_by", &self.submitted_by),
            ("batch_id", &self.batch_id),
            ("created_after", &self.created_after),
            ("created_before", &self.created_before),
        ]
    }

    fn member(&mut self, name: &str) -> Option<&mut String> {
        Some(match name {
            "status" => &mut self.status,
            "error_code" => &mut self.error_code,
            "host" => &mut self.host,
            "tag" => &mut self.tag,
            "submitted_by" => &mut self.submitted_by,
            "batch_id" => &mut self.batch_id,
            "created_after" => &mut self.created_after,
            "created_before" => &mut self.created_before,
            _ => return None,
        })
    }

    /// A browser's field for moments holds neither a zone nor parts of a second: it would forget
    /// such a value, and the next change of another field would ask for more jobs than before.
    fn kind_of(value: &str) -> &'static str {
        match value.len() {
            0 | 16 | 19 => "datetime-local",
            _ => "text",
        }
    }

    /// Whether any of those is used that are not always shown.
    pub fn has_more(&self) -> bool {
        self.members()[2..]
            .iter()
            .any(|(_, value)| !value.is_empty())
    }

    /// As a query, without what is empty.
    fn query(&self) -> url::form_urlencoded::Serializer<'static, String> {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let given = self
            .members()
            .into_iter()
            .filter(|(_, value)| !value.is_empty());
        query.extend_pairs(given);
        query
    }
}

/// What a browser sends: every field of the form, also the empty ones.
struct Asked {
    filters: Filters,
    cursor: Option<String>,
    /// What the form does not have; the API would refuse it too.
    others: Vec<(String, String)>,
}

impl Asked {
    fn read(query: &str) -> Self {
        let mut asked = Self {
            filters: Filters::default(),
            cursor: None,
            others: Vec::new(),
        };
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let value = value.trim();
            match (&*name, asked.filters.member(&name)) {
                _ if value.is_empty() => {}
                ("done", _) => {}
                ("cursor", _) => asked.cursor = Some(value.to_owned()),
                (_, Some(member)) if member.is_empty() => *member = value.to_owned(),
                (name, _) => asked.others.push((name.to_owned(), value.to_owned())),
            }
        }
        asked
    }

    fn list_query(&self) -> Result<ListQuery, InvalidQuery> {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in self.filters.members() {
            if value.is_empty() {
                continue;
            }
            // Browsers leave out seconds that are 0.
            let is_cut = name.starts_with("created_") && value.len() == "2026-01-31T12:00".len();
            let seconds = if is_cut { ":00" } else { "" };
            query.append_pair(name, &format!("{value}{seconds}"));
        }
        if let Some(cursor) = &self.cursor {
            query.append_pair("cursor", cursor);
        }
        query.extend_pairs(&self.others);
        ListQuery::parse(&query.finish(), PAGE, PAGE)
    }
}

pub async fn list(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let asked = Asked::read(request.query_string());
    let query = asked.list_query();
    let frame = Frame::of(&request, Section::Jobs, "Jobs");
    let mut page = JobsPage {
        statuses: statuses(&asked.filters),
        codes: codes(&asked.filters),
        jobs: Vec::new(),
        total: String::new(),
        is_short: false,
        older: None,
        newest: asked
            .cursor
            .is_some()
            .then(|| link(&frame, &asked.filters, None)),
        faults: Vec::new(),
        all: frame.link(PATH),
        actions: Vec::new(),
        filters: asked.filters,
        frame,
    };
    let query = match query {
        Ok(query) => query,
        Err(InvalidQuery(faults)) => {
            page.faults = faults.iter().map(sentence).collect();
            return shown(&request, StatusCode::UNPROCESSABLE_ENTITY, &page);
        }
    };
    page.actions = actions(&query.filter, &page.frame);
    let listing = state.ask(move |database| async move {
        let page = database.list(&query.filter, PAGE, 0, query.after);
        tokio::try_join!(page, database.total_of(&query.filter))
    });
    let (found, total) = listing.await?;
    page.jobs = found
        .jobs
        .iter()
        .map(|job| Card::new(job, &page.frame))
        .collect();
    page.is_short = found.next.is_some() && found.jobs.len() < PAGE as usize;
    page.older = found
        .next
        .map(|place| link(&page.frame, &page.filters, Some(cursor(place))));
    page.total = match (total.is_exact, total.total) {
        (true, 1) => "1 job".to_owned(),
        (true, total) => format!("{} jobs", grouped(total)),
        (false, total) => format!("more than {} jobs", grouped(total)),
    };
    shown(&request, StatusCode::OK, &page)
}

/// A part of the page is exchanged: the address shows what the form asks for, and nothing empty.
fn shown(
    request: &HttpRequest,
    status: StatusCode,
    page: &JobsPage,
) -> Result<HttpResponse, Problem> {
    let mut response = answer(status, page)?;
    if request.headers().contains_key("hx-request") {
        let place = link(&page.frame, &page.filters, None);
        if let Ok(place) = actix_web::http::header::HeaderValue::from_str(&place) {
            let name = actix_web::http::header::HeaderName::from_static("hx-replace-url");
            response.headers_mut().insert(name, place);
        }
    }
    Ok(response)
}

fn link(frame: &Frame, filters: &Filters, cursor: Option<String>) -> String {
    let mut query = filters.query();
    if let Some(cursor) = cursor {
        query.append_pair("cursor", &cursor);
    }
    let query = query.finish();
    let mark = if query.is_empty() { "" } else { "?" };
    frame.link(&format!("{PATH}{mark}{query}"))
}

/// What an operator may do to all jobs that fit a filter.
fn actions(filter: &JobFilter, frame: &Frame) -> Vec<(&'static str, String)> {
    if filter.is_empty() || !frame.may_operate() {
        return Vec::new();
    }
    let query = query_of(filter);
    let link = |(text, kind)| {
        let place = format!("/ui/actions/new?action={kind}&{query}");
        (text, frame.link(&place))
    };
    let fitting = match filter.status {
        Some(JobStatus::Pending | JobStatus::Processing) => vec![("Cancel all…", "cancel")],
        Some(JobStatus::Failed | JobStatus::Cancelled) => {
            vec![("Retry all…", "retry"), ("Delete all…", "delete")]
        }
        Some(JobStatus::Completed) | None => vec![("Delete all…", "delete")],
    };
    fitting.into_iter().map(link).collect()
}

fn statuses(filters: &Filters) -> Vec<Choice> {
    let words = [
        ("", "All"),
        (JobStatus::Pending.as_str(), "Pending"),
        (JobStatus::Processing.as_str(), "In work"),
        (JobStatus::Completed.as_str(), "Completed"),
        (JobStatus::Failed.as_str(), "Failed"),
        (JobStatus::Cancelled.as_str(), "Cancelled"),
    ];
    let choice = |(value, text)| Choice {
        value,
        text,
        is_chosen: filters.status == value,
    };
    words.into_iter().map(choice).collect()
}

fn codes(filters: &Filters) -> Vec<Choice> {
    let codes = FailureCode::ALL.iter().map(|code| Choice {
        value: code.as_str(),
        text: code.as_str(),
        is_chosen: filters.error_code == code.as_str(),
    });
    codes.collect()
}

fn sentence(fault: &thumbforge_intake::RequestFault) -> String {
    let name = fault.parameter.as_deref().unwrap_or("The query");
    format!("{name} {}", fault.detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_fields_ask_for_nothing() {
        let asked = Asked::read("status=&error_code=&host=+&cursor=&created_after=");
        assert!(asked.list_query().unwrap().filter.is_empty());
    }

    #[test]
    fn a_moment_may_lack_its_seconds() {
        let asked =
            Asked::read("created_after=2026-01-31T12:00&created_before=2026-01-31T12:00:01");
        let filter = asked.list_query().unwrap().filter;
        let moment = filter.created_after.unwrap().to_string();
        assert_eq!(moment, "2026-01-31T12:00:00.000000Z");
        assert!(filter.created_before.is_some());
    }

    #[test]
    fn moments_that_a_field_can_not_hold_stay_as_they_are() {
        for value in ["", "2026-01-31T12:00", "2026-01-31T12:00:01"] {
            assert_eq!(Filters::kind_of(value), "datetime-local");
        }
        assert_eq!(Filters::kind_of("2026-01-31T12:00:00.000001Z"), "text");
    }

    #[test]
    fn what_is_unknown_or_given_twice_is_refused() {
        for query in ["state=failed", "host=a&host=b", "status=done", "cursor=x"] {
            assert!(Asked::read(query).list_query().is_err(), "{query}");
        }
    }
}
