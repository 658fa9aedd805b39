//! `/v1/webhooks` and `/v1/webhooks/{webhook_id}`

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use thumbforge_intake::{RequestFault, RotateBody, WebhookBody, WebhookPatch};
use uuid::Uuid;

use crate::db::{NewWebhook, WebhookChange};
use crate::domain::webhook::{Webhook, WebhookFilter};
use crate::http::body;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::problem_kind::ProblemKind;
use crate::http::state::ApiState;
use crate::http::submission::judged;
use crate::http::webhook_dto::{WebhookAnswer, WebhooksBody};
use crate::webhooks::SecretBox;

/// Each is looked after several times a second.
const MOST_WEBHOOKS: usize = 100;

/// Make a webhook
///
/// Events that happen from now on are posted to its URL, signed as Standard Webhooks says. The
/// answer is the only one that shows the secret.
#[utoipa::path(
    post,
    path = "/v1/webhooks",
    tag = "webhooks",
    operation_id = "createWebhook",
    request_body(content = WebhookBody, content_type = "application/json"),
    responses((status = 201, description = "The webhook, with its secret", body = WebhookAnswer,
        headers(("Location" = String, description = "Path of the webhook"))))
)]
pub async fn create(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let body: WebhookBody = body::read_object(&request, payload).await?;
    let url = acceptable(&body.url, &state)?;
    if state
        .ask(move |database| async move { database.webhooks().await })
        .await?
        .len()
        >= MOST_WEBHOOKS
    {
        let detail = format!("There are {MOST_WEBHOOKS} webhooks: delete one that is not needed.");
        return Err(Problem::new(ProblemKind::TooManyWebhooks, detail));
    }
    let secret = SecretBox::generate();
    let new = NewWebhook {
        url,
        description: body.description.value(),
        filter: WebhookFilter {
            events: body.events.value(),
            tags: body.tags.value(),
        },
        secret: sealed(&state, &secret)?,
        submitted_by: Caller::of(&request).label(),
    };
    let webhook = state
        .ask(move |database| async move { database.create_webhook(new).await })
        .await?;
    let place = format!("/v1/webhooks/{}", webhook.id);
    Ok(HttpResponse::Created()
        .insert_header((header::LOCATION, place))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(WebhookAnswer::from(webhook).with_secret(secret)))
}

/// List the webhooks
#[utoipa::path(
    get,
    path = "/v1/webhooks",
    tag = "webhooks",
    operation_id = "listWebhooks",
    responses((status = 200, description = "All of them, at most 100", body = WebhooksBody))
)]
pub async fn list(state: web::Data<ApiState>) -> Result<HttpResponse, Problem> {
    let webhooks = state
        .ask(move |database| async move { database.webhooks().await })
        .await?;
    let items = webhooks.into_iter().map(WebhookAnswer::from).collect();
    Ok(HttpResponse::Ok().json(WebhooksBody { items }))
}

/// Show a webhook
#[utoipa::path(
    get,
    path = "/v1/webhooks/{webhook_id}",
    tag = "webhooks",
    operation_id = "showWebhook",
    params(("webhook_id" = uuid::Uuid, Path, description = "The id of the webhook")),
    responses((status = 200, description = "The webhook", body = WebhookAnswer))
)]
pub async fn show(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let webhook = find(&state, webhook_id(&request)?).await?;
    Ok(HttpResponse::Ok().json(WebhookAnswer::from(webhook)))
}

