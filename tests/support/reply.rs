//! What an origin answers, and how it does so.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// How often a piece of a trickling body is sent.
const TRICKLE_STEP: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    AtOnce,
    /// Nothing, until the client gives up.
    Silent,
    /// The head at once, and this many bytes of the body a second.
    Trickling(usize),
}

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
    manner: Manner,
}

impl Reply {
    pub fn body(content_type: &str, body: Vec<u8>) -> Self {
        Self {
            headers: vec![("Content-Type", content_type.to_owned())],
            body: Arc::new(body),
            ..Self::status(200)
        }
    }

    pub fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Arc::default(),
            gate: None,
            delay: Duration::ZERO,
            manner: Manner::AtOnce,
        }
    }

    /// The request is read, and nothing comes back.
    pub fn silent() -> Self {
        Self {
            manner: Manner::Silent,
            ..Self::status(200)
        }
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Answers only after this time.
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    pub fn behind(mut self, gate: &Arc<Semaphore>) -> Self {
        self.gate = Some(Arc::clone(gate));
        self
    }

    pub fn trickling(mut self, bytes_per_second: usize) -> Self {
        self.manner = Manner::Trickling(bytes_per_second);
        self
    }

    /// Sends it. `before_end` is called just before the client can know that it has all.
    pub(super) async fn send(
        &self,
        stream: &mut TcpStream,
        before_end: impl FnOnce(),
    ) -> std::io::Result<()> {
        if self.manner == Manner::Silent {
            // Clients of these tests send nothing before they are answered.
            let _ = stream.read(&mut [0]).await;
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(gate) = &self.gate {
            let permit = gate.acquire().await;
            permit.map_err(std::io::Error::other)?.forget();
        }
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        if let Manner::Trickling(bytes_per_second) = self.manner {
            stream.write_all(self.head().as_bytes()).await?;
            let step = bytes_per_second as f64 * TRICKLE_STEP.as_secs_f64();
            for piece in self.body.chunks((step as usize).max(1)) {
                tokio::time::sleep(TRICKLE_STEP).await;
                stream.write_all(piece).await?;
            }
            before_end();
            return Ok(());
        }
        before_end();
        stream.write_all(self.head().as_bytes()).await?;
        stream.write_all(&self.body).await
    }

    fn head(&self) -> String {
        let length = self.body.len();
        let mut head = format!(
            "HTTP/1.1 {} Reply\r\nContent-Length: {length}\r\n",
            self.status
        );
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        head
    }
}
