//! Who is let in, and who may change something.

use thumbforge::http::ApiSettings;

use super::{FORM, OPERATOR, READER, SUBMITTER, guarded, html, keyed, open, press, sign_in};
use crate::api::harness::Api;
use crate::support::http_client::request;

#[tokio::test(flavor = "multi_thread")]
async fn without_keys_it_is_for_this_machine_alone() {
    let api = open().await;
    html(&api.get("/ui").await, 200);
    for header in [
        ("Forwarded", "for=192.0.2.7"),
        ("X-Forwarded-For", "192.0.2.7"),
        ("X-Forwarded-Prefix", "/t"),
        ("X-Real-IP", "192.0.2.7"),
        ("Via", "1.1 proxy"),
    ] {
        for path in ["/ui", "/ui/jobs", "/ui/events"] {
            let page = html(&api.get_with(path, &[header]).await, 403);
            assert!(page.contains("THUMBFORGE_API_KEYS_FILE"), "{page}");
        }
    }
    // A name of a stranger's DNS may lead here.
    let bytes = b"GET /ui HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    let answer = crate::support::http_client::raw(api.address, bytes).await;
    html(&answer, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_keys_one_signs_in_and_out() {
    let api = guarded().await;
    let answer = api.get("/ui/jobs?status=failed").await;
    assert_eq!(answer.status, 303);
    let place = answer.header("location").unwrap();
    assert_eq!(place, "/ui/sign-in?next=%2Fui%2Fjobs%3Fstatus%3Dfailed");
    let page = html(&api.get(place).await, 200);
    assert!(page.contains("value=\"/ui/jobs?status=failed\""), "{page}");

    let body = format!("key={OPERATOR}&next=%2Fui%2Fjobs%3Fstatus%3Dfailed");
    let answer = press(&api, "/ui/sign-in", &[], &body).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, Some("/ui/jobs?status=failed"))
    );
    let set = answer.header("set-cookie").unwrap().to_owned();
    for part in ["; Path=/ui;", "; HttpOnly", "; SameSite=Strict"] {
        assert!(set.contains(part), "{set}");
    }
    assert!(!set.contains(OPERATOR) && !set.contains("Secure"), "{set}");
    let cookie = set.split(';').next().unwrap();
    let others = format!("a=b; {cookie}; c=d");
    let page = html(&api.get_with("/ui", &[("Cookie", &others)]).await, 200);
    assert!(
        page.contains("operator") && page.contains("Sign out"),
        "{page}"
    );

    let answer = press(&api, "/ui/sign-out", &[("Cookie", cookie)], "").await;
    assert!(answer.header("set-cookie").unwrap().contains("Max-Age=0"));
}

