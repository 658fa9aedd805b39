//! Tags and types of events as the API describes them.

use serde_json::json;
use utoipa::openapi::schema::{ArrayBuilder, SchemaType};
use utoipa::openapi::{ObjectBuilder, Schema, Type};

use crate::event_type::EventType;

/// The member `tags` of a submission.
pub(crate) fn tags() -> Schema {
    list("Texts by which the job is found.", 0)
}

/// The member `tags` of a receiver of events.
pub(crate) fn wanted_tags() -> Schema {
    let description = "It receives events of jobs with one of these tags; null: all events.";
    list(description, 1)
}

/// The member `events` of a receiver of events.
pub(crate) fn wanted_events() -> Schema {
    let event = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(EventType::ALL.map(EventType::as_str)));
    let list = ArrayBuilder::new()
        .description(Some("The types of events that it receives; null: all."))
        .schema_type(SchemaType::from_iter([Type::Array, Type::Null]))
        .items(event)
        .min_items(Some(1))
        .max_items(Some(EventType::ALL.len()))
        .unique_items(true)
        .examples([json!(["image.failed"])]);
    Schema::from(list)
}

fn list(description: &str, least: usize) -> Schema {
    let tag = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(64))
        // No control characters: those of ASCII and of Latin-1.
        .pattern(Some("^[^\\x00-\\x1f\\x7f-\\x9f]*$"));
    let list = ArrayBuilder::new()
        .description(Some(description))
        .schema_type(SchemaType::from_iter([Type::Array, Type::Null]))
        .items(tag)
        .min_items(Some(least))
        .max_items(Some(10))
        .unique_items(true)
        .examples([json!(["harbour"])]);
    Schema::from(list)
}
