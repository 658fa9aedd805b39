//! Receivers of events, as rows.

use std::time::Duration;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::pools::{read_query, write_query, write_transaction};
use super::schema::{webhook_deliveries, webhooks};
use super::types::{Id, Moment};
use super::{Database, DbError, clock};
use crate::domain::EventType;
use crate::domain::webhook::{DisabledReason, Webhook, WebhookFilter};

/// A receiver to be made.
#[derive(Debug, Clone)]
pub struct NewWebhook {
    pub url: String,
    pub description: Option<String>,
    pub filter: WebhookFilter,
    /// As it is to be kept.
    pub secret: String,
    pub submitted_by: Option<String>,
}

/// What of a receiver changes; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct WebhookChange {
    pub url: Option<String>,
    pub description: Option<Option<String>>,
    pub events: Option<Option<Vec<EventType>>>,
    pub tags: Option<Option<Vec<String>>>,
    pub disabled: Option<bool>,
}

/// The secrets that sign at present, as they are kept; the newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSecrets(pub Vec<String>);

#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = webhooks)]
pub(super) struct WebhookRow {
    id: Id,
    url: String,
    description: Option<String>,
    events: Option<String>,
    tags: Option<String>,
    failing_since: Option<Moment>,
    last_success_at: Option<Moment>,
    disabled_at: Option<Moment>,
    disabled_reason: Option<String>,
    submitted_by: Option<String>,
    created_at: Moment,
    updated_at: Moment,
}

/// What a changed row becomes; `None` leaves a column as it is, `Some(None)` makes it null.
#[derive(AsChangeset)]
#[diesel(table_name = webhooks)]
struct Changeset {
    url: Option<String>,
    description: Option<Option<String>>,
    events: Option<Option<String>>,
    tags: Option<Option<String>>,
    disabled_reason: Option<Option<&'static str>>,
}

impl TryFrom<WebhookRow> for Webhook {
    type Error = DbError;

    fn try_from(row: WebhookRow) -> Result<Self, DbError> {
        let unreadable = || DbError::Unreadable(format!("webhook {}", row.id.0));
        let list = |json: Option<&str>| {
            let list = json.map(serde_json::from_str::<Vec<String>>).transpose();
            list.map_err(|_| unreadable())
        };
        let events = list(row.events.as_deref())?
            .map(|words| words.iter().map(|word| word.parse()).collect())
            .transpose()
            .map_err(|_| unreadable())?;
        let disabled = match (row.disabled_at, row.disabled_reason.as_deref()) {
            (Some(Moment(moment)), Some(word)) => {
                Some((moment, DisabledReason::of(word).ok_or_else(unreadable)?))
            }
            _ => None,
        };
        Ok(Self {
            id: row.id.0,
            url: row.url,
            description: row.description,
            filter: WebhookFilter {
                events,
                tags: list(row.tags.as_deref())?,
            },
            failing_since: row.failing_since.map(|Moment(moment)| moment),
            last_success_at: row.last_success_at.map(|Moment(moment)| moment),
            disabled,
            submitted_by: row.submitted_by,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        })
    }
}

fn words(events: Vec<EventType>) -> String {
    let words: Vec<&str> = events.iter().map(|event| event.as_str()).collect();
    serde_json::json!(words).to_string()
}

impl Database {
    /// Makes a receiver of what happens from now on.
    pub async fn create_webhook(&self, new: NewWebhook) -> Result<Webhook, DbError> {
        let newest = self.event_range().await?.newest;
        let newest = i64::try_from(newest).unwrap_or(i64::MAX);
        let row: WebhookRow = write_query!(self.pools, connection => diesel::insert_into(webhooks::table)
            .values((
                webhooks::id.eq(Id(Uuid::now_v7())),
                webhooks::url.eq(new.url),
                webhooks::description.eq(new.description),
                webhooks::events.eq(new.filter.events.map(words)),
                webhooks::tags.eq(new.filter.tags.map(|tags| serde_json::json!(tags).to_string())),
                webhooks::secret.eq(new.secret),
                webhooks::position.eq(newest),
                webhooks::submitted_by.eq(new.submitted_by),
                webhooks::created_at.eq(clock::now()),
                webhooks::updated_at.eq(clock::now()),
            ))
            .returning(WebhookRow::as_returning())
            .get_result(connection)
            .await)?;
        Webhook::try_from(row)
    }

