//! What a source learns about us, and what our environment may not change.

use std::sync::{Arc, Mutex};

use thumbforge::domain::OriginRule;
use thumbforge::fetch::{FetchSettings, Fetcher};

use crate::client::{Get, fetch, settings, url};
use crate::origin::{Origin, ok};

/// An origin that notes each request it gets.
async fn noting(answer: Vec<u8>) -> (Origin, Arc<Mutex<Vec<String>>>) {
    let notes = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&notes);
    let origin = Origin::on([127, 0, 0, 1], move |mut visitor| {
        let (notes, answer) = (Arc::clone(&shared), answer.clone());
        async move {
            while let Some(request) = visitor.request().await {
                notes.lock().unwrap().push(request);
                visitor.send(&answer).await;
            }
        }
    })
    .await;
    (origin, notes)
}

fn field_names(request: &str) -> Vec<String> {
    let fields = request
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'));
    let mut names: Vec<_> = fields.map(|(name, _)| name.to_lowercase()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_request_has_four_fields_and_asks_for_no_coding() {
    let (origin, notes) = noting(ok("abc")).await;
    fetch(&origin.url("/a?b#c")).await.unwrap();
    let request = notes.lock().unwrap().pop().unwrap();
    assert!(request.starts_with("GET /a?b HTTP/1.1\r\n"), "{request}");
    assert!(
        request.contains("\r\nAccept-Encoding: identity\r\n"),
        "{request}"
    );
    assert!(
        request.contains(&format!("\r\nHost: {}\r\n", origin.address)),
        "{request}"
    );
    let names = field_names(&request);
    assert_eq!(names, ["accept", "accept-encoding", "host", "user-agent"]);
}

#[tokio::test]
async fn no_cookie_and_no_referer_survives_a_request() {
    let cookie = "HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 3\r\n\r\nabc";
    let (target, notes) = noting(cookie.into()).await;
    let redirect = format!(
        "HTTP/1.1 302 x\r\nSet-Cookie: c=d\r\nLocation: {}\r\n\r\n",
        target.url("/")
    );
    let (origin, _) = noting(redirect.into()).await;
    let fetcher = Fetcher::new(settings()).unwrap();
    for _ in 0..2 {
        fetcher.get(&url(&origin.url("/secret"))).await.unwrap();
    }
    let notes = notes.lock().unwrap();
    assert_eq!(notes.len(), 2);
    for request in notes.iter() {
        let names = field_names(request);
        assert_eq!(names, ["accept", "accept-encoding", "host", "user-agent"]);
    }
}

#[tokio::test]
async fn headers_for_some_hosts_do_not_follow_a_redirect_elsewhere() {
    let (target, target_notes) = noting(ok("abc")).await;
    let to = format!("HTTP/1.1 302 x\r\nLocation: {}\r\n\r\n", target.url("/"));
    let (first, first_notes) = noting(to.into()).await;
    let rule = |pattern: String, user_agent: Option<&str>, name: &str| OriginRule {
        pattern: pattern.parse().unwrap(),
        concurrency: None,
        per_second: None,
        user_agent: user_agent.map(str::to_owned),
        headers: vec![(name.to_owned(), "hunter2".to_owned())],
    };
    let fetcher = Fetcher::new(FetchSettings {
        user_agent: "tester/1 (+mailto:me@example.org)".to_owned(),
        origins: vec![rule(
            first.address.to_string(),
            Some("other/2"),
            "Authorization",
        )],
        ..settings()
    })
    .unwrap();
    fetcher.get(&url(&first.url("/"))).await.unwrap();
    let request = first_notes.lock().unwrap().pop().unwrap();
    assert!(
        request.contains("\r\nAuthorization: hunter2\r\n"),
        "{request}"
    );
    assert!(request.contains("\r\nUser-Agent: other/2\r\n"), "{request}");
    let request = target_notes.lock().unwrap().pop().unwrap();
    assert!(!request.contains("hunter2"), "{request}");
    let own = "\r\nUser-Agent: tester/1 (+mailto:me@example.org)\r\n";
    assert!(request.contains(own), "{request}");
}

/// Runs another test of this binary in a child process, with a proxy in its environment.
#[test]
fn proxies_of_the_environment_are_ignored() {
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "answers::a_source_is_fetched_whole"]);
    for name in [
        "http_proxy",
        "HTTP_PROXY",
        "https_proxy",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ] {
        child.env(name, &address);
    }
    child.env_remove("no_proxy").env_remove("NO_PROXY");
    let output = child.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "{text}");
    assert!(proxy.accept().is_err(), "the proxy was asked");
}