/// A proxy says under which path it shows the service, and takes that path away.
#[tokio::test(flavor = "multi_thread")]
async fn one_signs_in_and_out_under_the_path_of_a_proxy() {
    let api = Api::on_sqlite(ApiSettings {
        trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()],
        ..keyed()
    })
    .await;
    let proxied = ("X-Forwarded-Prefix", "/thumbs");
    let answer = api.get_with("/ui/jobs?status=failed", &[proxied]).await;
    let place = answer.header("location").unwrap();
    assert_eq!(answer.status, 303);
    let query = place.strip_prefix("/thumbs/ui/sign-in?").unwrap();
    let asked = format!("/ui/sign-in?{query}");
    let page = html(&api.get_with(&asked, &[proxied]).await, 200);
    assert!(page.contains("action=\"/thumbs/ui/sign-in\""), "{page}");
    let next = page.split("name=\"next\" value=\"").nth(1).unwrap();
    let next = next.split('"').next().unwrap();

    let body = format!(
        "key={OPERATOR}&next={}",
        next.replace('/', "%2F").replace('?', "%3F")
    );
    let answer = press(&api, "/ui/sign-in", &[proxied], &body).await;
    let location = answer.header("location");
    assert_eq!(
        (answer.status, location),
        (303, Some("/thumbs/ui/jobs?status=failed"))
    );
    let set = answer.header("set-cookie").unwrap().to_owned();
    assert!(set.contains("; Path=/thumbs/ui;"), "{set}");
    let cookie = set.split(';').next().unwrap();
    let page = html(
        &api.get_with("/ui/jobs", &[proxied, ("Cookie", cookie)])
            .await,
        200,
    );
    assert!(page.contains("href=\"/thumbs/ui/failures\""), "{page}");
    let answer = press(&api, "/ui/sign-out", &[proxied, ("Cookie", cookie)], "").await;
    let gone = answer.header("set-cookie").unwrap();
    assert!(
        gone.contains("Path=/thumbs/ui;") && gone.contains("Max-Age=0"),
        "{gone}"
    );
    assert!(answer.header("location").unwrap().starts_with("/thumbs/ui"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cookie_of_a_page_that_came_by_tls_is_secure() {
    let api = guarded().await;
    let body = format!("key={OPERATOR}");
    let host = api.address.to_string();
    for header in [
        ("X-Forwarded-Proto", "https"),
        ("Origin", &format!("https://{host}")),
    ] {
        let answer = request(
            api.address,
            "POST",
            "/ui/sign-in",
            &[FORM, header],
            body.as_bytes(),
        )
        .await;
        let cookie = answer.header("set-cookie").unwrap();
        assert!(cookie.ends_with("; Secure"), "{cookie}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_key_sees_nothing() {
    let api = guarded().await;
    let id = uuid::Uuid::now_v7();
    for path in [
        "/ui".to_owned(),
        "/ui/events".to_owned(),
        format!("/ui/jobs/{id}"),
        format!("/ui/images/{id}/thumbnail"),
        "/ui/nothing".to_owned(),
    ] {
        for cookie in [
            "",
            "thumbforge_ui=",
            "thumbforge_ui=secret-one",
            "thumbforge_ui=v1.1.b3BlcmF0b3I.AAAA",
        ] {
            let answer = api.get_with(&path, &[("Cookie", cookie)]).await;
            assert_eq!(answer.status, 303, "{path} {cookie}");
            assert!(
                answer
                    .header("location")
                    .unwrap()
                    .starts_with("/ui/sign-in"),
                "{path}"
            );
        }
    }
    for key in [
        "wrong",
        "",
        "ea77193cc4e6f18656f3130e296203880c4b9b3772afc855211b82fdd46e9185",
    ] {
        let answer = press(&api, "/ui/sign-in", &[], &format!("key={key}")).await;
        assert!(answer.header("set-cookie").is_none());
        html(&answer, 401);
    }
    // The key in a header is for programs, the cookie for the dashboard.
    let cookie = sign_in(&api, OPERATOR).await;
    let answer = api.get_with("/v1/images", &[("Cookie", &cookie)]).await;
    assert_eq!(answer.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_may_only_read_changes_nothing() {
    let api = guarded().await;
    let reader = sign_in(&api, READER).await;
    let cookie = [("Cookie", &*reader)];
    let submitter = sign_in(&api, SUBMITTER).await;
    let answer = press(
        &api,
        "/ui/submit",
        &[("Cookie", &submitter)],
        "url=http%3A%2F%2Fa.example%2Fa.jpg",
    )
    .await;
    assert_eq!(answer.status, 303, "{answer:?}");
    let place = answer
        .header("location")
        .unwrap()
        .split('?')
        .next()
        .unwrap()
        .to_owned();
    let page = html(&api.get_with(&place, &cookie).await, 200);
    assert!(
        !page.contains("/delete") && !page.contains("/cancel"),
        "{page}"
    );
    for action in ["retry", "cancel", "delete"] {
        let answer = press(&api, &format!("{place}/{action}"), &cookie, "").await;
        let page = html(&answer, 403);
        assert!(page.contains("lacks the scope"), "{page}");
    }
    html(
        &press(
            &api,
            "/ui/submit",
            &cookie,
            "url=http%3A%2F%2Fa.example%2Fb.jpg",
        )
        .await,
        403,
    );
    // Its own job it may cancel.
    let page = html(&api.get_with(&place, &[("Cookie", &submitter)]).await, 200);
    assert!(page.contains("/cancel"), "{page}");
    let answer = press(
        &api,
        &format!("{place}/cancel"),
        &[("Cookie", &submitter)],
        "",
    )
    .await;
    assert_eq!(answer.status, 303, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_from_elsewhere_change_nothing() {
    let api = open().await;
    let id = api.accepted("http://a.example/a.jpg").await;
    let own = format!("http://{}", api.address);
    for headers in [
        [FORM, ("Sec-Fetch-Site", "cross-site")],
        [FORM, ("Sec-Fetch-Site", "same-site")],
        [FORM, ("Origin", "https://evil.example")],
        [FORM, ("Origin", "null")],
    ] {
        for target in [
            format!("/ui/jobs/{id}/cancel"),
            "/ui/sign-in".to_owned(),
            "/ui/sign-out".to_owned(),
        ] {
            let answer = request(api.address, "POST", &target, &headers, b"key=x").await;
            html(&answer, 403);
        }
    }
    let ours = [FORM, ("Sec-Fetch-Site", "same-origin"), ("Origin", &own)];
    let target = format!("/ui/jobs/{id}/cancel");
    let answer = request(api.address, "POST", &target, &ours, b"").await;
    assert_eq!(answer.status, 303);
}
