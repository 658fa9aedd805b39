//! A variant as the API's description has it. It is read by [`crate::domain::Variants`].

use utoipa::ToSchema;

/// One picture to be made of the source.
#[expect(dead_code, reason = "it is only described")]
#[derive(ToSchema)]
#[schema(as = Variant)]
pub struct VariantSchema {
    /// Under which it is served; each variant of a job has one of its own.
    #[schema(pattern = "^[a-z0-9_-]{1,32}$", example = "card")]
    name: String,
    /// In pixels. One of `width` and `height` may be left out if `fit` is `inside`.
    #[schema(minimum = 1, maximum = 8192, example = 320)]
    width: Option<u32>,
    #[schema(minimum = 1, maximum = 8192, example = 240)]
    height: Option<u32>,
    /// `inside`: all of it, as large as fits. `cover`: fills the box, and what sticks out is cut off.
    /// `contain`: all of it, on a canvas of the box. `fill`: stretched to the box.
    #[schema(
        value_type = Option<String>,
        default = "inside",
        pattern = "^(inside|cover|contain|fill)$",
        example = "cover"
    )]
    fit: Option<String>,
    /// Which part `cover` keeps and where `contain` puts the picture: `center`, `north`, `northeast`,
    /// `east`, `southeast`, `south`, `southwest`, `west`, `northwest`, `attention` (the most salient
    /// part), or `x,y`, a point in shares of width and height from 0 to 1.
    #[schema(default = "center", example = "attention")]
    gravity: Option<String>,
    /// `jpeg`, `png`, `webp`, `avif`, or a list of them in the order of preference, the last of which
    /// is the fallback; or `auto`: WebP, and JPEG as the fallback, or PNG if the source has alpha.
    #[schema(value_type = Option<FormatSchema>, default = "jpeg", example = json!(["webp", "jpeg"]))]
    format: Option<FormatSchema>,
    /// Else each format has its own.
    #[schema(minimum = 1, maximum = 100, example = 80)]
    quality: Option<u8>,
    /// The best quality whose file is no larger is taken.
    #[schema(minimum = 100, maximum = 1_000_000_000_u64, example = json!(null))]
    max_bytes: Option<u64>,
    /// Around the picture with `contain`, and under alpha where the format keeps none; else
    /// transparent where the format keeps alpha, and white where not.
    #[schema(
        pattern = "^#([0-9A-Fa-f]{3,4}|[0-9A-Fa-f]{6}|[0-9A-Fa-f]{8})$",
        example = json!(null)
    )]
    background: Option<String>,
    /// Whether smaller sources are scaled up.
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
    /// The job completes even if this one can't be made. Not for the first.
    #[schema(default = false, example = false)]
    optional: Option<bool>,
}

/// One word, or several.
#[expect(dead_code, reason = "it is only described")]
#[derive(serde::Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = VariantFormat)]
pub enum FormatSchema {
    One(String),
    Several(Vec<String>),
}