/// Change a webhook
///
/// A webhook that is enabled again receives what happens from then on, and deliveries that were
/// pending. `recover` brings what happened in between.
#[utoipa::path(
    patch,
    path = "/v1/webhooks/{webhook_id}",
    tag = "webhooks",
    operation_id = "changeWebhook",
    params(("webhook_id" = uuid::Uuid, Path, description = "The id of the webhook")),
    request_body(content = WebhookPatch, content_type = "application/json"),
    responses((status = 200, description = "The webhook, changed", body = WebhookAnswer))
)]
pub async fn change(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let id = webhook_id(&request)?;
    let patch: WebhookPatch = body::read_object(&request, payload).await?;
    let url = patch.url.map(|url| acceptable(&url, &state)).transpose()?;
    find(&state, id).await?;
    let change = WebhookChange {
        url,
        description: patch.description.change(),
        events: patch.events.change(),
        tags: patch.tags.change(),
        disabled: patch.disabled,
    };
    state
        .ask(move |database| async move { database.change_webhook(id, change).await })
        .await?;
    let webhook = find(&state, id).await?;
    Ok(HttpResponse::Ok().json(WebhookAnswer::from(webhook)))
}

/// Delete a webhook
///
/// With its deliveries, also those that are pending.
#[utoipa::path(
    delete,
    path = "/v1/webhooks/{webhook_id}",
    tag = "webhooks",
    operation_id = "deleteWebhook",
    params(("webhook_id" = uuid::Uuid, Path, description = "The id of the webhook")),
    responses((status = 204, description = "It is gone"))
)]
pub async fn delete(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let id = webhook_id(&request)?;
    match state
        .ask(move |database| async move { database.delete_webhook(id).await })
        .await?
    {
        true => Ok(HttpResponse::NoContent().finish()),
        false => Err(no_such_webhook()),
    }
}

/// Exchange the secret of a webhook
///
/// The old one signs too for `overlap_seconds`. The answer is the only one that shows the new one.
#[utoipa::path(
    post,
    path = "/v1/webhooks/{webhook_id}/secret/rotate",
    tag = "webhooks",
    operation_id = "rotateWebhookSecret",
    params(("webhook_id" = uuid::Uuid, Path, description = "The id of the webhook")),
    request_body(content = RotateBody, content_type = "application/json"),
    responses((status = 200, description = "The webhook, with its new secret", body = WebhookAnswer))
)]
pub async fn rotate(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let id = webhook_id(&request)?;
    let body: Option<RotateBody> = body::read_optional_object(&request, payload).await?;
    let overlap = body.unwrap_or_default().overlap();
    let secret = SecretBox::generate();
    let kept = sealed(&state, &secret)?;
    if !state
        .ask(move |database| async move { database.rotate_webhook_secret(id, kept, overlap).await })
        .await?
    {
        return Err(no_such_webhook());
    }
    let webhook = find(&state, id).await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(WebhookAnswer::from(webhook).with_secret(secret)))
}

pub(crate) async fn find(state: &ApiState, id: Uuid) -> Result<Webhook, Problem> {
    let found = state
        .ask(move |database| async move { database.find_webhook(id).await })
        .await?;
    found.ok_or_else(no_such_webhook)
}

/// The `{webhook_id}` of the path.
pub(crate) fn webhook_id(request: &HttpRequest) -> Result<Uuid, Problem> {
    let text = request.match_info().query("webhook_id");
    Uuid::parse_str(text).map_err(|_| {
        let fault = RequestFault::in_parameter("webhook_id", "must be a UUID");
        let detail = "Use the id that POST /v1/webhooks returned.";
        Problem::new(ProblemKind::InvalidWebhookId, detail).with_errors(vec![fault])
    })
}

fn no_such_webhook() -> Problem {
    Problem::new(ProblemKind::WebhookNotFound, "No webhook has this id.")
}

fn acceptable(text: &str, state: &ApiState) -> Result<String, Problem> {
    let url = judged(text, &state.webhook_check, ProblemKind::ForbiddenReceiver)?;
    Ok(url.as_str().to_owned())
}

fn sealed(state: &ApiState, secret: &str) -> Result<String, Problem> {
    if !state.secrets.is_locked() {
        tracing::warn!(
            "the secrets of webhooks are not encrypted in the database: set THUMBFORGE_SECRETS_KEY"
        );
    }
    state.secrets.seal(secret).map_err(|error| {
        tracing::error!(%error, "a secret can't be kept");
        Problem::internal()
    })
}
