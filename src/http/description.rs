//! The description of the API as it is served: written once, at start.

use actix_web::web::Bytes;

pub struct Description {
    /// OpenAPI 3.1.
    pub json: Bytes,
}
