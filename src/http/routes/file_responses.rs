//! How the API describes answers that are a stored file.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::{
    ContentBuilder, HeaderBuilder, ObjectBuilder, RefOr, Response, ResponseBuilder, Type,
};

use thumbforge_imaging::Format;

/// The file, a part of it, or that the client has it.
pub struct FileResponses;

impl IntoResponses for FileResponses {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let whole = file("The file")
            .header("ETag", text("Strong entity tag"))
            .header("Last-Modified", text("When the file was made"))
            .header("Cache-Control", text("A file never changes"))
            .header("Accept-Ranges", text("`bytes`"))
            .header("Vary", text("`Accept`, where it can choose among formats"));
        let part = file("The part that `Range` asked for")
            .header("Content-Range", text("Which part this is"));
        let known = ResponseBuilder::new().description("Not modified since the client got it");
        [("200", whole), ("206", part), ("304", known)]
            .map(|(status, response)| (status.to_owned(), response.build().into()))
            .into()
    }
}

/// Bytes of one of the formats that are written. Binary content has no schema in OpenAPI 3.1.
fn file(description: &str) -> ResponseBuilder {
    let described = ResponseBuilder::new().description(description);
    Format::written().fold(described, |response, format| {
        response.content(format.media_type(), ContentBuilder::new().build())
    })
}

fn text(description: &str) -> utoipa::openapi::header::Header {
    HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .description(Some(description))
        .build()
}
