//! Receivers of events, and the log of what was sent to each.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use crate::db::WebhookChange;
use crate::domain::webhook::{Delivery, DisabledReason, Webhook};
use crate::http::ApiState;
use crate::http::shared::{Problem, webhook_deliveries, webhooks as api};
use crate::ui::frame::{Frame, Section, answer, see};
use crate::ui::times::{When, length};

/// Deliveries in the log of a receiver.
const NEWEST: u32 = 50;

#[derive(Template)]
#[template(path = "webhooks.html")]
struct WebhooksPage {
    frame: Frame,
    webhooks: Vec<Shown>,
}

#[derive(Template)]
#[template(path = "webhook.html")]
struct WebhookPage {
    frame: Frame,
    webhook: Shown,
    deliveries: Vec<Sent>,
}

struct Shown {
    href: String,
    url: String,
    description: Option<String>,
    events: String,
    tags: String,
    state: &'static str,
    /// The state that it looks like.
    kind: &'static str,
    is_disabled: bool,
    since: Option<When>,
    last_success: Option<When>,
}

struct Sent {
    event: String,
    status: &'static str,
    kind: &'static str,
    attempts: u32,
    /// What the receiver answered.
    outcome: String,
    when: When,
    due: Option<When>,
    resend: String,
}

pub async fn list(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let asked = state.ask(|database| async move { database.webhooks().await });
    let webhooks = asked.await?;
    let frame = Frame::of(&request, Section::Webhooks, "Webhooks");
    let webhooks = webhooks
        .into_iter()
        .map(|webhook| shown(webhook, &frame))
        .collect();
    answer(StatusCode::OK, &WebhooksPage { webhooks, frame })
}

pub async fn show(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let id = api::webhook_id(&request)?;
    let webhook = api::find(&state, id).await?;
    let asked =
        state.ask(move |database| async move { database.deliveries(id, None, NEWEST, None).await });
    let deliveries = asked.await?.deliveries;
    let frame = Frame::of(&request, Section::Webhooks, "Webhook");
    let webhook = shown(webhook, &frame);
    let sent = |delivery| sent(delivery, &webhook.href);
    let page = WebhookPage {
        deliveries: deliveries.into_iter().map(sent).collect(),
        webhook,
        frame,
    };
    answer(StatusCode::OK, &page)
}

fn shown(webhook: Webhook, frame: &Frame) -> Shown {
    let (state, kind, since) = match (webhook.disabled, webhook.failing_since) {
        (Some((since, reason)), _) => {
            let state = match reason {
                DisabledReason::Operator => "disabled",
                DisabledReason::Gone => "disabled: it answered 410",
                DisabledReason::Failing => "disabled: it failed for days",
            };
            (state, "cancelled", Some(since))
        }
        (None, Some(since)) => ("failing", "failed", Some(since)),
        (None, None) => ("active", "completed", None),
    };
    let events = webhook.filter.events.map(|events| {
        let words: Vec<_> = events
            .into_iter()
            .map(thumbforge_intake::EventType::as_str)
            .collect();
        words.join(", ")
    });
    Shown {
        href: frame.link(&format!("/ui/webhooks/{}", webhook.id)),
        url: webhook.url,
        description: webhook.description,
        events: events.unwrap_or_else(|| "all events".to_owned()),
        tags: webhook
            .filter
            .tags
            .map(|tags| tags.join(", "))
            .unwrap_or_default(),
        state,
        kind,
        is_disabled: webhook.disabled.is_some(),
        since: since.map(When::from),
        last_success: webhook.last_success_at.map(When::from),
    }
}

fn sent(delivery: Delivery, webhook: &str) -> Sent {
    let last = delivery.last;
    let mut outcome: Vec<String> = Vec::new();
    outcome.extend(last.response_status.map(|status| format!("HTTP {status}")));
    outcome.extend(last.error);
    outcome.extend(last.duration.map(length));
    let status = delivery.status.as_str();
    Sent {
        event: delivery.event_type,
        status,
        kind: if status == "delivered" {
            "completed"
        } else {
            status
        },
        attempts: delivery.attempts,
        outcome: outcome.join(" · "),
        when: delivery.updated_at.into(),
        due: delivery.due_at.map(When::from),
        resend: format!("{webhook}/deliveries/{}/resend", delivery.id),
    }
}

pub async fn test(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let id = api::webhook_id(&request)?;
    webhook_deliveries::send_test(&state, id).await?;
    Ok(see(&format!("/ui/webhooks/{id}?done=test-sent")))
}

pub async fn resend(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let id = api::webhook_id(&request)?;
    webhook_deliveries::resend(request, state).await?;
    Ok(see(&format!("/ui/webhooks/{id}?done=resent")))
}

pub async fn enable(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    change(&request, &state, false).await
}

pub async fn disable(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    change(&request, &state, true).await
}

async fn change(
    request: &HttpRequest,
    state: &ApiState,
    disabled: bool,
) -> Result<HttpResponse, Problem> {
    let id = api::webhook_id(request)?;
    api::find(state, id).await?;
    let change = WebhookChange {
        url: None,
        description: None,
        events: None,
        tags: None,
        disabled: Some(disabled),
    };
    state
        .ask(move |database| async move { database.change_webhook(id, change).await })
        .await?;
    let done = if disabled {
        "webhook-disabled"
    } else {
        "webhook-enabled"
    };
    Ok(see(&format!("/ui/webhooks/{id}?done={done}")))
}
