//! `thumbforge probe URL`: the health check of an image that has no shell and no curl.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, ensure};
use url::Url;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Succeeds if `url`, which must be `http`, answers 200.
pub(super) fn run(url: &str) -> anyhow::Result<()> {
    let url = Url::parse(url).context("the URL to probe can't be read")?;
    ensure!(url.scheme() == "http", "only http:// URLs can be probed");
    let host = url.host_str().context("the URL to probe has no host")?;
    let port = url.port_or_known_default().unwrap_or(80);
    let status =
        status_line(host, port, url.path()).with_context(|| format!("no answer from {url}"))?;
    let code = status.split(' ').nth(1);
    ensure!(code == Some("200"), "{url} answers: {}", status.trim_end());
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the URL is one of the operator, for a health check"
)]
fn status_line(host: &str, port: u16, path: &str) -> std::io::Result<String> {
    let bare_host = host.trim_matches(['[', ']']);
    let address = (bare_host, port).to_socket_addrs()?.next();
    let address = address.ok_or(std::io::ErrorKind::NotFound)?;
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"
    )?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(line)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Answers one request and returns its first line.
    fn probe_of(answer: &'static str) -> (anyhow::Result<()>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1/healthz", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // Unread bytes would turn the close into a reset.
            let request: Vec<_> = BufReader::new(&stream)
                .lines()
                .map(Result::unwrap)
                .take_while(|line| !line.is_empty())
                .collect();
            stream.write_all(answer.as_bytes()).unwrap();
            request[0].clone()
        });
        (run(&url), server.join().unwrap())
    }

    #[test]
    fn a_200_is_healthy() {
        let (result, request) = probe_of("HTTP/1.1 200 OK\r\n\r\n");
        result.unwrap();
        assert_eq!(request, "GET /v1/healthz HTTP/1.1");
    }

    #[test]
    fn another_status_or_no_answer_is_not() {
        let (result, _) = probe_of("HTTP/1.1 503 Service Unavailable\r\n\r\n");
        assert!(result.unwrap_err().to_string().contains("503"));
        let (result, _) = probe_of("");
        assert!(result.is_err());
        let vacant = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        assert!(run(&format!("http://{vacant}/")).is_err());
        assert!(run("https://127.0.0.1/").is_err());
    }
}
