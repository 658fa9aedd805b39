//! A variant in the API's description. [`crate::Variants`] reads it.

use serde_json::{Value, json};
use thumbforge_imaging::Format;
use utoipa::openapi::schema::{AnyOfBuilder, SchemaType};
use utoipa::openapi::{AllOfBuilder, ArrayBuilder, ObjectBuilder, Ref, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::variant::MOST_VARIANTS;

/// The members, and the sides that the fit needs.
pub struct VariantSchema;

impl PartialSchema for VariantSchema {
    fn schema() -> RefOr<Schema> {
        let sides = AnyOfBuilder::new()
            .description(Some(
                "With any fit but `inside` a variant needs both sides.",
            ))
            .item(needing(&["width", "height"]))
            .item(needing(&["width"]).property("fit", inside()))
            .item(needing(&["height"]).property("fit", inside()));
        let both = AllOfBuilder::new()
            .description(Some("One picture to be made of the source."))
            .item(Members::schema())
            .item(sides);
        Schema::from(both).into()
    }
}

impl ToSchema for VariantSchema {
    fn name() -> std::borrow::Cow<'static, str> {
        "Variant".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        <Members as ToSchema>::schemas(schemas);
    }
}

/// The variants of a job.
pub fn list() -> Schema {
    let variant = || Ref::from_schema_name(VariantSchema::name());
    let needed = ObjectBuilder::new()
        .schema_type(SchemaType::AnyValue)
        .enum_values(Some([Value::Bool(false), Value::Null]));
    let thumbnail = ObjectBuilder::new()
        .schema_type(SchemaType::AnyValue)
        .property("optional", needed);
    let first = AllOfBuilder::new().item(variant()).item(thumbnail);
    let list = ArrayBuilder::new()
        .description(Some(
            "What to make. The first is the job's thumbnail, and so not optional. Without it, and \
             without a preset, there is one thumbnail.",
        ))
        .schema_type(SchemaType::from_iter([Type::Array, Type::Null]))
        .prefix_items([first])
        .items(variant())
        .min_items(Some(1))
        .max_items(Some(MOST_VARIANTS));
    Schema::from(list)
}

/// An object in which these sides are given; `null` would be none.
fn needing(sides: &[&str]) -> ObjectBuilder {
    let empty = ObjectBuilder::new().schema_type(SchemaType::AnyValue);
    sides.iter().fold(empty, |object, side| {
        let whole = ObjectBuilder::new().schema_type(Type::Integer);
        object.property(*side, whole).required(*side)
    })
}

/// The fit that holds if none is given.
fn inside() -> ObjectBuilder {
    let values = [json!("inside"), Value::Null];
    ObjectBuilder::new()
        .schema_type(SchemaType::AnyValue)
        .enum_values(Some(values))
}

#[expect(dead_code, reason = "it is only described")]
#[derive(serde::Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Members {
    /// The name under which it is served; unique within the job.
    #[schema(pattern = "^[a-z0-9_-]{1,32}$", example = "card")]
    name: String,
    /// In pixels. One of `width` and `height` may be left out if `fit` is `inside`.
    #[schema(minimum = 1, maximum = 8192, example = 320)]
    width: Option<u32>,
    #[schema(minimum = 1, maximum = 8192, example = 240)]
    height: Option<u32>,
    /// `inside`: the whole picture, as large as fits. `cover`: fills the box, and the rest is cut
    /// off. `contain`: the whole picture, on a canvas of the box. `fill`: stretched to the box.
    #[schema(
        value_type = Option<String>,
        default = "inside",
        pattern = "^(inside|cover|contain|fill)$",
        example = "cover"
    )]
    fit: Option<String>,
    /// Which part `cover` keeps and where `contain` puts the picture: `center`, `north`,
    /// `northeast`, `east`, `southeast`, `south`, `southwest`, `west`, `northwest`, `attention`
    /// (the most salient part), or `x,y`, a point in shares of width and height from 0 to 1.
    #[schema(
        default = "center",
        pattern = "^(center|attention|(north|south)(east|west)?|east|west|(0?\\.[0-9]+|[01]|1\\.0+),(0?\\.[0-9]+|[01]|1\\.0+))$",
        example = "attention"
    )]
    gravity: Option<String>,
    #[schema(schema_with = format)]
    format: Option<Value>,
    /// By default each format has its own.
    #[schema(minimum = 1, maximum = 100, example = 80)]
    quality: Option<u8>,
    /// The best quality whose file is no larger.
    #[schema(minimum = 100, maximum = 1_000_000_000_u64, example = json!(null))]
    max_bytes: Option<u64>,
    /// Around the picture with `contain`, and under alpha where the format keeps none. By default
    /// transparent where the format keeps alpha, and white where not.
    #[schema(
        pattern = "^#([0-9A-Fa-f]{3,4}|[0-9A-Fa-f]{6}|[0-9A-Fa-f]{8})$",
        example = json!(null)
    )]
    background: Option<String>,
    /// Whether smaller sources are scaled up; an SVG or PDF always is.
    #[schema(default = false, example = false)]
    enlarge: Option<bool>,
    /// Standard deviation of a Gaussian blur, in pixels.
    #[schema(minimum = 0.3, maximum = 100, example = json!(null))]
    blur: Option<f32>,
    /// Strength of an unsharp mask.
    #[schema(minimum = 0, maximum = 10, example = json!(null))]
    sharpen: Option<f32>,
    #[schema(default = false, example = false)]
    grayscale: Option<bool>,
    /// A JPEG in scans that each show more of it: mostly the smallest file.
    #[schema(default = false, example = false)]
    progressive: Option<bool>,
    /// The WebP of a source that moves (GIF, WebP, APNG) moves too; other formats show the first
    /// frame. Without `webp` among the formats it changes nothing.
    #[schema(default = false, example = false)]
    animated: Option<bool>,
    /// The job completes even if this one can't be made. Not for the first.
    #[schema(default = false, example = false)]
    optional: Option<bool>,
}

/// One word, or a list of the formats.
fn format() -> Schema {
    let formats: Vec<&str> = Format::written().map(Format::word).collect();
    let word = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(formats.iter().copied().chain(["auto"])));
    let format = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(formats));
    let list = ArrayBuilder::new()
        .items(format)
        .min_items(Some(1))
        .max_items(Some(Format::written().count()))
        .unique_items(true);
    let either = AnyOfBuilder::new()
        .description(Some(
            "`jpeg`, `png`, `webp`, `avif`, or a list of them in the order of preference, the last \
             of which is the fallback; or `auto`: WebP, and JPEG as the fallback, or PNG if the \
             source has alpha.",
        ))
        .item(word)
        .item(list)
        .item(ObjectBuilder::new().schema_type(Type::Null))
        .default(Some(json!("jpeg")))
        .examples([json!(["webp", "jpeg"])]);
    Schema::from(either)
}
