//! Which path leads where. One file a resource.

pub mod actions;
pub mod batch_life;
pub mod batch_submit;
pub mod batches;
pub mod brakes;
pub mod docs;
pub mod events;
pub mod exposition;
pub mod failures;
mod file_responses;
pub mod flow;
pub mod health;
pub mod life;
pub mod list;
pub mod metrics;
pub mod origins;
mod resources;
pub mod show;
pub mod submit;
pub mod thumbnail;
pub mod variant;
pub mod webhook_deliveries;
pub mod webhooks;
pub mod workers;

use actix_web::middleware::from_fn;
use actix_web::{HttpRequest, HttpResponse, web};

pub(crate) use resources::{changing, readable};

use super::gate;
use super::problem::Problem;
use super::problem_kind::ProblemKind;
use crate::domain::JobId;
use crate::observe::RequestMeters;

/// Where the API is.
const SCOPE: &str = "/v1";

/// Every route, counted in `meters`.
pub fn configure(app: &mut web::ServiceConfig, meters: &RequestMeters) {
    let guarded = web::scope("")
        .wrap(from_fn(gate::admit))
        .service(readable(meters, "/v1/images", list::list).route(web::post().to(submit::submit)))
        .service(
            readable(meters, "/v1/images/{job_id}", show::show)
                .route(web::delete().to(life::delete)),
        )
        .service(changing(meters, "/v1/images/{job_id}/cancel", life::cancel))
        .service(changing(meters, "/v1/images/{job_id}/retry", life::retry))
        .service(readable(
            meters,
            "/v1/images/{job_id}/thumbnail",
            thumbnail::thumbnail,
        ))
        .service(readable(
            meters,
            "/v1/images/{job_id}/variants/{name}",
            variant::variant,
        ))
        .service(changing(meters, "/v1/actions", actions::begin))
        .service(readable(meters, "/v1/actions/{action_id}", actions::show))
        .service(changing(
            meters,
            "/v1/actions/{action_id}/abort",
            actions::abort,
        ))
        .service(
            readable(meters, "/v1/batches", batches::list)
                .route(web::post().to(batch_submit::submit)),
        )
        .service(readable(meters, "/v1/batches/{batch_id}", batches::show))
        .service(readable(
            meters,
            "/v1/batches/{batch_id}/images",
            batches::images,
        ))
        .service(changing(
            meters,
            "/v1/batches/{batch_id}/cancel",
            batch_life::cancel,
        ))
        .service(changing(
            meters,
            "/v1/batches/{batch_id}/retry",
            batch_life::retry,
        ))
        .service(readable(
            meters,
            "/v1/batches/{batch_id}/events",
            events::of_batch,
        ))
        .service(readable(
            meters,
            "/v1/images/{job_id}/events",
            events::of_image,
        ))
        .service(readable(meters, "/v1/events", events::all))
        .service(
            readable(meters, "/v1/webhooks", webhooks::list)
                .route(web::post().to(webhooks::create)),
        )
        .service(
            readable(meters, "/v1/webhooks/{webhook_id}", webhooks::show)
                .route(web::patch().to(webhooks::change))
                .route(web::delete().to(webhooks::delete)),
        )
        .service(changing(
            meters,
            "/v1/webhooks/{webhook_id}/secret/rotate",
            webhooks::rotate,
        ))
        .service(changing(
            meters,
            "/v1/webhooks/{webhook_id}/test",
            webhook_deliveries::test,
        ))
        .service(changing(
            meters,
            "/v1/webhooks/{webhook_id}/recover",
            webhook_deliveries::recover,
        ))
        .service(readable(
            meters,
            "/v1/webhooks/{webhook_id}/deliveries",
            webhook_deliveries::list,
        ))
        .service(changing(
            meters,
            "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/resend",
            webhook_deliveries::resend,
        ))
        .service(readable(meters, "/v1/metrics", metrics::metrics))
        .service(readable(meters, "/v1/failures", failures::list))
        .service(readable(meters, "/v1/flow", flow::show))
        .service(readable(meters, "/v1/workers", workers::list))
        .service(readable(meters, "/v1/origins", origins::list))
        .service(changing(meters, "/v1/origins/pause", brakes::pause_origin))
        .service(changing(
            meters,
            "/v1/origins/resume",
            brakes::resume_origin,
        ))
        .service(changing(meters, "/v1/origins/reset", brakes::reset_origin))
        .service(changing(meters, "/v1/queue/pause", brakes::pause_queue))
        .service(changing(meters, "/v1/queue/resume", brakes::resume_queue));
    app.app_data(meters.unmatched())
        .service(readable(meters, "/livez", health::live))
        .service(readable(meters, "/readyz", health::ready))
        .service(
            web::scope(SCOPE)
                .service(readable(meters, "/v1/healthz", health::healthy))
                .service(guarded),
        )
        .service(readable(meters, "/metrics", exposition::show).wrap(from_fn(gate::admit)))
        .service(readable(meters, "/openapi.json", docs::description))
        .service(readable(meters, "/", docs::entrance))
        .service(readable(meters, "/docs", docs::entrance))
        .service(readable(meters, "/docs/{file:.*}", docs::page))
        .default_service(web::to(nothing_here));
}

/// The routes of a process without the API.
pub fn configure_probes(app: &mut web::ServiceConfig, meters: &RequestMeters) {
    app.service(readable(meters, "/livez", health::live))
        .service(readable(meters, "/readyz", health::parts_ready));
    configure_metrics(app, meters);
}

/// The routes of an address that serves nothing but metrics, to everybody.
pub fn configure_metrics(app: &mut web::ServiceConfig, meters: &RequestMeters) {
    app.app_data(meters.unmatched())
        .service(readable(meters, "/metrics", exposition::show))
        .default_service(web::to(nothing_here));
}

async fn nothing_here() -> Result<HttpResponse, Problem> {
    let detail = "See /docs for the paths that exist.";
    Err(Problem::new(ProblemKind::NotFound, detail))
}

/// The `{job_id}` of the path.
pub(crate) fn job_id(request: &HttpRequest) -> Result<JobId, Problem> {
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
