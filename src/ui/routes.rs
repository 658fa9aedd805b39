//! Which path leads where.

use actix_web::middleware::from_fn;
use actix_web::{HttpResponse, web};

use super::gate::{self, Door};
use super::pages::{
    actions, batches, failures, flow, job, job_changes, jobs, origins, overview, sign_in, submit,
    webhooks,
};
use super::{assets, frame};
use crate::http::shared::{Problem, ProblemKind, changing, events, readable, thumbnail, variant};
use crate::observe::RequestMeters;

/// Where the dashboard is.
const SCOPE: &str = "/ui";

/// Every route, counted in `meters`.
pub fn configure(app: &mut web::ServiceConfig, meters: &RequestMeters, door: web::Data<Door>) {
    let guarded = web::scope("")
        .wrap(from_fn(gate::admit))
        .service(readable(meters, "/ui", overview::show))
        .service(readable(meters, "/ui/events", events::all))
        .service(readable(meters, "/ui/jobs", jobs::list))
        .service(readable(meters, "/ui/jobs/{job_id}", job::show))
        .service(
            readable(meters, "/ui/jobs/{job_id}/delete", job_changes::ask_delete)
                .route(web::post().to(job_changes::delete)),
        )
        .service(changing(
            meters,
            "/ui/jobs/{job_id}/retry",
            job_changes::retry,
        ))
        .service(changing(
            meters,
            "/ui/jobs/{job_id}/cancel",
            job_changes::cancel,
        ))
        .service(changing(meters, "/ui/submit", submit::submit))
        .service(readable(
            meters,
            "/ui/images/{job_id}/thumbnail",
            thumbnail::thumbnail,
        ))
        .service(readable(
            meters,
            "/ui/images/{job_id}/variants/{name}",
            variant::variant,
        ))
        .service(readable(
            meters,
            "/ui/images/{job_id}/events",
            events::of_image,
        ))
        .service(readable(meters, "/ui/failures", failures::show))
        .service(readable(meters, "/ui/flow", flow::show))
        .service(
            readable(meters, "/ui/actions", actions::list).route(web::post().to(actions::begin)),
        )
        .service(readable(meters, "/ui/actions/new", actions::ask))
        .service(readable(meters, "/ui/actions/{action_id}", actions::show))
        .service(changing(
            meters,
            "/ui/actions/{action_id}/abort",
            actions::abort,
        ))
        .service(readable(meters, "/ui/origins", origins::list))
        .service(changing(meters, "/ui/origins/{brake}", origins::brake))
        .service(changing(meters, "/ui/queue/{brake}", origins::queue))
        .service(readable(meters, "/ui/batches", batches::list))
        .service(changing(
            meters,
            "/ui/batches/{batch_id}/cancel",
            batches::cancel,
        ))
        .service(changing(
            meters,
            "/ui/batches/{batch_id}/retry",
            batches::retry,
        ))
        .service(readable(meters, "/ui/webhooks", webhooks::list))
        .service(readable(
            meters,
            "/ui/webhooks/{webhook_id}",
            webhooks::show,
        ))
        .service(changing(
            meters,
            "/ui/webhooks/{webhook_id}/test",
            webhooks::test,
        ))
        .service(changing(
            meters,
            "/ui/webhooks/{webhook_id}/enable",
            webhooks::enable,
        ))
        .service(changing(
            meters,
            "/ui/webhooks/{webhook_id}/disable",
            webhooks::disable,
        ))
        .service(changing(
            meters,
            "/ui/webhooks/{webhook_id}/deliveries/{delivery_id}/resend",
            webhooks::resend,
        ))
        .default_service(web::to(nothing_here));
    app.service(
        web::scope(SCOPE)
            .app_data(door)
            .wrap(from_fn(gate::in_pages))
            .service(readable(meters, "/ui/assets/{hash}/{name}", assets::show))
            .service(readable(meters, "/ui/", home))
            .service(
                readable(meters, "/ui/sign-in", sign_in::show)
                    .route(web::post().to(sign_in::sign_in)),
            )
            .service(changing(meters, "/ui/sign-out", sign_in::sign_out))
            .service(guarded),
    );
}

async fn home() -> HttpResponse {
    frame::see(SCOPE)
}

async fn nothing_here() -> Result<HttpResponse, Problem> {
    let detail = "The dashboard has no such page.";
    Err(Problem::new(ProblemKind::NotFound, detail))
}
