//! The EXIF fields that are shown and stored.

/// GPS is never among them.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ExifSummary {
    /// Make and model, e.g. `NIKON CORPORATION NIKON D750`, without a make that the model repeats.
    pub camera: Option<String>,
    pub lens: Option<String>,
    /// As `YYYY-MM-DDTHH:MM:SS`, with an offset where the file has one.
    pub taken_at: Option<String>,
    /// Which date that is: `original`, `digitized` or `modified`. `None` in results of versions that
    /// read only the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_at_source: Option<String>,
}
