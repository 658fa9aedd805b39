//! Tags as the API describes them.

use serde_json::json;
use utoipa::openapi::schema::{ArrayBuilder, SchemaType};
use utoipa::openapi::{ObjectBuilder, Schema, Type};

/// The member `tags` of a submission.
pub(crate) fn tags() -> Schema {
    let tag = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(64))
        // No control characters: those of ASCII and of Latin-1.
        .pattern(Some("^[^\\x00-\\x1f\\x7f-\\x9f]*$"));
    let list = ArrayBuilder::new()
        .description(Some("Texts by which the job is found."))
        .schema_type(SchemaType::from_iter([Type::Array, Type::Null]))
        .items(tag)
        .max_items(Some(10))
        .unique_items(true)
        .examples([json!(["harbour"])]);
    Schema::from(list)
}
