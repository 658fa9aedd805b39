//! Faults of a request, and where they are.

use serde::Serialize;
use utoipa::ToSchema;

/// One fault of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RequestFault {
    /// JSON pointer (RFC 6901) into the body, as URI fragment; absent for other faults.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "#/url")]
    pub pointer: Option<String>,
    /// Name of the query or path parameter; absent for faults of the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// What is wrong with it, for humans.
    #[schema(example = "is required")]
    pub detail: String,
}

impl RequestFault {
    pub fn in_body(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            pointer: Some(pointer.into()),
            parameter: None,
            detail: detail.into(),
        }
    }

    pub fn in_parameter(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            pointer: None,
            parameter: Some(name.into()),
            detail: detail.into(),
        }
    }
}
