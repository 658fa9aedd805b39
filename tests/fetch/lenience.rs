//! Answers that break a rule or are unusual, and that browsers show.

use thumbforge::domain::FailureCode;
use thumbforge::fetch::{AnyHop, FetchSettings, Fetcher, Stopped};

use crate::client::{fetch, fetch_with, settings, url};
use crate::origin::{Origin, ok};

async fn assert_fetched(answer: impl Into<Vec<u8>>) {
    let answer = answer.into();
    let text = String::from_utf8_lossy(&answer).into_owned();
    let origin = Origin::answering(answer).await;
    let download = fetch(&origin.url("/")).await;
    assert_eq!(download.expect(&text).bytes, "abc", "{text}");
}

#[tokio::test]
async fn a_whole_image_may_come_with_another_status() {
    for status in [201, 203] {
        let answer = format!("HTTP/1.1 {status} x\r\nContent-Length: 3\r\n\r\nabc");
        assert_fetched(answer).await;
    }
}

#[tokio::test]
async fn a_part_is_fetched_only_if_it_is_the_whole() {
    for (range, is_whole) in [
        ("", true),
        ("Content-Range: bytes 0-2/3\r\n", true),
        ("Content-Range: bytes 0-2/4\r\n", false),
        ("Content-Range: bytes 1-3/4\r\n", false),
        ("Content-Range: bytes 0-2/*\r\n", false),
        ("Content-Range: nonsense\r\n", false),
    ] {
        let answer = format!("HTTP/1.1 206 x\r\n{range}Content-Length: 3\r\n\r\nabc");
        if is_whole {
            assert_fetched(answer).await;
        } else {
            let origin = Origin::answering(answer).await;
            let failure = fetch(&origin.url("/")).await.unwrap_err();
            assert_eq!(failure.code, FailureCode::SourceClientError, "{range}");
            assert_eq!(failure.source_status, Some(206));
        }
    }
}

#[tokio::test]
async fn a_length_beside_chunks_does_not_count() {
    for fields in [
        "Content-Length: 100\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n",
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\n{fields}\r\n3\r\nabc\r\n0\r\n\r\n");
        assert_fetched(answer).await;
    }
}

#[tokio::test]
async fn folded_fields_and_many_of_them_are_read() {
    assert_fetched("HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\tc\r\nContent-Length: 3\r\n\r\nabc").await;
    let many = "X: y\r\n".repeat(199);
    assert_fetched(format!(
        "HTTP/1.1 200 OK\r\n{many}Content-Length: 3\r\n\r\nabc"
    ))
    .await;
}

#[tokio::test]
async fn spaces_in_a_location_are_encoded() {
    let origin = Origin::on([127, 0, 0, 1], |mut visitor| async move {
        while let Some(request) = visitor.request().await {
            if request.starts_with("GET /a%20b?c%20d HTTP/1.1\r\n") {
                visitor.send(ok("abc")).await;
            } else {
                let to = "HTTP/1.1 302 x\r\nLocation:  /a b?c d \r\nContent-Length: 0\r\n\r\n";
                visitor.send(to).await;
            }
        }
    })
    .await;
    assert_eq!(fetch(&origin.url("/")).await.unwrap().bytes, "abc");
    // And in what is submitted.
    let submitted = format!("  {} ", origin.url("/a b?c d"));
    assert_eq!(fetch(&submitted).await.unwrap().bytes, "abc");
}

#[tokio::test]
async fn paths_and_queries_arrive_as_the_url_standard_writes_them() {
    let long = format!("/{}", "x".repeat(8100));
    for (path, expected) in [
        ("/a[1]?b[]=c&d[e]=f", "/a[1]?b[]=c&d[e]=f"),
        ("/it's?it's", "/it's?it%27s"),
        ("/%41%zz?%41%zz", "/%41%zz?%41%zz"),
        ("/a|b^c`{d}?e|f^g`{h}", "/a|b^c%60%7Bd%7D?e|f^g`{h}"),
        ("/ü?\"<ü>", "/%C3%BC?%22%3C%C3%BC%3E"),
        (&long, &long),
    ] {
        let line = format!("GET {expected} HTTP/1.1\r\n");
        let origin = Origin::on([127, 0, 0, 1], move |mut visitor| {
            let line = line.clone();
            async move {
                let request = visitor.request().await.unwrap();
                assert!(request.starts_with(&line), "{request}");
                visitor.send(ok("abc")).await;
            }
        })
        .await;
        assert_eq!(
            fetch(&origin.url(path)).await.unwrap().bytes,
            "abc",
            "{path}"
        );
    }
}

#[tokio::test]
async fn what_came_of_a_body_that_broke_off_is_handed_on() {
    for cut in [
        "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 100\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
    ] {
        let origin = Origin::closing_after(cut).await;
        let fetcher = Fetcher::new(settings()).unwrap();
        let target = url(&origin.url("/"));
        match fetcher.fetch(&target, &AnyHop).await.unwrap_err() {
            Stopped::Cut { failure, partial } => {
                assert_eq!(failure.code, FailureCode::ConnectionFailed);
                assert!(failure.is_transient());
                assert_eq!(failure.source_status, Some(200));
                assert_eq!(partial.bytes, "abc");
                assert_eq!(partial.content_type.as_deref(), Some("image/png"));
                assert_eq!(partial.reserved_bytes(), 3);
            }
            other => panic!("{other:?}"),
        }
    }
    // Nothing came, or what came can't be read alone.
    for cut in [
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 100\r\n\r\n\x1f",
    ] {
        let origin = Origin::closing_after(cut).await;
        let fetcher = Fetcher::new(settings()).unwrap();
        let stopped = fetcher.fetch(&url(&origin.url("/")), &AnyHop).await;
        assert!(matches!(stopped, Err(Stopped::Failed(_))), "{stopped:?}");
    }
}

#[tokio::test]
async fn a_circle_that_sets_a_cookie_says_so() {
    let to = "HTTP/1.1 302 x\r\nSet-Cookie: a=b\r\nLocation: /\r\nContent-Length: 0\r\n\r\n";
    let origin = Origin::answering(to).await;
    let failure = fetch(&origin.url("/")).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::TooManyRedirects);
    assert!(failure.message.contains("cookie"), "{failure}");
    assert_eq!(failure.source_status, Some(302));
}

#[tokio::test]
async fn any_speed_will_do_where_the_setting_says_so() {
    let origin = Origin::on([127, 0, 0, 1], |mut visitor| async move {
        visitor.request().await;
        visitor
            .send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n")
            .await;
        for byte in ["a", "b", "c"] {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            visitor.send(byte).await;
        }
    })
    .await;
    let slow = |min_bytes_per_second| FetchSettings {
        min_bytes_per_second,
        rate_window: std::time::Duration::from_millis(50),
        ..settings()
    };
    let failure = fetch_with(slow(1000), &origin.url("/")).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::SourceTimeout);
    assert_eq!(
        fetch_with(slow(0), &origin.url("/")).await.unwrap().bytes,
        "abc"
    );
}
