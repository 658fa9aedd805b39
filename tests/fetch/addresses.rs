//! No path leads to an address that is not allowed: canaries on such addresses count no connection.

use std::net::IpAddr;
use std::sync::Arc;

use thumbforge::domain::{FailureCode, SourceUrl};
use thumbforge::fetch::Fetcher;

use crate::canary::{ALLOWED, FORBIDDEN, Trap};
use crate::client::{Get, fetch_with, url, wary_settings};
use crate::origin::ok;
use crate::resolver::{NoSuchName, ScriptedResolver};

const NAME: &str = "source.example";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Every spelling of an address of this machine as a host.
const LITERALS: &[&str] = &[
    "127.0.0.1",
    "127.0.0.2",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "127.0.0.1.",
    "0.0.0.0",
    "0",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "localhost",
    "LOCALHOST.",
    "a.localhost",
];

/// Spellings that a lenient parser would turn into an address of this machine.
const DISGUISES: &[&str] = &[
    "１２７.0.0.1",
    "loc%61lhost",
    "%31%32%37.0.0.1",
    "127。0。0。1",
];

#[tokio::test]
async fn no_literal_leads_to_a_forbidden_address() {
    let trap = Trap::answering(ok("secret")).await;
    for host in LITERALS {
        let target = format!("http://{host}:{}/", trap.port());
        let failure = fetch_with(wary_settings(), &target).await.unwrap_err();
        assert_eq!(failure.code, FailureCode::ForbiddenSource, "{host}");
        assert_eq!(trap.caught(), [], "{host}");
    }
}

#[tokio::test]
async fn no_disguised_literal_leads_to_a_forbidden_address() {
    let trap = Trap::answering(ok("secret")).await;
    for host in DISGUISES {
        let target = format!("http://{host}:{}/", trap.port());
        // Refused as a URL, or for where it leads.
        if let Ok(target) = SourceUrl::parse(&target) {
            let fetcher = Fetcher::new(wary_settings()).unwrap();
            let failure = fetcher.get(&target).await.unwrap_err();
            assert_eq!(failure.code, FailureCode::ForbiddenSource, "{host}");
        }
        assert_eq!(trap.caught(), [], "{host}");
    }
}

#[tokio::test]
async fn the_allowed_address_beside_them_is_fetched() {
    let trap = Trap::answering(ok("abc")).await;
    for host in ["127.0.0.3", "0x7f.3", "[::ffff:127.0.0.3]"] {
        let target = format!("http://{host}:{}/", trap.port());
        let result = fetch_with(wary_settings(), &target).await;
        // Whether a mapped address can be dialled depends on the machine; it is not forbidden.
        if let Err(failure) = result {
            assert_eq!(failure.code, FailureCode::ConnectionFailed, "{host}");
        }
    }
    assert!(trap.origin.connections() >= 2);
}

#[tokio::test]
async fn no_answer_of_a_resolver_leads_to_a_forbidden_address() {
    let trap = Trap::answering(ok("secret")).await;
    let target = url(&format!("http://{NAME}:{}/", trap.port()));
    let mut answers: Vec<Vec<IpAddr>> = FORBIDDEN.iter().map(|address| vec![*address]).collect();
    // Mixed with one that is allowed, in both orders.
    answers.extend(FORBIDDEN.map(|address| vec![ALLOWED, address]));
    answers.extend(FORBIDDEN.map(|address| vec![address, ALLOWED]));
    answers.push(vec![ip("0.0.0.0")]);
    answers.push(vec![ip("::ffff:127.0.0.1")]);
    answers.push(vec![ip("::")]);
    for answer in answers {
        let (fetcher, _) = ScriptedResolver::default()
            .with(NAME, &[&answer])
            .fetcher(wary_settings());
        let failure = fetcher.get(&target).await.unwrap_err();
        assert_eq!(failure.code, FailureCode::ForbiddenSource, "{answer:?}");
        assert_eq!(trap.caught(), [], "{answer:?}");
        assert!(!failure.message.contains("127"), "{failure}");
    }
    assert_eq!(trap.origin.connections(), 0);
}

