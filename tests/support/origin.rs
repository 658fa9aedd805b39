//! The image server that jobs download from.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// How a path is answered.
#[derive(Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Arc<Vec<u8>>,
    /// The answer waits for a permit of this.
    pub gate: Option<Arc<Semaphore>>,
    /// How long the answer takes.
    pub delay: Duration,
}

impl Reply {
    pub fn body(content_type: &str, body: Vec<u8>) -> Self {
        Self {
            status: 200,
            headers: vec![("Content-Type", content_type.to_owned())],
            body: Arc::new(body),
            gate: None,
            delay: Duration::ZERO,
        }
    }

    pub fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Arc::default(),
            gate: None,
            delay: Duration::ZERO,
        }
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Answers only after so long.
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    pub fn behind(mut self, gate: &Arc<Semaphore>) -> Self {
        self.gate = Some(Arc::clone(gate));
        self
    }
}

#[derive(Default)]
struct Routes {
    /// Several replies are given in turn; the last one stays.
    replies: HashMap<String, Vec<Reply>>,
    hits: HashMap<String, usize>,
    served: HashMap<String, usize>,
}

pub struct Origin {
    pub address: SocketAddr,
    routes: Arc<Mutex<Routes>>,
    server: tokio::task::JoinHandle<()>,
}

impl Origin {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let address = listener.local_addr().expect("bound");
        let routes = Arc::<Mutex<Routes>>::default();
        let shared = Arc::clone(&routes);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self {
            address,
            routes,
            server,
        }
    }

    /// Answers `path` (without its query) with these replies in turn, the last one for good.
    pub fn on(&self, path: &str, replies: impl Into<Vec<Reply>>) {
        let mut routes = self.routes.lock().expect("not poisoned");
        routes.replies.insert(path.to_owned(), replies.into());
    }

    pub fn url(&self, path_and_query: &str) -> String {
        format!("http://{}{path_and_query}", self.address)
    }

    /// How often `path` was asked for.
    pub fn hits(&self, path: &str) -> usize {
        let routes = self.routes.lock().expect("not poisoned");
        routes.hits.get(path).copied().unwrap_or(0)
    }

    /// How often an answer for `path` was sent to its last byte.
    pub fn served(&self, path: &str) -> usize {
        let routes = self.routes.lock().expect("not poisoned");
        routes.served.get(path).copied().unwrap_or(0)
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(mut stream: TcpStream, routes: Arc<Mutex<Routes>>) {
    let mut pending = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = pending.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            let mut chunk = [0_u8; 4096];
            match stream.read(&mut chunk).await {
                Ok(0) | Err(_) => return,
                Ok(length) => pending.extend_from_slice(&chunk[..length]),
            }
        };
        let head = String::from_utf8_lossy(&pending[..end]).into_owned();
        pending.drain(..end);
        let target = head.split(' ').nth(1).unwrap_or("/");
        let path = target.split('?').next().unwrap_or("/").to_owned();
        let reply = {
            let mut routes = routes.lock().expect("not poisoned");
            let hits = routes.hits.entry(path.clone()).or_default();
            *hits += 1;
            let turn = *hits - 1;
            routes
                .replies
                .get(&path)
                .map(|replies| replies[turn.min(replies.len() - 1)].clone())
        };
        let reply = reply.unwrap_or_else(|| Reply::status(404));
        if let Some(gate) = &reply.gate {
            match gate.acquire().await {
                Ok(permit) => permit.forget(),
                Err(_) => return,
            }
        }
        if !reply.delay.is_zero() {
            tokio::time::sleep(reply.delay).await;
        }
        if write_reply(&mut stream, &reply).await.is_err() {
            return;
        }
        let mut routes = routes.lock().expect("not poisoned");
        *routes.served.entry(path).or_default() += 1;
    }
}

async fn write_reply(stream: &mut TcpStream, reply: &Reply) -> std::io::Result<()> {
    let mut head = format!(
        "HTTP/1.1 {} Reply\r\nContent-Length: {}\r\n",
        reply.status,
        reply.body.len()
    );
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&reply.body).await
}
