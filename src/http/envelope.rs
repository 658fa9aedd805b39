//! What surrounds every request: size limits, one shape of errors, security headers, access log.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, ResponseError, web};

use super::problem::{CONTENT_TYPE, Problem};
use super::problem_kind::ProblemKind;
use super::{prefix, security_headers};
use crate::observe::{Exposition, RouteMeters};

/// Path and query. A list with every parameter needs a few hundred bytes.
const MAX_TARGET_BYTES: usize = 8 * 1024;

/// Names and values of all request headers. The server itself reads no head beyond 128 KiB or 96
/// headers.
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// The outermost middleware.
pub async fn envelop(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    prefix::note(&request);
    let mut response = match check_head(&request) {
        Ok(()) => next.call(request).await?,
        Err(problem) => request.into_response(problem.error_response()),
    };
    if response.status().is_client_error() || response.status().is_server_error() {
        response = in_problem_form(response);
    }
    prefix::put_before_location(&mut response);
    security_headers::insert_defaults(response.headers_mut());
    let took = started.elapsed();
    count(&response, took);
    if tracing::enabled!(tracing::Level::DEBUG) {
        log(&response, took);
    }
    Ok(response)
}

/// Counts a request where its route's resource says. One that was refused before it got there is
/// looked up by its path.
fn count(response: &ServiceResponse<BoxBody>, took: Duration) {
    let request = response.request();
    let Some(nearest) = request.app_data::<Arc<RouteMeters>>() else {
        return;
    };
    let (method, status) = (request.method().as_str(), response.status().as_u16());
    let refused = matches!(status, 400..500) && nearest.is_unmatched();
    match refused.then(|| known(request)).flatten() {
        Some(known) => known.note(method, status, took),
        None => nearest.note(method, status, took),
    }
}

fn known(request: &HttpRequest) -> Option<Arc<RouteMeters>> {
    let exposition = request.app_data::<web::Data<Arc<Exposition>>>()?;
    let template = request.match_pattern()?;
    exposition.requests().known(&template)
}

fn check_head(request: &ServiceRequest) -> Result<(), Problem> {
    let uri = request.uri();
    let target_bytes = uri.path().len() + uri.query().map_or(0, str::len);
    if target_bytes > MAX_TARGET_BYTES {
        let detail = format!("Path and query may have at most {MAX_TARGET_BYTES} bytes together.");
        return Err(Problem::new(ProblemKind::UriTooLong, detail));
    }
    let header_bytes: usize = request
        .headers()
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if header_bytes > MAX_HEADER_BYTES {
        let detail = format!("The headers may have at most {MAX_HEADER_BYTES} bytes together.");
        return Err(Problem::new(ProblemKind::HeadersTooLarge, detail));
    }
    Ok(())
}

/// Gives an error of the framework (405, 412, 416 …) the same body as all errors; its headers, like
/// `Allow` or `Content-Range`, stay.
fn in_problem_form(response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    // The dashboard has pages for its errors.
    let already = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| {
            let value = value.as_bytes();
            value == CONTENT_TYPE.as_bytes() || value.starts_with(b"text/html")
        });
    if already {
        return response;
    }
    let kind = ProblemKind::of_status(response.status());
    if response.status().is_server_error() {
        tracing::error!(status = response.status().as_u16(), "request failed");
    }
    let problem = Problem::new(kind, format!("{}.", kind.title()));
    response.map_body(|head, _| {
        let form = HeaderValue::from_static(CONTENT_TYPE);
        head.headers_mut().insert(header::CONTENT_TYPE, form);
        BoxBody::new(problem.to_json())
    })
}

/// The query is left out: it is the clients' data.
fn log(response: &ServiceResponse<BoxBody>, took: Duration) {
    let request = response.request();
    tracing::debug!(
        method = %request.method(),
        path = request.path(),
        status = response.status().as_u16(),
        ms = took.as_secs_f64() * 1e3,
        client = request.peer_addr().map(tracing::field::display),
        "request"
    );
}