/// `127.0.0.1.nip.io` of the table in tests/data: harmless until it is resolved.
#[tokio::test]
async fn a_name_that_resolves_to_loopback_is_refused_after_dns() {
    let trap = Trap::answering(ok("secret")).await;
    let name = "127.0.0.1.nip.io";
    let (fetcher, resolver) = ScriptedResolver::default()
        .with(name, &[&[FORBIDDEN[0]]])
        .fetcher(wary_settings());
    let target = url(&format!("http://{name}:{}/", trap.port()));
    let failure = fetcher.get(&target).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::ForbiddenSource);
    assert_eq!(resolver.asked(), [name]);
    assert_eq!(trap.caught(), []);
}

#[tokio::test]
async fn a_name_is_resolved_once_so_that_the_judged_answer_is_the_dialled_one() {
    let trap = Trap::answering(ok("abc")).await;
    let (fetcher, resolver) = ScriptedResolver::default()
        .with(NAME, &[&[ALLOWED], &[FORBIDDEN[0]]])
        .fetcher(wary_settings());
    let target = url(&format!("http://{NAME}:{}/", trap.port()));
    assert_eq!(fetcher.get(&target).await.unwrap().bytes, "abc");
    assert_eq!(resolver.asked().len(), 1);
    assert_eq!(trap.caught(), []);
}

#[tokio::test]
async fn a_name_that_was_rebound_is_refused_on_its_next_connection() {
    let trap =
        Trap::answering("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc")
            .await;
    let (fetcher, _) = ScriptedResolver::default()
        .with(NAME, &[&[ALLOWED], &[FORBIDDEN[0]]])
        .fetcher(wary_settings());
    let target = url(&format!("http://{NAME}:{}/", trap.port()));
    assert!(fetcher.get(&target).await.is_ok());
    let failure = fetcher.get(&target).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::ForbiddenSource);
    assert_eq!(trap.caught(), []);
}

#[tokio::test]
async fn redirects_lead_to_no_forbidden_address() {
    for host in LITERALS.iter().chain(&["rebound.example"]) {
        let trap = Trap::around(move |mut visitor| async move {
            let port = visitor.stream.local_addr().unwrap().port();
            while visitor.request().await.is_some() {
                let to = format!("Location: http://{host}:{port}/\r\n");
                visitor
                    .send(format!("HTTP/1.1 302 Found\r\n{to}\r\n"))
                    .await;
            }
        })
        .await;
        let (fetcher, _) = ScriptedResolver::default()
            .with("rebound.example", &[&[FORBIDDEN[1]]])
            .fetcher(wary_settings());
        let failure = fetcher.get(&url(&trap.origin.url("/"))).await.unwrap_err();
        assert_eq!(failure.code, FailureCode::ForbiddenSource, "{host}");
        assert!(failure.message.contains("redirects"), "{failure}");
        assert_eq!(trap.origin.connections(), 1);
        assert_eq!(trap.caught(), [], "{host}");
    }
}

#[tokio::test]
async fn a_forbidden_port_is_refused_also_after_a_redirect() {
    let trap = Trap::around(|mut visitor| async move {
        visitor.request().await;
        let to = format!("Location: http://{ALLOWED}:22/\r\n");
        visitor
            .send(format!("HTTP/1.1 302 Found\r\n{to}\r\n"))
            .await;
    })
    .await;
    let mut settings = wary_settings();
    settings.allowed_ports = thumbforge::domain::AllowedPorts::List(vec![trap.port()]);
    let failure = fetch_with(settings, &trap.origin.url("/"))
        .await
        .unwrap_err();
    assert_eq!(failure.code, FailureCode::ForbiddenSource);
    assert!(failure.message.contains("port 22"), "{failure}");
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_not_tried_again() {
    let fetcher = Fetcher::with_resolver(wary_settings(), Arc::new(NoSuchName)).unwrap();
    let failure = fetcher.get(&url("http://a.example/")).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::DnsFailed);
    assert!(failure.message.contains("does not exist"), "{failure}");
    assert!(!failure.is_transient());
}

#[tokio::test]
async fn an_unknown_name_and_one_without_addresses_may_be_tried_again() {
    let (fetcher, _) = ScriptedResolver::default()
        .with("empty.example", &[&[]])
        .fetcher(wary_settings());
    for host in ["unknown.example", "empty.example"] {
        let failure = fetcher
            .get(&url(&format!("http://{host}/")))
            .await
            .unwrap_err();
        assert_eq!(failure.code, FailureCode::DnsFailed, "{host}");
        assert!(failure.is_transient());
    }
}
