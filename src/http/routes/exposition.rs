//! `GET /metrics`

use std::sync::Arc;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};

use crate::http::accept;
use crate::http::problem::Problem;
use crate::observe::{Exposition, Form};

/// The last is for clients that ask for nothing else.
const OFFERED: [(&str, Form); 2] = [
    ("text/plain", Form::Plain),
    ("application/openmetrics-text", Form::OpenMetrics),
];

/// Show metrics
///
/// What this process counts, for Prometheus: in the OpenMetrics format, or as `text/plain` in the
/// older one where `Accept` asks for that. `docs/OPERATING.md` lists the names.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operation",
    operation_id = "getPrometheusMetrics",
    responses((
        status = 200,
        description = "The metrics",
        content((String = "application/openmetrics-text"), (String = "text/plain"))
    ))
)]
pub async fn show(
    request: HttpRequest,
    exposition: web::Data<Arc<Exposition>>,
) -> Result<HttpResponse, Problem> {
    let types = OFFERED.map(|(media_type, _)| media_type);
    let (_, form) = OFFERED[accept::choose(request.headers(), &types)];
    let text = exposition.text(form).await.ok_or_else(Problem::internal)?;
    Ok(HttpResponse::Ok()
        .content_type(form.content_type())
        .insert_header((header::VARY, "Accept"))
        .body(text))
}
