//! Changes of many jobs: how many they are is shown before anything is done.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use crate::db::DbError;
use crate::domain::JobFilter;
use crate::domain::action::{Action, ActionKind, ActionStatus, ActionTarget};
use crate::http::ApiState;
use crate::http::shared::{Caller, Problem, ProblemKind, actions as api};
use crate::ui::filter::{filter_of, query_of, words_of};
use crate::ui::frame::{Frame, Section, answer, see};
use crate::ui::picture::Card;
use crate::ui::times::{When, grouped};

/// Jobs that are shown as examples.
const EXAMPLES: u32 = 6;
/// Actions on the list.
const NEWEST: u32 = 50;

#[derive(Template)]
#[template(path = "action_new.html")]
struct NewPage {
    frame: Frame,
    kind: &'static str,
    words: Vec<String>,
    count: u64,
    shown_count: String,
    filter: String,
    examples: Vec<Card>,
    back: String,
}

/// A kind of action, and the filter that follows it.
fn asked(query: &str) -> Result<(ActionKind, JobFilter), Problem> {
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    let (named, others): (Vec<_>, Vec<_>) = pairs.partition(|(name, _)| name == "action");
    let rest = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(others)
        .finish();
    let word = named.first().map_or("", |(_, value)| value);
    Ok((kind(word)?, filter_of(&rest)?))
}

fn kind(word: &str) -> Result<ActionKind, Problem> {
    let known = ActionKind::ALL
        .into_iter()
        .find(|kind| kind.as_str() == word);
    let detail = "An action is retry, cancel or delete.";
    known.ok_or_else(|| Problem::new(ProblemKind::InvalidQuery, detail))
}

/// Counts the jobs, and asks.
pub async fn ask(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let (kind, filter) = asked(request.query_string())?;
    let wanted = filter.clone();
    let counting = state.ask(move |database| async move {
        let (target, count) = database.freeze(ActionTarget::Filter(wanted)).await?;
        let frozen = match target {
            ActionTarget::Filter(filter) => filter,
            ActionTarget::Ids(_) => JobFilter::default(),
        };
        let examples = database.list(&frozen, EXAMPLES, 0, None).await?;
        Ok::<_, DbError>((frozen, count, examples.jobs))
    });
    let (frozen, count, examples) = counting.await?;
    let frame = Frame::of(&request, Section::Actions, "Change many jobs");
    let page = NewPage {
        kind: kind.as_str(),
        words: words_of(&filter),
        count,
        shown_count: grouped(count),
        filter: query_of(&frozen),
        examples: examples.iter().map(|job| Card::new(job, &frame)).collect(),
        back: frame.link(&format!("/ui/jobs?{}", query_of(&filter))),
        frame,
    };
    answer(StatusCode::OK, &page)
}

#[derive(Deserialize)]
pub struct BeginForm {
    action: String,
    filter: String,
    expected_count: u64,
}

/// Begins, if as many jobs match as were shown.
pub async fn begin(
    request: HttpRequest,
    state: web::Data<ApiState>,
    form: web::Form<BeginForm>,
) -> Result<HttpResponse, Problem> {
    let (kind, filter) = (kind(&form.action)?, filter_of(&form.filter)?);
    let target = ActionTarget::Filter(filter);
    let (caller, expected) = (Caller::of(&request), Some(form.expected_count));
    let action = api::begin_on(&state, kind, target, expected, &caller).await?;
    Ok(see(&format!("/ui/actions/{}", action.id)))
}

#[derive(Template)]
#[template(path = "action.html")]
struct ActionPage {
    frame: Frame,
    action: Shown,
    href: String,
}

struct Shown {
    href: String,
    kind: &'static str,
    status: &'static str,
    is_running: bool,
    words: Vec<String>,
    matched: u64,
    done: u64,
    /// Done, skipped and failed.
    over: u64,
    skipped: u64,
    failed: u64,
    submitted_by: Option<String>,
    created: When,
}

impl Shown {
    fn new(action: &Action, frame: &Frame) -> Self {
        let counts = action.counts;
        Self {
            href: frame.link(&format!("/ui/actions/{}", action.id)),
            kind: action.kind.as_str(),
            status: action.status.as_str(),
            is_running: action.status == ActionStatus::Running,
            words: match &action.target {
                ActionTarget::Filter(filter) => words_of(filter),
                ActionTarget::Ids(ids) => vec![format!("{} by their ids", ids.len())],
            },
            matched: counts.matched,
            done: counts.done,
            over: counts.done + counts.skipped + counts.failed,
            skipped: counts.skipped,
            failed: counts.failed,
            submitted_by: action.submitted_by.clone(),
            created: action.created_at.into(),
        }
    }
}

pub async fn show(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let action = api::find(&state, api::action_id(&request)?).await?;
    let frame = Frame::of(&request, Section::Actions, "Change of many jobs");
    let page = ActionPage {
        href: frame.link(&format!("/ui/actions/{}", action.id)),
        action: Shown::new(&action, &frame),
        frame,
    };
    answer(StatusCode::OK, &page)
}

pub async fn abort(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let id = api::action_id(&request)?;
    api::abort(request, state).await?;
    Ok(see(&format!("/ui/actions/{id}")))
}

#[derive(Template)]
#[template(path = "actions.html")]
struct ActionsPage {
    frame: Frame,
    actions: Vec<Shown>,
}

pub async fn list(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let asked = state.ask(|database| async move { database.newest_actions(NEWEST).await });
    let actions = asked.await?;
    let frame = Frame::of(&request, Section::Actions, "Actions");
    let actions = actions
        .iter()
        .map(|action| Shown::new(action, &frame))
        .collect();
    answer(StatusCode::OK, &ActionsPage { actions, frame })
}
