//! The EXIF fields that are shown and stored.

/// GPS is never among them.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ExifSummary {
    /// Make and model, e.g. `NIKON CORPORATION NIKON D750`, without a make that the model repeats.
    pub camera: Option<String>,
    pub lens: Option<String>,
    /// `DateTimeOriginal` as `YYYY-MM-DDTHH:MM:SS`, with an offset where the file has one.
    pub taken_at: Option<String>,
}
