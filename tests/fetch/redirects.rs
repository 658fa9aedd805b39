//! Redirects are followed a few times, to URLs that would be accepted at submission.

use thumbforge::domain::FailureCode;
use thumbforge::fetch::FetchSettings;

use crate::client::{fetch, fetch_with, settings};
use crate::origin::{Origin, ok};

fn redirect(status: u16, location: &str) -> String {
    format!("HTTP/1.1 {status} x\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
}

/// Redirects `/5` to `/4` and so on; `/0` is the source.
async fn countdown() -> Origin {
    Origin::on([127, 0, 0, 1], |mut visitor| async move {
        while let Some(request) = visitor.request().await {
            let digits = request.split([' ', '/']).nth(2).unwrap();
            match digits.parse::<u32>().unwrap() {
                0 => visitor.send(ok("abc")).await,
                left => visitor.send(redirect(302, &format!("/{}", left - 1))).await,
            };
        }
    })
    .await
}

#[tokio::test]
async fn as_many_redirects_are_followed_as_allowed() {
    let origin = countdown().await;
    for (max_redirects, path, is_fetched) in [
        (3, "/3", true),
        (3, "/4", false),
        (0, "/0", true),
        (0, "/1", false),
    ] {
        let settings = FetchSettings {
            max_redirects,
            ..settings()
        };
        let result = fetch_with(settings, &origin.url(path)).await;
        match result {
            Ok(download) if is_fetched => assert_eq!(download.final_url, origin.url("/0")),
            Err(failure) if !is_fetched => {
                assert_eq!(failure.code, FailureCode::TooManyRedirects);
            }
            other => panic!("{max_redirects} {path}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn every_kind_of_redirect_is_followed_and_nothing_else() {
    for (status, is_followed) in [
        (301, true),
        (302, true),
        (303, true),
        (307, true),
        (308, true),
        (300, false),
        (304, false),
        (305, false),
    ] {
        let origin = Origin::on([127, 0, 0, 1], move |mut visitor| async move {
            while let Some(request) = visitor.request().await {
                if request.starts_with("GET /to ") {
                    visitor.send(ok("abc")).await;
                } else {
                    visitor.send(redirect(status, "to")).await;
                }
            }
        })
        .await;
        assert_eq!(
            fetch(&origin.url("/from")).await.is_ok(),
            is_followed,
            "{status}"
        );
    }
}

#[tokio::test]
async fn a_circle_is_noticed_before_the_limit() {
    let circle = Origin::on([127, 0, 0, 1], |mut visitor| async move {
        while let Some(request) = visitor.request().await {
            let to = if request.starts_with("GET /a ") {
                "/b"
            } else {
                "/a"
            };
            visitor.send(redirect(302, to)).await;
        }
    })
    .await;
    let itself = Origin::answering(redirect(301, "/a#b")).await;
    for (origin, requests) in [(circle, 2), (itself, 1)] {
        let settings = FetchSettings {
            max_redirects: 1000,
            ..settings()
        };
        let failure = fetch_with(settings, &origin.url("/a")).await.unwrap_err();
        assert_eq!(failure.code, FailureCode::TooManyRedirects);
        assert!(origin.connections() <= requests);
    }
}

#[tokio::test]
async fn a_location_is_not_repaired() {
    for (location, code) in [
        ("", FailureCode::ForbiddenSource),
        ("/\\127.0.0.2/", FailureCode::ForbiddenSource),
        ("http:/127.0.0.1/", FailureCode::ForbiddenSource),
        ("///127.0.0.1/", FailureCode::ForbiddenSource),
        ("http://user@127.0.0.1/", FailureCode::ForbiddenSource),
        ("file:///etc/passwd", FailureCode::ForbiddenSource),
        ("gopher://127.0.0.1/", FailureCode::ForbiddenSource),
        ("data:image/png;base64,AAAA", FailureCode::ForbiddenSource),
        ("/a\r\nLocation: /b", FailureCode::InvalidResponse),
    ] {
        let origin = Origin::answering(redirect(302, location)).await;
        let failure = fetch(&origin.url("/")).await.unwrap_err();
        assert_eq!(failure.code, code, "{location:?}");
        assert_eq!(origin.connections(), 1, "{location:?}");
    }
}

#[tokio::test]
async fn a_redirect_to_nowhere_is_invalid() {
    let origin = Origin::answering("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n").await;
    let failure = fetch(&origin.url("/")).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::InvalidResponse);
}

#[tokio::test]
async fn the_body_of_a_redirect_is_not_waited_for() {
    let origin = Origin::on([127, 0, 0, 1], |mut visitor| async move {
        if visitor.request().await.unwrap().starts_with("GET /to ") {
            visitor.send(ok("abc")).await;
        } else {
            let endless = "HTTP/1.1 302 x\r\nLocation: /to\r\nContent-Length: 1000000\r\n\r\n";
            visitor.send(endless).await;
            visitor.client_closes().await;
        }
    })
    .await;
    assert_eq!(fetch(&origin.url("/")).await.unwrap().bytes, "abc");
}
