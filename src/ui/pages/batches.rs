//! Jobs that were submitted together.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use thumbforge_intake::query::{cursor, read_cursor};

use crate::domain::{Batch, BatchStatus};
use crate::http::ApiState;
use crate::http::shared::{Problem, ProblemKind, batch_life, batches as api};
use crate::ui::frame::{Frame, Section, answer, see};
use crate::ui::times::{When, grouped};

const PAGE: u32 = 50;

#[derive(Template)]
#[template(path = "batches.html")]
struct BatchesPage {
    frame: Frame,
    batches: Vec<Shown>,
    next: Option<String>,
    is_first: bool,
}

struct Shown {
    id: String,
    status: &'static str,
    /// The state that it looks like.
    kind: &'static str,
    jobs: String,
    href: String,
    total: u64,
    over: u64,
    /// What became of the items, without what is none.
    parts: Vec<String>,
    submitted_by: Option<String>,
    created: When,
    may_cancel: bool,
    may_retry: bool,
}

pub async fn list(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let query = url::form_urlencoded::parse(request.query_string().as_bytes());
    let mut given = query.into_iter().filter(|(name, _)| name == "cursor");
    let after = match given.next() {
        None => None,
        Some((_, text)) => Some(read_cursor(&text).ok_or_else(|| {
            let detail = "The link to this page is damaged.";
            Problem::new(ProblemKind::InvalidQuery, detail)
        })?),
    };
    let is_first = after.is_none();
    let asked =
        state.ask(move |database| async move { database.list_batches(None, PAGE, after).await });
    let page = asked.await?;
    let frame = Frame::of(&request, Section::Batches, "Batches");
    let next = page.next.map(cursor);
    let page = BatchesPage {
        next: next.map(|cursor| frame.link(&format!("/ui/batches?cursor={cursor}"))),
        batches: page
            .batches
            .into_iter()
            .map(|batch| shown(batch, &frame))
            .collect(),
        is_first,
        frame,
    };
    answer(StatusCode::OK, &page)
}

fn shown(batch: Batch, frame: &Frame) -> Shown {
    let counts = batch.counts;
    let deleted = counts.deleted();
    let parts = [
        (counts.completed, "completed"),
        (counts.reused, "known before"),
        (counts.failed, "failed"),
        (counts.rejected, "rejected"),
        (counts.cancelled, "cancelled"),
        (counts.processing, "in work"),
        (counts.pending, "pending"),
        (deleted, "deleted"),
    ];
    let may_change = frame.may_change(batch.submitted_by.as_deref());
    let is_open = batch.finished_at.is_none();
    Shown {
        jobs: frame.link(&format!("/ui/jobs?batch_id={}", batch.id)),
        href: frame.link(&format!("/ui/batches/{}", batch.id)),
        id: batch.id.to_string(),
        status: match batch.status {
            BatchStatus::PartiallyFailed => "partly failed",
            status => status.as_str(),
        },
        kind: match batch.status {
            BatchStatus::Completed => "completed",
            BatchStatus::Failed | BatchStatus::PartiallyFailed => "failed",
            BatchStatus::Running | BatchStatus::Accepting => "processing",
            BatchStatus::Cancelled => "cancelled",
        },
        total: counts.total,
        over: counts
            .total
            .saturating_sub(counts.pending + counts.processing),
        parts: parts
            .into_iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, word)| format!("{} {word}", grouped(number)))
            .collect(),
        submitted_by: batch.submitted_by,
        created: batch.created_at.into(),
        may_cancel: may_change && is_open,
        may_retry: may_change && counts.failed + counts.cancelled > 0,
    }
}

pub async fn cancel(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    api::batch_id(&request)?;
    batch_life::cancel(request, state).await?;
    Ok(see("/ui/batches?done=batch-cancelled"))
}

pub async fn retry(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    api::batch_id(&request)?;
    batch_life::retry(request, state).await?;
    Ok(see("/ui/batches?done=batch-retried"))
}
