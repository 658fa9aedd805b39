//! `/openapi.json`, and Swagger UI under `/docs` from assets inside the binary.

use std::borrow::Cow;
use std::sync::Arc;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use utoipa_swagger_ui::Config;

use crate::http::description::Description;
use crate::http::prefix::Prefix;
use crate::http::problem::Problem;
use crate::http::problem_kind::ProblemKind;
use crate::http::security_headers::DOCS_POLICY;
use crate::http::state::ApiState;

/// The description of the API, written once at start.
pub async fn description(
    request: HttpRequest,
    state: web::Data<ApiState>,
    description: web::Data<Description>,
) -> HttpResponse {
    let prefix = Prefix::of(&request);
    let server = (!prefix.as_str().is_empty()).then_some(prefix.as_str());
    let json = description.of(state.settings.api_keys.are_needed(), server);
    HttpResponse::Ok()
        .content_type("application/json")
        .body(json)
}

/// Where a browser looks first. The way to the page is relative, as is that from there to the
/// description: a proxy may show them under any path.
pub async fn entrance() -> HttpResponse {
    HttpResponse::TemporaryRedirect()
        .insert_header((header::LOCATION, "docs/"))
        .finish()
}

/// A file of Swagger UI.
pub async fn page(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let config = Config::from("../openapi.json").use_base_layout();
    let file = utoipa_swagger_ui::serve(request.match_info().query("file"), Arc::new(config))
        .map_err(|error| {
            tracing::error!(%error, "a file of Swagger UI could not be made");
            Problem::internal()
        })?
        .ok_or_else(|| Problem::new(ProblemKind::NotFound, "Swagger UI has no such file."))?;
    let bytes = titled(file.bytes);
    let mut response = HttpResponse::Ok();
    response
        .content_type(file.content_type)
        .insert_header((header::CONTENT_SECURITY_POLICY, DOCS_POLICY))
        .insert_header((header::CACHE_CONTROL, "no-cache"));
    if file.gzpipped {
        response.insert_header((header::CONTENT_ENCODING, "gzip"));
    }
    Ok(response.body(bytes))
}

/// The page is called after the API, so that its tab and its bookmark are found again.
fn titled(bytes: Cow<'static, [u8]>) -> Vec<u8> {
    const GIVEN: &str = "<title>Swagger UI</title>";
    match std::str::from_utf8(&bytes) {
        Ok(html) if html.contains(GIVEN) => {
            let ours = html.replace(GIVEN, "<title>ThumbForge API</title>");
            ours.into_bytes()
        }
        _ => bytes.into_owned(),
    }
}
