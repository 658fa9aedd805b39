//! What is sent to a webhook: `/v1/webhooks/{webhook_id}/deliveries`, `/test` and `/recover`

use actix_web::{HttpRequest, HttpResponse, web};
use thumbforge_intake::query::cursor;
use thumbforge_intake::requests::NothingBody;
use thumbforge_intake::{DeliveryQuery, RecoverBody, RequestFault};
use uuid::Uuid;

use super::webhooks::{find, webhook_id};
use crate::domain::webhook::{Delivery, DeliveryStatus};
use crate::http::body;
use crate::http::origin_dto::CursorPagination;
use crate::http::problem::Problem;
use crate::http::problem_kind::ProblemKind;
use crate::http::state::ApiState;
use crate::http::webhook_dto::{DeliveriesBody, DeliveryBody, WebhookAnswer};
use crate::webhooks::test_delivery;

/// List the deliveries of a webhook
///
/// Newest first.
#[utoipa::path(
    get,
    path = "/v1/webhooks/{webhook_id}/deliveries",
    tag = "webhooks",
    operation_id = "listDeliveries",
    params(
        ("webhook_id" = uuid::Uuid, Path, description = "The id of the webhook"),
        ("status" = Option<String>, Query, pattern = "^(pending|delivered|failed)$",
            description = "Only deliveries in this state"),
        ("cursor" = Option<String>, Query, min_length = 32, max_length = 32,
            pattern = "^[A-Za-z0-9_-]{32}$",
            description = "The `next_cursor` of the page before"),
        ("limit" = Option<u64>, Query, minimum = 1,
            description = "Deliveries on a page; a value above the server's maximum is capped"),
    ),
    responses((status = 200, description = "A page of deliveries", body = DeliveriesBody))
)]
pub async fn list(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let settings = &state.settings;
    let DeliveryQuery {
        status,
        limit,
        after,
    } = DeliveryQuery::parse(
        request.query_string(),
        settings.default_page_size,
        settings.max_page_size,
    )?;
    let id = webhook_id(&request)?;
    find(&state, id).await?;
    let status = status.and_then(DeliveryStatus::of);
    let page = state
        .ask(move |database| async move { database.deliveries(id, status, limit, after).await })
        .await?;
    Ok(HttpResponse::Ok().json(DeliveriesBody {
        items: page
            .deliveries
            .into_iter()
            .map(DeliveryBody::from)
            .collect(),
        pagination: CursorPagination {
            limit,
            next_cursor: page.next.map(cursor),
        },
    }))
}

/// Send a delivery again
///
/// The same body and `webhook-id`, with all its tries.
#[utoipa::path(
    post,
    path = "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/resend",
    tag = "webhooks",
    operation_id = "resendDelivery",
    params(
        ("webhook_id" = uuid::Uuid, Path, description = "The id of the webhook"),
        ("delivery_id" = uuid::Uuid, Path, description = "The id of the delivery"),
    ),
    responses((status = 202, description = "The delivery, pending", body = DeliveryBody))
)]
pub async fn resend(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let (webhook, id) = (webhook_id(&request)?, delivery_id(&request)?);
    find_delivery(&state, webhook, id).await?;
    state
        .ask(move |database| async move { database.resend_delivery(webhook, id).await })
        .await?;
    let delivery = find_delivery(&state, webhook, id).await?;
    Ok(HttpResponse::Accepted().json(DeliveryBody::from(delivery)))
}

/// Test a webhook
///
/// Sends it an event of the type `webhook.test`.
#[utoipa::path(
    post,
    path = "/v1/webhooks/{webhook_id}/test",
    tag = "webhooks",
    operation_id = "testWebhook",
    params(("webhook_id" = uuid::Uuid, Path, description = "The id of the webhook")),
    request_body(content = NothingBody, content_type = "application/json"),
    responses((status = 202, description = "The delivery, pending", body = DeliveryBody))
)]
pub async fn test(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let webhook = webhook_id(&request)?;
    let _: Option<NothingBody> = body::read_optional_object(&request, payload).await?;
    let delivery = send_test(&state, webhook).await?;
    Ok(HttpResponse::Accepted().json(DeliveryBody::from(delivery)))
}

/// Sends a webhook an event that did not happen.
pub(crate) async fn send_test(state: &ApiState, webhook: Uuid) -> Result<Delivery, Problem> {
    let found = find(state, webhook).await?;
    let new = test_delivery(
        &found,
        state
            .ask(|database| async move { database.now().await })
            .await?,
    );
    let id = state
        .ask(move |database| async move { database.add_test_delivery(webhook, new).await })
        .await?;
    find_delivery(state, webhook, id.unwrap_or_default()).await
}

/// Send a webhook what it missed
///
/// Events since a moment that it never received, and deliveries that failed. Events older than
/// `RETAIN_EVENTS` are gone.
#[utoipa::path(
    post,
    path = "/v1/webhooks/{webhook_id}/recover",
    tag = "webhooks",
    operation_id = "recoverWebhook",
    params(("webhook_id" = uuid::Uuid, Path, description = "The id of the webhook")),
    request_body(content = RecoverBody, content_type = "application/json"),
    responses((status = 202, description = "It will be sent", body = WebhookAnswer))
)]
pub async fn recover(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let id = webhook_id(&request)?;
    let RecoverBody { since } = body::read_object(&request, payload).await?;
    let webhook = find(&state, id).await?;
    state
        .ask(move |database| async move { database.recover_webhook(id, since).await })
        .await?;
    Ok(HttpResponse::Accepted().json(WebhookAnswer::from(webhook)))
}

async fn find_delivery(state: &ApiState, webhook: Uuid, id: Uuid) -> Result<Delivery, Problem> {
    state
        .ask(move |database| async move { database.find_delivery(webhook, id).await })
        .await?
        .ok_or_else(|| {
            Problem::new(
                ProblemKind::DeliveryNotFound,
                "No delivery of this webhook has this id.",
            )
        })
}

/// The `{delivery_id}` of the path.
fn delivery_id(request: &HttpRequest) -> Result<Uuid, Problem> {
    let text = request.match_info().query("delivery_id");
    Uuid::parse_str(text).map_err(|_| {
        let fault = RequestFault::in_parameter("delivery_id", "must be a UUID");
        let detail = "Use an id from the list of deliveries.";
        Problem::new(ProblemKind::InvalidDeliveryId, detail).with_errors(vec![fault])
    })
}
