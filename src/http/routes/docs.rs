//! `/openapi.json`, and Swagger UI under `/docs` from assets inside the binary.

use std::sync::Arc;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use utoipa_swagger_ui::Config;

use crate::http::description::Description;
use crate::http::problem::Problem;
use crate::http::problem_kind::ProblemKind;
use crate::http::security_headers::DOCS_POLICY;

/// The description of the API, written once at start.
pub async fn description(description: web::Data<Description>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .body(description.json.clone())
}

/// Where a browser looks first.
pub async fn entrance() -> HttpResponse {
    HttpResponse::TemporaryRedirect()
        .insert_header((header::LOCATION, "/docs/"))
        .finish()
}

/// A file of Swagger UI.
pub async fn page(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let config = Config::from("/openapi.json").use_base_layout();
    let file = utoipa_swagger_ui::serve(request.match_info().query("file"), Arc::new(config))
        .map_err(|error| {
            tracing::error!(%error, "a file of Swagger UI could not be made");
            Problem::internal()
        })?
        .ok_or_else(|| Problem::new(ProblemKind::NotFound, "Swagger UI has no such file."))?;
    let mut response = HttpResponse::Ok();
    response
        .content_type(file.content_type)
        .insert_header((header::CONTENT_SECURITY_POLICY, DOCS_POLICY))
        .insert_header((header::CACHE_CONTROL, "no-cache"));
    if file.gzpipped {
        response.insert_header((header::CONTENT_ENCODING, "gzip"));
    }
    Ok(response.body(file.bytes.into_owned()))
}
