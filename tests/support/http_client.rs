//! A client that sends exactly the bytes it is given: one connection a request.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// No answer takes longer than this.
const DEADLINE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// A header's value, by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name)?;
        Some(&found.1)
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// The stable code of an error, after checking that it is a whole problem document.
    pub fn problem(&self) -> (u16, String) {
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{self:?}"
        );
        let document = self.json();
        assert_eq!(document["status"], self.status, "{document}");
        let code = document["code"].as_str().expect("a code").to_owned();
        assert_eq!(
            document["type"],
            format!("urn:thumbforge:problem:{code}"),
            "{document}"
        );
        for member in ["title", "detail"] {
            assert!(document[member].is_string(), "{document}");
        }
        (self.status, code)
    }
}

/// Sends a request with the headers that every client sends.
pub async fn request(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let mut head =
        format!("{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    let bytes = [head.as_bytes(), body].concat();
    raw(address, &bytes).await
}

/// A blocking `GET` that may fail: the server may be away.
pub fn try_get(address: SocketAddr, target: &str, limit: Duration) -> std::io::Result<Answer> {
    try_get_with(address, target, &[], limit)
}

/// The same with more headers.
pub fn try_get_with(
    address: SocketAddr,
    target: &str,
    headers: &[(&str, &str)],
    limit: Duration,
) -> std::io::Result<Answer> {
    use std::io::{Read, Write};
    let lines = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"));
    let lines: String = lines.collect();
    let mut stream = std::net::TcpStream::connect_timeout(&address, limit)?;
    stream.set_read_timeout(Some(limit))?;
    write!(
        stream,
        "GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{lines}\r\n"
    )?;
    let mut received = Vec::new();
    stream.read_to_end(&mut received)?;
    whole(&received)
}

/// A `POST` of JSON that may fail, or be cut off.
pub async fn try_post(
    address: SocketAddr,
    target: &str,
    json: &str,
    limit: Duration,
) -> std::io::Result<Answer> {
    try_request(address, "POST", target, json, limit).await
}

/// Any request that may fail, or be cut off.
pub async fn try_request(
    address: SocketAddr,
    method: &str,
    target: &str,
    json: &str,
    limit: Duration,
) -> std::io::Result<Answer> {
    try_request_with(address, method, target, &[], json, limit).await
}

/// The same with more headers.
pub async fn try_request_with(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    json: &str,
    limit: Duration,
) -> std::io::Result<Answer> {
    let lines = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"));
    let lines: String = lines.collect();
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{lines}\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{json}",
            json.len()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut received = Vec::new();
        stream.read_to_end(&mut received).await?;
        whole(&received)
    };
    match tokio::time::timeout(limit, exchange).await {
        Ok(answer) => answer,
        Err(_) => Err(std::io::ErrorKind::TimedOut.into()),
    }
}

/// The answer, unless the connection ended within it.
fn whole(received: &[u8]) -> std::io::Result<Answer> {
    if !received.windows(4).any(|window| window == b"\r\n\r\n") {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    let answer = parse(received);
    let declared = answer
        .header("content-length")
        .and_then(|text| text.parse().ok());
    if declared.is_some_and(|length: usize| length != answer.body.len()) {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(answer)
}

/// Sends bytes and reads the answer up to the end of the connection.
pub async fn raw(address: SocketAddr, bytes: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).await.expect("the API accepts");
    stream.write_all(bytes).await.expect("the API reads");
    read_answer(&mut stream).await
}

pub async fn read_answer(stream: &mut TcpStream) -> Answer {
    let mut received = Vec::new();
    let reading = stream.read_to_end(&mut received);
    let ended = tokio::time::timeout(DEADLINE, reading)
        .await
        .expect("an answer in time");
    // A reset after the answer (the server did not read our whole body) is no fault.
    assert!(ended.is_ok() || !received.is_empty(), "{ended:?}");
    parse(&received)
}

fn parse(received: &[u8]) -> Answer {
    let end = received
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap_or_else(|| panic!("no head: {}", String::from_utf8_lossy(received)));
    let head = String::from_utf8(received[..end].to_vec()).expect("a head in ASCII");
    let mut lines = head.split("\r\n");
    let status_line = lines.next().expect("a status line");
    let status = status_line.split(' ').nth(1).expect("a status");
    let headers: Vec<_> = lines
        .map(|line| {
            let (name, value) = line.split_once(':').expect("a header");
            (name.to_ascii_lowercase(), value.trim().to_owned())
        })
        .collect();
    Answer {
        status: status.parse().expect("a number"),
        headers,
        body: received[end + 4..].to_vec(),
    }
}
