//! What surrounds every page: its title, the way to the others, and its visitor.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::assets;
use super::gate::Visitor;
use crate::http::shared::{Prefix, Problem, Scope};

/// No inline script or style, nothing from elsewhere. Placeholders of pictures are `data:` URLs.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; \
    frame-ancestors 'none'";

/// A part of the dashboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    Overview,
    Jobs,
    Failures,
    Flow,
    Origins,
    Batches,
    Webhooks,
    Actions,
    /// None of those that the navigation names.
    Other,
}

/// A link of the navigation.
pub struct Link {
    pub href: String,
    pub text: &'static str,
    pub is_current: bool,
}

/// What the layout needs.
pub struct Frame {
    prefix: Prefix,
    visitor: Visitor,
    section: Section,
    pub title: String,
    /// What was just done.
    pub notice: Option<&'static str>,
}

impl Frame {
    pub fn of(request: &HttpRequest, section: Section, title: impl Into<String>) -> Self {
        Self {
            prefix: Prefix::of(request),
            visitor: Visitor::of(request),
            section,
            title: title.into(),
            notice: notice(request),
        }
    }

    /// `path` begins with a slash.
    pub fn link(&self, path: &str) -> String {
        self.prefix.link(path)
    }

    pub fn asset(&self, name: &str) -> String {
        self.link(&assets::path(name))
    }

    pub fn navigation(&self) -> Vec<Link> {
        let all = [
            (Section::Overview, "/ui", "Overview"),
            (Section::Jobs, "/ui/jobs", "Jobs"),
            (Section::Failures, "/ui/failures", "Failures"),
            (Section::Flow, "/ui/flow", "Curves"),
            (Section::Origins, "/ui/origins", "Origins"),
            (Section::Batches, "/ui/batches", "Batches"),
            (Section::Webhooks, "/ui/webhooks", "Webhooks"),
            (Section::Actions, "/ui/actions", "Actions"),
        ];
        // A visitor without that scope can't see them.
        let is_shown = |section| section != Section::Webhooks || self.may_operate();
        let link = |(section, path, text)| Link {
            href: self.link(path),
            text,
            is_current: self.section == section,
        };
        let all = all.into_iter().filter(|(section, ..)| is_shown(*section));
        all.map(link).collect()
    }

    pub fn key_name(&self) -> Option<&str> {
        self.visitor.key_name.as_deref()
    }

    pub fn may_submit(&self) -> bool {
        self.visitor.may(Scope::Submit)
    }

    pub fn may_operate(&self) -> bool {
        self.visitor.may(Scope::Operate)
    }

    /// Whether the visitor may change what this key submitted.
    pub fn may_change(&self, submitted_by: Option<&str>) -> bool {
        let is_own = self.key_name().is_some() && self.key_name() == submitted_by;
        self.may_operate() || (self.may_submit() && is_own)
    }
}

/// What the page before did: one of a few sentences, so that a link can't put words into our mouth.
fn notice(request: &HttpRequest) -> Option<&'static str> {
    let query = request.query_string();
    let done = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "done")?;
    Some(match &*done.1 {
        "submitted" => "Submitted. The picture appears here as soon as it is made.",
        "known" => "This picture was made before; here it is.",
        "retried" => "The job is pending again, with all its attempts.",
        "cancelled" => "The job is cancelled.",
        "origin-paused" => "The origin is paused: none of its jobs starts.",
        "origin-resumed" => "The origin is not paused any more.",
        "origin-reset" => "What was learned of the origin is forgotten.",
        "queue-paused" => "Everything is paused: no job starts.",
        "queue-resumed" => "Jobs start again.",
        "batch-cancelled" => "The batch is being cancelled.",
        "batch-retried" => "The failed and cancelled jobs of the batch are pending again.",
        "test-sent" => "A test is on its way; its delivery is the first of the log.",
        "resent" => "The delivery is sent again.",
        "webhook-enabled" => "The webhook receives events again.",
        "webhook-disabled" => "The webhook receives nothing until it is enabled.",
        "deleted" => "The job is deleted; its files follow within seconds.",
        _ => return None,
    })
}

/// A page, with this status.
pub fn answer(status: StatusCode, page: &impl Template) -> Result<HttpResponse, Problem> {
    let html = page.render().map_err(|error| {
        tracing::error!(%error, "a page could not be made");
        Problem::internal()
    })?;
    Ok(HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        // With `no-referrer` browsers would say of our forms that they come from nowhere.
        .insert_header((header::REFERRER_POLICY, "same-origin"))
        .body(html))
}

/// Leads on to another page, by GET.
pub fn see(path: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, path))
        .finish()
}
