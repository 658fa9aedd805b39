//! The image server that jobs download from.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::limiter::Limiter;
pub use super::reply::Reply;
use super::request_log::{Asked, RequestLog};

/// How long a connection lives that is to be reset: long enough that two at once are seen.
const RESET_AFTER: Duration = Duration::from_millis(300);

/// Which connections get in. Open ones end when it changes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Door {
    Open,
    /// Connections are refused.
    Closed,
    /// Connections are accepted, noted, and reset after a moment.
    Resetting,
}

#[derive(Default)]
struct Routes {
    /// Several replies are given in turn; the last one stays.
    replies: HashMap<String, Vec<Reply>>,
    hits: HashMap<String, usize>,
    served: HashMap<String, usize>,
    /// The rate that all paths share, and the answer beyond it.
    limit: Option<(Limiter, Reply)>,
}

impl Routes {
    fn reply_to(&mut self, path: &str) -> Reply {
        let hits = self.hits.entry(path.to_owned()).or_default();
        *hits += 1;
        let turn = *hits - 1;
        if let Some((limiter, refusal)) = &mut self.limit
            && !limiter.serves()
        {
            return refusal.clone();
        }
        match self.replies.get(path) {
            Some(replies) => replies[turn.min(replies.len() - 1)].clone(),
            None => Reply::status(404),
        }
    }
}

#[derive(Clone, Default)]
struct Shared {
    routes: Arc<Mutex<Routes>>,
    log: RequestLog,
}

pub struct Origin {
    pub address: SocketAddr,
    shared: Shared,
    door: watch::Sender<Door>,
    server: tokio::task::JoinHandle<()>,
}

impl Origin {
    pub async fn start() -> Self {
        Self::listen_on([127, 0, 0, 1]).await
    }

    /// On every loopback address, i.e. as many origins as needed; see [`Self::url_at`].
    pub async fn start_everywhere() -> Self {
        Self::listen_on([0, 0, 0, 0]).await
    }

    async fn listen_on(ip: [u8; 4]) -> Self {
        let listener = TcpListener::bind((std::net::Ipv4Addr::from(ip), 0)).await;
        let listener = listener.expect("loopback");
        let bound = listener.local_addr().expect("bound");
        let (door, doors) = watch::channel(Door::Open);
        let shared = Shared::default();
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], bound.port())),
            server: tokio::spawn(listen(listener, bound, shared.clone(), doors)),
            shared,
            door,
        }
    }

    /// Answers `path` (without its query) with these replies in turn, the last one for good.
    pub fn on(&self, path: &str, replies: impl Into<Vec<Reply>>) {
        let mut routes = self.shared.routes.lock().expect("not poisoned");
        routes.replies.insert(path.to_owned(), replies.into());
    }

    /// Answers everything beyond a rate with `refusal`.
    pub fn limit(&self, limiter: Limiter, refusal: Reply) {
        let mut routes = self.shared.routes.lock().expect("not poisoned");
        routes.limit = Some((limiter, refusal));
    }

    pub fn set_door(&self, door: Door) {
        self.door.send_replace(door);
    }

    pub fn url(&self, path_and_query: &str) -> String {
        format!("http://{}{path_and_query}", self.address)
    }

    /// The same at another loopback address.
    pub fn url_at(&self, host: &str, path_and_query: &str) -> String {
        format!("http://{host}:{}{path_and_query}", self.address.port())
    }

    /// How often `path` was asked for.
    pub fn hits(&self, path: &str) -> usize {
        let routes = self.shared.routes.lock().expect("not poisoned");
        routes.hits.get(path).copied().unwrap_or(0)
    }

    /// How often an answer for `path` was sent to its last byte.
    pub fn served(&self, path: &str) -> usize {
        let routes = self.shared.routes.lock().expect("not poisoned");
        routes.served.get(path).copied().unwrap_or(0)
    }

    /// Every request so far, and every connection that was reset.
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.log.all()
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn listen(
    first: TcpListener,
    bound: SocketAddr,
    shared: Shared,
    mut doors: watch::Receiver<Door>,
) {
    let mut listener = Some(first);
    loop {
        let door = *doors.borrow_and_update();
        if door == Door::Closed {
            listener = None;
            if doors.changed().await.is_err() {
                return;
            }
            continue;
        }
        let open = match listener.take() {
            Some(open) => open,
            None => TcpListener::bind(bound).await.expect("our own port"),
        };
        tokio::select! {
            accepted = open.accept() => if let Ok((stream, _)) = accepted {
                tokio::spawn(meet(stream, door, shared.clone(), doors.clone()));
            },
            changed = doors.changed() => if changed.is_err() { return },
        }
        listener = Some(open);
    }
}

async fn meet(mut stream: TcpStream, door: Door, shared: Shared, mut doors: watch::Receiver<Door>) {
    if door == Door::Resetting {
        let _under_way = shared.log.begin("", 0);
        tokio::time::sleep(RESET_AFTER).await;
        let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        return;
    }
    tokio::select! {
        () = serve(&mut stream, shared) => {}
        // Also when the origin is gone: then the handler that waits here ends with it.
        _ = doors.wait_for(|now| *now != door) => {
            let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        }
    }
}

async fn serve(stream: &mut TcpStream, shared: Shared) {
    let mut pending = Vec::new();
    while let Some(target) = read_request(stream, &mut pending).await {
        let path = target.split('?').next().unwrap_or("/");
        let reply = shared.routes.lock().expect("not poisoned").reply_to(path);
        let under_way = shared.log.begin(&target, reply.status);
        if reply.send(stream, || drop(under_way)).await.is_err() {
            return;
        }
        let mut routes = shared.routes.lock().expect("not poisoned");
        *routes.served.entry(path.to_owned()).or_default() += 1;
    }
}

/// The target of the next request; `None` when the client has gone.
async fn read_request(stream: &mut TcpStream, pending: &mut Vec<u8>) -> Option<String> {
    let end = loop {
        if let Some(end) = pending.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        let mut chunk = [0_u8; 4096];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(length) => pending.extend_from_slice(&chunk[..length]),
        }
    };
    let head = String::from_utf8_lossy(&pending[..end]).into_owned();
    pending.drain(..end);
    Some(head.split(' ').nth(1).unwrap_or("/").to_owned())
}
