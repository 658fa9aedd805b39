//! What the derived schemas of the description do not say by themselves.

use serde_json::Value;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{AdditionalProperties, AnyOfBuilder, SchemaType};
use utoipa::openapi::{
    AllOfBuilder, Components, ObjectBuilder, OneOfBuilder, Ref, RefOr, Required, Schema, Type,
};

/// The presets are known once the settings are; and a preset excludes variants.
pub(super) fn describe_presets<'a>(
    components: &mut Components,
    names: impl Iterator<Item = &'a str>,
) {
    let Some(RefOr::T(Schema::Object(mut members))) = components.schemas.remove("Submission")
    else {
        return;
    };
    if let Some(RefOr::T(Schema::Object(preset))) = members.properties.get_mut("preset") {
        preset.enum_values = Some(names.map(Value::from).chain([Value::Null]).collect());
    }
    let without = |member: &str| {
        let null = ObjectBuilder::new().schema_type(Type::Null);
        ObjectBuilder::new()
            .schema_type(SchemaType::AnyValue)
            .property(member, null)
    };
    let either = AnyOfBuilder::new()
        .item(without("preset"))
        .item(without("variants"));
    let either = Schema::from(either);
    let description = members.description.take();
    let mut defaults = members.clone();
    defaults.properties.shift_remove("url");
    defaults.required.retain(|name| name != "url");
    let submission = AllOfBuilder::new()
        .description(description)
        .item(members)
        .item(either.clone());
    let defaults = AllOfBuilder::new()
        .description(Some("Members of a submission without its URL."))
        .item(defaults)
        .item(either);
    for (name, schema) in [("Submission", submission), ("SubmissionDefaults", defaults)] {
        let schema = Schema::from(schema).into();
        components.schemas.insert(name.to_owned(), schema);
    }
    if let Some(RefOr::T(Schema::Object(batch))) = components.schemas.get_mut("BatchSubmission") {
        let null = ObjectBuilder::new().schema_type(Type::Null);
        let defaults = OneOfBuilder::new()
            .item(null)
            .item(Ref::from_schema_name("SubmissionDefaults"));
        let defaults = Schema::from(defaults).into();
        batch.properties.insert("defaults".to_owned(), defaults);
    }
}

/// Unknown members are refused. (The type that is read does not say so to utoipa.)
pub(super) fn describe_batches(components: &mut Components) {
    let batch = components.schemas.get_mut("BatchSubmission");
    if let Some(RefOr::T(Schema::Object(batch))) = batch {
        batch.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
    }
}

/// An action has either ids, each once, or a filter.
pub(super) fn describe_targets(components: &mut Components) {
    let Some(RefOr::T(Schema::Object(mut members))) = components.schemas.remove("ActionRequest")
    else {
        return;
    };
    if let Some(RefOr::T(Schema::Array(ids))) = members.properties.get_mut("ids") {
        ids.unique_items = true;
    }
    let null = || ObjectBuilder::new().schema_type(Type::Null);
    let only = |given: &str, other: &str, schema_type| {
        ObjectBuilder::new()
            .schema_type(SchemaType::AnyValue)
            .property(given, ObjectBuilder::new().schema_type(schema_type))
            .property(other, null())
            .required(given)
    };
    let either = AnyOfBuilder::new()
        .item(only("ids", "filter", Type::Array))
        .item(only("filter", "ids", Type::Object));
    let description = members.description.take();
    let request = AllOfBuilder::new()
        .description(description)
        .item(members)
        .item(either);
    let request = Schema::from(request).into();
    components
        .schemas
        .insert("ActionRequest".to_owned(), request);
    let filter = components.schemas.get_mut("ActionFilter");
    if let Some(RefOr::T(Schema::Object(filter))) = filter {
        filter.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
        // A member that is null does not count; that can't be said here.
        filter.min_properties = Some(1);
    }
}

/// utoipa marks a body optional only if its type may be `null`, which an absent body is not.
pub(super) fn let_body_be_left_out(operation: &mut Operation) {
    if let Some("pauseQueue" | "resumeQueue" | "testWebhook" | "rotateWebhookSecret") =
        operation.operation_id.as_deref()
        && let Some(RefOr::T(body)) = &mut operation.request_body
    {
        body.required = Some(Required::False);
    }
}

/// utoipa names the width of our integers; but a larger number in a query is capped, not refused.
pub(super) fn leave_numbers_unbounded(operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter
            && let Some(RefOr::T(Schema::Object(schema))) = &mut parameter.schema
            && schema.schema_type == SchemaType::Type(Type::Integer)
        {
            schema.format = None;
        }
    }
}
