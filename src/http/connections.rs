//! Accepts and limits clients' connections, below HTTP.

use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, Request, Response};
use actix_service::{IntoServiceFactory, ServiceFactoryExt, map_config};
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, Server, Service, ServiceFactory, fn_service};
use tokio::net::TcpStream;

use super::paced_stream::{ANSWER_DEADLINE, Pace, PacedStream};
use super::routes::batch_submit::BATCH_DEADLINE;
use super::state::PART_DEADLINE;

/// For the head of a connection's first request. The library has no limit for later heads: only the
/// [`Pace`] limits those.
const HEAD_DEADLINE: Duration = Duration::from_secs(5);
/// Between two requests.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// For what a client still sends when its answer closes the connection.
const LINGER: Duration = Duration::from_secs(1);

// A client within the other limits never hits this one: it is idle, sends a head and the slowest
// body, and waits until its key is looked up, the pending jobs are counted and the job is stored.
const _: () = assert!(
    KEEP_ALIVE.as_secs()
        + HEAD_DEADLINE.as_secs()
        + BATCH_DEADLINE.as_secs()
        + 3 * PART_DEADLINE.as_secs()
        < ANSWER_DEADLINE.as_secs()
);

/// The limits of a server, and how it ends.
pub(super) struct Capacity {
    pub threads: usize,
    /// Beyond it new connections wait in the backlog.
    pub connections_of_a_thread: usize,
    pub pace: Pace,
    /// For what is in flight when `shutdown` ends.
    pub grace: Duration,
}

/// Starts to serve `app` on `listener` over HTTP/1.1, until `shutdown` ends. Installs no signal
/// handlers. [`actix_web::HttpServer`] is not used because it allows nothing between itself and a
/// socket.
///
/// # Errors
/// If the listener can't be used.
pub(super) fn serve<F, I, S, B>(
    listener: TcpListener,
    capacity: &Capacity,
    shutdown: impl Future<Output = ()> + Send + 'static,
    app: F,
) -> io::Result<Server>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<Error> + 'static,
    S::InitError: Debug,
    S::Response: Into<Response<B>> + 'static,
    S::Service: 'static,
    <S::Service as Service<Request>>::Future: 'static,
    B: MessageBody + 'static,
{
    let address = listener.local_addr()?;
    let pace = capacity.pace;
    let builder = Server::build();
    let draining = builder.graceful_shutdown_signal();
    let service = move || {
        let draining = draining.clone();
        // Handlers find the defaults of `AppConfig`: no answer reveals our own name or address.
        let app = map_config(app().into_factory(), |()| AppConfig::default());
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let draining = draining.clone();
                async move { draining.notified().await }
            })
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(HEAD_DEADLINE)
            .client_disconnect_timeout(LINGER)
            .local_addr(address)
            .on_connect_ext(|stream: &PacedStream<TcpStream>, data| {
                data.insert(stream.progress());
            })
            .h1(app.map_err(|error| error.into().error_response()));
        fn_service(move |stream: TcpStream| async move {
            stream.set_nodelay(true)?;
            let client = stream.peer_addr()?;
            Ok::<_, DispatchError>((PacedStream::new(stream, pace), Some(client)))
        })
        .and_then(http)
    };
    let server = builder
        .workers(capacity.threads)
        .max_concurrent_connections(capacity.connections_of_a_thread)
        .shutdown_signal(shutdown)
        .shutdown_timeout(whole_seconds(capacity.grace))
        .listen("http", listener, service)?
        .run();
    Ok(server)
}

fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}