    /// All receivers, the oldest first.
    pub async fn webhooks(&self) -> Result<Vec<Webhook>, DbError> {
        let rows: Vec<WebhookRow> = read_query!(self.pools, connection => webhooks::table
            .select(WebhookRow::as_select())
            .order(webhooks::id.asc())
            .load(connection)
            .await)?;
        rows.into_iter().map(Webhook::try_from).collect()
    }

    pub async fn find_webhook(&self, id: Uuid) -> Result<Option<Webhook>, DbError> {
        let row: Option<WebhookRow> = read_query!(self.pools, connection => webhooks::table
            .find(Id(id))
            .select(WebhookRow::as_select())
            .first(connection)
            .await
            .optional())?;
        row.map(Webhook::try_from).transpose()
    }

    /// Changes a receiver, if it is there. One that is enabled again receives what happens from
    /// then on, and what it had still to receive.
    pub async fn change_webhook(&self, id: Uuid, change: WebhookChange) -> Result<(), DbError> {
        let newest = self.event_range().await?.newest;
        let newest = i64::try_from(newest).unwrap_or(i64::MAX);
        let WebhookChange {
            url,
            description,
            events,
            tags,
            disabled,
        } = change;
        let operator = DisabledReason::Operator.as_str();
        let changes = Changeset {
            url,
            description,
            events: events.map(|events| events.map(words)),
            tags: tags.map(|tags| tags.map(|tags| serde_json::json!(tags).to_string())),
            disabled_reason: disabled.map(|disabled| disabled.then_some(operator)),
        };
        write_transaction!(self.pools, connection => {
            let this = || webhooks::table.find(Id(id));
            match disabled {
                // One that is disabled already stays as it is.
                Some(true) => {
                    diesel::update(this().filter(webhooks::disabled_at.is_null()))
                        .set(webhooks::disabled_at.eq(clock::now().nullable()))
                        .execute(connection)
                        .await?;
                }
                Some(false) => {
                    diesel::update(this().filter(webhooks::disabled_at.is_not_null()))
                        .set((
                            webhooks::disabled_at.eq(None::<Moment>),
                            webhooks::failing_since.eq(None::<Moment>),
                            webhooks::position.eq(newest),
                        ))
                        .execute(connection)
                        .await?;
                }
                None => {}
            }
            diesel::update(this())
                .set((changes, webhooks::updated_at.eq(clock::now())))
                .execute(connection)
                .await
        })
        .map(|_| ())
    }

    /// Deletes a receiver and what it had to receive; returns whether it was there.
    pub async fn delete_webhook(&self, id: Uuid) -> Result<bool, DbError> {
        write_transaction!(self.pools, connection => {
            let deleted = diesel::delete(webhooks::table.find(Id(id)))
                .execute(connection)
                .await?;
            diesel::delete(
                webhook_deliveries::table.filter(webhook_deliveries::webhook_id.eq(Id(id))),
            )
            .execute(connection)
            .await?;
            Ok(deleted > 0)
        })
    }

    /// Gives a receiver a new secret; the old one signs too for `overlap`. Returns whether it was
    /// there.
    pub async fn rotate_webhook_secret(
        &self,
        id: Uuid,
        secret: String,
        overlap: Duration,
    ) -> Result<bool, DbError> {
        let changed = write_query!(self.pools, connection => diesel::update(
                webhooks::table.find(Id(id)),
            )
            .set((
                webhooks::old_secret.eq(webhooks::secret.nullable()),
                webhooks::old_secret_until.eq(clock::after(overlap).nullable()),
                webhooks::secret.eq(secret),
                webhooks::updated_at.eq(clock::now()),
            ))
            .execute(connection)
            .await)?;
        Ok(changed > 0)
    }

    /// Disables a receiver that does not want to be told, or has failed for too long.
    pub async fn disable_webhook(&self, id: Uuid, reason: DisabledReason) -> Result<(), DbError> {
        write_query!(self.pools, connection => diesel::update(
                webhooks::table.find(Id(id)).filter(webhooks::disabled_at.is_null()),
            )
            .set((
                webhooks::disabled_at.eq(clock::now().nullable()),
                webhooks::disabled_reason.eq(reason.as_str()),
                webhooks::updated_at.eq(clock::now()),
            ))
            .execute(connection)
            .await)
        .map(|_| ())
    }
}
