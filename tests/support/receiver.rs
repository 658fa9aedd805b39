//! A receiver of webhooks.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// No delivery takes longer than this.
const DEADLINE: Duration = Duration::from_secs(30);

/// What was posted.
#[derive(Debug, Clone)]
pub struct Posted {
    pub path: String,
    /// By lower-case names.
    pub headers: HashMap<String, String>,
    pub body: String,
    /// The same as it came.
    pub bytes: Vec<u8>,
}

impl Posted {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    pub fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }
}

/// How the receiver behaves.
#[derive(Debug, Clone)]
pub enum Manner {
    /// Answers with this status, and these fields.
    Answers(u16, &'static str),
    /// Reads and never answers.
    Silent,
    /// Accepts and reads nothing.
    Deaf,
    /// Closes the connection without an answer.
    Closes,
}

#[derive(Clone)]
pub struct Receiver {
    pub address: SocketAddr,
    manner: Arc<Mutex<Manner>>,
    posted: watch::Sender<Vec<Posted>>,
}

impl Receiver {
    pub async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self {
            address: listener.local_addr().unwrap(),
            manner: Arc::new(Mutex::new(manner)),
            posted: watch::Sender::default(),
        };
        let serving = receiver.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let receiver = serving.clone();
                tokio::spawn(async move { receiver.serve(stream).await });
            }
        });
        receiver
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub fn set(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    pub fn posted(&self) -> Vec<Posted> {
        self.posted.borrow().clone()
    }

    /// Waits until so many requests came.
    pub async fn wait_for(&self, count: usize) -> Vec<Posted> {
        let mut posted = self.posted.subscribe();
        let enough = posted.wait_for(|posted| posted.len() >= count);
        let waited = tokio::time::timeout(DEADLINE, enough).await;
        let waited = waited.unwrap_or_else(|_| panic!("{} of {count} came", self.posted().len()));
        waited.expect("the receiver lives").clone()
    }

    async fn serve(&self, mut stream: TcpStream) {
        let mut bytes = Vec::new();
        loop {
            let manner = || self.manner.lock().unwrap().clone();
            if matches!(manner(), Manner::Deaf) {
                tokio::time::sleep(DEADLINE).await;
                return;
            }
            let Some(posted) = read(&mut stream, &mut bytes).await else {
                return;
            };
            self.posted.send_modify(|all| all.push(posted));
            match manner() {
                Manner::Silent => return tokio::time::sleep(DEADLINE).await,
                Manner::Closes | Manner::Deaf => return,
                Manner::Answers(status, fields) => {
                    let answer =
                        format!("HTTP/1.1 {status} X\r\n{fields}Content-Length: 4\r\n\r\nbody");
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

async fn read(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<Posted> {
    loop {
        let mut fields = [httparse::EMPTY_HEADER; 32];
        let mut request = httparse::Request::new(&mut fields);
        if let Ok(httparse::Status::Complete(head)) = request.parse(bytes) {
            let headers: HashMap<String, String> = request
                .headers
                .iter()
                .map(|field| {
                    let value = String::from_utf8_lossy(field.value).into_owned();
                    (field.name.to_ascii_lowercase(), value)
                })
                .collect();
            let length: usize = headers["content-length"].parse().unwrap();
            if bytes.len() >= head + length {
                assert_eq!(request.method, Some("POST"));
                let path = request.path.unwrap().to_owned();
                let came = bytes[head..head + length].to_vec();
                bytes.drain(..head + length);
                return Some(Posted {
                    path,
                    headers,
                    body: String::from_utf8_lossy(&came).into_owned(),
                    bytes: came,
                });
            }
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&chunk[..read]),
        }
    }
}
