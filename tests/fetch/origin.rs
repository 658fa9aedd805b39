//! A server on loopback that answers each connection as a test scripts it.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// One accepted connection.
pub struct Visitor {
    pub stream: TcpStream,
    read_ahead: Vec<u8>,
}

impl Visitor {
    /// The next request head, or `None` when the client closed.
    pub async fn request(&mut self) -> Option<String> {
        loop {
            let end = self
                .read_ahead
                .windows(4)
                .position(|four| four == b"\r\n\r\n");
            if let Some(end) = end {
                let head = self.read_ahead.drain(..end + 4).collect();
                return Some(String::from_utf8(head).expect("a request head is ASCII"));
            }
            let count = self.stream.read_buf(&mut self.read_ahead).await.ok()?;
            if count == 0 {
                return None;
            }
        }
    }

    /// Sends, and does not mind a client that left.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Resolves when the client closes the connection.
    pub async fn client_closes(&mut self) {
        while self.request().await.is_some() {}
    }
}

/// A listening server; it ends with the test's runtime.
pub struct Origin {
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Origin {
    /// Listens on a free port of `ip` and plays `script` to every connection.
    pub async fn on<S, F>(ip: impl Into<IpAddr>, script: S) -> Self
    where
        S: Fn(Visitor) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind((ip.into(), 0))
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                let read_ahead = Vec::new();
                tokio::spawn(script(Visitor { stream, read_ahead }));
            }
        });
        Self {
            address,
            connections,
        }
    }

    /// Answers every request of every connection with `answer`, and keeps connections open.
    pub async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer: Arc<[u8]> = answer.into().into();
        Self::on([127, 0, 0, 1], move |mut visitor| {
            let answer = Arc::clone(&answer);
            async move {
                while visitor.request().await.is_some() {
                    visitor.send(&answer).await;
                }
            }
        })
        .await
    }

    /// Sends `answer` to the first request and closes.
    pub async fn closing_after(answer: impl Into<Vec<u8>>) -> Self {
        let answer: Arc<[u8]> = answer.into().into();
        Self::on([127, 0, 0, 1], move |mut visitor| {
            let answer = Arc::clone(&answer);
            async move {
                visitor.request().await;
                visitor.send(&answer).await;
            }
        })
        .await
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Connections that were accepted so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// A whole answer with its length.
pub fn ok(body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}
