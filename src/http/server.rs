//! Runs the API on a listener until it is asked to shut down.

use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_cors::Cors;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::{Method, header};
use actix_web::middleware::{Compat, Condition, from_fn};
use actix_web::{App, Error, web};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::connections::{self, Capacity};
use super::description::Description;
use super::descriptors::connections_that_fit;
use super::envelope;
use super::health::HealthCheck;
use super::idempotency::{KEY_HEADER, REPLAYED_HEADER};
use super::openapi;
use super::paced_stream::Pace;
use super::prefer;
use super::routes::{self, submit::DUPLICATE_HEADER};
use super::state::{ApiSettings, ApiState};
use crate::observe::Exposition;

/// Serves the API until `shutdown` ends; then accepts no more, and finishes what is in flight
/// and announces what was accepted, for at most `grace` together. Installs no signal handlers.
///
/// # Errors
/// If the listener can't be used or no thread can be started.
pub async fn run(
    listener: TcpListener,
    state: ApiState,
    shutdown: impl Future<Output = ()> + Send + 'static,
    grace: Duration,
) -> io::Result<()> {
    let exposition = Arc::clone(&state.exposition);
    let state = web::Data::new(state);
    let description = web::Data::new(openapi::description(&state.settings));
    let draining = state.clone();
    let (begun, begin) = oneshot::channel();
    let stop = async move {
        shutdown.await;
        let _ = begun.send(Instant::now());
        draining.ending.cancel();
    };
    let shared = state.clone();
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let capacity = Capacity {
        threads,
        connections_of_a_thread: (connections_that_fit(state.settings.max_connections) / threads)
            .max(1),
        pace: state.settings.pace,
        grace,
    };
    let app = move || app(shared.clone(), description.clone(), &exposition);
    let server = connections::serve(listener, &capacity, stop, app)?;
    server.await?;
    // A server that has ended by itself has no deadline to keep.
    let end = begin.await.unwrap_or_else(|_| Instant::now()) + grace;
    state.background.close();
    if tokio::time::timeout_at(end, state.background.wait())
        .await
        .is_err()
    {
        tracing::warn!("jobs could not all be announced before the end; they are in the database");
    }
    Ok(())
}

/// Serves `/livez`, `/readyz` and `/metrics` alone, for a process without the API. Ready means that
/// every one of `parts` is.
///
/// # Errors
/// As [`run`].
pub async fn run_probes(
    listener: TcpListener,
    check: HealthCheck,
    exposition: Arc<Exposition>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let check = web::Data::new(check);
    let runtime = web::Data::new(tokio::runtime::Handle::current());
    let app = move || {
        App::new()
            .app_data(check.clone())
            .app_data(runtime.clone())
            .app_data(web::Data::new(Arc::clone(&exposition)))
            .wrap(from_fn(envelope::envelop))
            .configure(|app| routes::configure_probes(app, exposition.requests()))
    };
    connections::serve(listener, &SMALL, shutdown, app)?.await
}

/// Serves `/metrics` alone, to everybody who reaches the address.
///
/// # Errors
/// As [`run`].
pub async fn run_metrics(
    listener: TcpListener,
    exposition: Arc<Exposition>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let app = move || {
        App::new()
            .app_data(web::Data::new(Arc::clone(&exposition)))
            .wrap(from_fn(envelope::envelop))
            .configure(|app| routes::configure_metrics(app, exposition.requests()))
    };
    connections::serve(listener, &SMALL, shutdown, app)?.await
}

/// Of a server that only monitors ask.
const SMALL: Capacity = Capacity {
    threads: 1,
    connections_of_a_thread: 100,
    pace: Pace::DEFAULT,
    grace: Duration::from_secs(1),
};

pub(super) fn app(
    state: web::Data<ApiState>,
    description: web::Data<Description>,
    exposition: &Arc<Exposition>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody + use<>>,
        Error = Error,
        InitError = (),
    > + use<>,
> {
    let settings = &state.settings;
    let pages = state.pages.clone();
    let cors = Condition::new(!settings.cors_origins.is_empty(), cors(settings));
    App::new()
        .wrap(Compat::new(cors))
        .wrap(from_fn(envelope::envelop))
        .app_data(state)
        .app_data(description)
        .app_data(web::Data::new(Arc::clone(exposition)))
        .configure(|app| {
            routes::configure(app, exposition.requests());
            if let Some(pages) = pages {
                pages(app, exposition.requests());
            }
        })
}

fn cors(settings: &ApiSettings) -> Cors {
    let mut cors = Cors::default()
        .allowed_methods([
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PATCH,
            Method::DELETE,
        ])
        .allowed_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_NONE_MATCH,
            header::HeaderName::from_static(KEY_HEADER),
            header::RANGE,
            header::HeaderName::from_static("prefer"),
            header::HeaderName::from_static("last-event-id"),
        ])
        .expose_headers([
            header::LOCATION,
            header::RETRY_AFTER,
            header::ETAG,
            header::HeaderName::from_static(prefer::APPLIED),
            header::HeaderName::from_static(DUPLICATE_HEADER),
            header::HeaderName::from_static(REPLAYED_HEADER),
        ])
        .max_age(3600);
    for origin in &settings.cors_origins {
        cors = match origin.as_str() {
            "*" => cors.allow_any_origin(),
            origin => cors.allowed_origin(origin),
        };
    }
    cors
}
