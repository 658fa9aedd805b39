//! Resources of the API and the dashboard, whose requests are counted by the whole path.

use actix_web::{FromRequest, Handler, Resource, Responder, web};

use crate::observe::RequestMeters;

/// Each routes what follows it.
const SCOPES: [&str; 2] = ["/v1", "/ui"];

/// A resource that answers GET, and HEAD with the same headers. `path` is the whole path.
pub(crate) fn readable<F, Args>(meters: &RequestMeters, path: &'static str, handler: F) -> Resource
where
    F: Handler<Args> + Copy,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    resource(meters, path)
        .route(web::get().to(handler))
        .route(web::head().to(handler))
}

/// A resource that answers only POST.
pub(crate) fn changing<F, Args>(meters: &RequestMeters, path: &'static str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    resource(meters, path).route(web::post().to(handler))
}

/// A resource whose requests the envelope finds the meters of.
fn resource(meters: &RequestMeters, path: &'static str) -> Resource {
    let within = SCOPES.iter().find_map(|scope| path.strip_prefix(scope));
    let within = within.unwrap_or(path);
    web::resource(within).app_data(meters.route(path))
}
