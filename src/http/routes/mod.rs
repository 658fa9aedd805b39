//! Which path leads where. One file a resource.

pub mod actions;
pub mod batch_life;
pub mod batch_submit;
pub mod batches;
pub mod brakes;
pub mod docs;
mod file_responses;
pub mod health;
pub mod life;
pub mod list;
pub mod metrics;
pub mod origins;
pub mod show;
pub mod submit;
pub mod thumbnail;
pub mod variant;

use actix_web::middleware::from_fn;
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder, web};

use super::gate;
use super::problem::Problem;
use super::problem_kind::ProblemKind;
use crate::domain::JobId;

/// Every route.
pub fn configure(app: &mut web::ServiceConfig) {
    let guarded = web::scope("")
        .wrap(from_fn(gate::admit))
        .service(readable("/images", list::list).route(web::post().to(submit::submit)))
        .service(readable("/images/{job_id}", show::show).route(web::delete().to(life::delete)))
        .service(changing("/images/{job_id}/cancel", life::cancel))
        .service(changing("/images/{job_id}/retry", life::retry))
        .service(readable("/images/{job_id}/thumbnail", thumbnail::thumbnail))
        .service(readable(
            "/images/{job_id}/variants/{name}",
            variant::variant,
        ))
        .service(changing("/actions", actions::begin))
        .service(readable("/actions/{action_id}", actions::show))
        .service(changing("/actions/{action_id}/abort", actions::abort))
        .service(readable("/batches", batches::list).route(web::post().to(batch_submit::submit)))
        .service(readable("/batches/{batch_id}", batches::show))
        .service(readable("/batches/{batch_id}/images", batches::images))
        .service(changing("/batches/{batch_id}/cancel", batch_life::cancel))
        .service(changing("/batches/{batch_id}/retry", batch_life::retry))
        .service(readable("/metrics", metrics::metrics))
        .service(readable("/origins", origins::list))
        .service(changing("/origins/pause", brakes::pause_origin))
        .service(changing("/origins/resume", brakes::resume_origin))
        .service(changing("/origins/reset", brakes::reset_origin))
        .service(changing("/queue/pause", brakes::pause_queue))
        .service(changing("/queue/resume", brakes::resume_queue));
    app.service(readable("/livez", health::live))
        .service(readable("/readyz", health::ready))
        .service(
            web::scope("/v1")
                .service(readable("/healthz", health::healthy))
                .service(guarded),
        )
        .service(readable("/openapi.json", docs::description))
        .service(readable("/", docs::entrance))
        .service(readable("/docs", docs::entrance))
        .service(readable("/docs/{file:.*}", docs::page))
        .default_service(web::to(nothing_here));
}

/// The routes of a process without the API.
pub fn configure_probes(app: &mut web::ServiceConfig) {
    app.service(readable("/livez", health::live))
        .service(readable("/readyz", health::parts_ready))
        .default_service(web::to(nothing_here));
}

/// A resource that answers GET, and HEAD with the same headers.
fn readable<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args> + Copy,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    web::resource(path)
        .route(web::get().to(handler))
        .route(web::head().to(handler))
}

/// A resource that answers only POST.
fn changing<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    web::resource(path).route(web::post().to(handler))
}

async fn nothing_here() -> Result<HttpResponse, Problem> {
    let detail = "See /docs for the paths that exist.";
    Err(Problem::new(ProblemKind::NotFound, detail))
}

/// The `{job_id}` of the path.
fn job_id(request: &HttpRequest) -> Result<JobId, Problem> {
    let text = request.match_info().query("job_id");
    text.parse().map_err(|_| {
        let fault = thumbforge_intake::RequestFault::in_parameter("job_id", "must be a UUID");
        Problem::new(
            ProblemKind::InvalidJobId,
            "Use the id that POST /v1/images returned.",
        )
        .with_errors(vec![fault])
    })
}

fn no_such_job() -> Problem {
    Problem::new(ProblemKind::JobNotFound, "No job has this id.")
}
