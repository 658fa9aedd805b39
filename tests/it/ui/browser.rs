//! The dashboard in a real browser: what it does by itself, and that it complains of nothing.

use std::path::Path;

use super::job_pages::fail;
use super::{OPERATOR, READER, guarded, open};
use crate::support::browser::Browser;
use crate::support::skipped::skipped;

const NO_CHROMIUM: &str = "no Chromium (Debian's package `chromium`)";

#[tokio::test(flavor = "multi_thread")]
async fn a_job_arrives_and_finishes_while_one_looks() {
    let Some(mut browser) = Browser::start().await else {
        return skipped("a_job_arrives_and_finishes_while_one_looks", NO_CHROMIUM);
    };
    let api = open().await;
    let first = api.accepted("http://a.example/first.jpg").await;
    api.complete(first, &jpeg()).await;
    browser.open(&format!("http://{}/ui", api.address)).await;
    browser
        .until("document.querySelector('#live-state').textContent === 'Live'")
        .await;
    // It survives only if the page is not loaded again.
    browser
        .value("window.mark = document.querySelector('#wall img:last-of-type')")
        .await;
    let second = api.accepted("http://a.example/second.jpg").await;
    let arrived = format!("!!document.getElementById('row-{second}')");
    browser.until(&arrived).await;
    api.complete(second, &jpeg()).await;
    let finished = format!("!!document.getElementById('tile-{second}')");
    browser.until(&finished).await;
    browser
        .until("document.querySelector('.count.completed .number').textContent === '2'")
        .await;
    let order = browser
        .value("[...document.querySelectorAll('#wall > li')].map((tile) => tile.id)")
        .await;
    assert_eq!(
        order,
        serde_json::json!([format!("tile-{second}"), format!("tile-{first}")])
    );
    let is_same = "window.mark.isConnected && window.mark.closest('li').id";
    assert_eq!(browser.value(is_same).await, format!("tile-{first}"));
    assert_eq!(browser.complaints, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_filters_and_retries_a_group_and_pauses_an_origin() {
    let Some(mut browser) = Browser::start().await else {
        return skipped(
            "one_filters_and_retries_a_group_and_pauses_an_origin",
            NO_CHROMIUM,
        );
    };
    let api = open().await;
    for number in 0..3 {
        fail(
            &api,
            &format!("http://a.example/{number}.jpg"),
            "it is gone",
        )
        .await;
    }
    let waiting = api.accepted("http://b.example/waiting.jpg").await;
    let base = format!("http://{}", api.address);
    browser.open(&format!("{base}/ui/jobs")).await;
    browser.click("input[value=failed]").await;
    browser
        .until("document.querySelector('.total').textContent === '3 jobs'")
        .await;
    browser.until("location.search === '?status=failed'").await;
    assert_eq!(
        browser
            .value(&format!("!document.getElementById('row-{waiting}')"))
            .await,
        true
    );

    browser.open(&format!("{base}/ui/failures")).await;
    browser.click("a.button[href*='action=retry']").await;
    browser
        .until("document.querySelector('h1')?.textContent === 'Retry 3 jobs?'")
        .await;
    browser.click("form[action$='/ui/actions'] button").await;
    browser
        .until("!!document.querySelector('#action progress')")
        .await;
    let actions = api.database.newest_actions(1).await.unwrap();
    assert_eq!(actions[0].counts.matched, 3);

    browser.open(&format!("{base}/ui/origins")).await;
    browser
        .click("form[action$='/ui/origins/pause'] button")
        .await;
    browser
        .until("!!document.querySelector('form[action$=\"/ui/origins/resume\"]')")
        .await;
    assert_eq!(browser.complaints, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_signs_in_with_a_key_and_a_reader_is_refused() {
    let Some(mut browser) = Browser::start().await else {
        return skipped(
            "one_signs_in_with_a_key_and_a_reader_is_refused",
            NO_CHROMIUM,
        );
    };
    let api = guarded().await;
    let base = format!("http://{}", api.address);
    for (key, may_pause) in [(READER, false), (OPERATOR, true)] {
        browser.open(&format!("{base}/ui/sign-in")).await;
        browser
            .value(&format!("document.getElementById('key').value = '{key}'"))
            .await;
        browser.click(".sign-in button").await;
        browser.until("!!document.querySelector('.who .key')").await;
        assert_eq!(browser.value("document.cookie").await, "");
        let pause = "fetch('/ui/queue/pause', {method: 'POST'}).then((answer) => answer.status)";
        let status = browser.value(pause).await;
        assert_eq!(status, if may_pause { 200 } else { 403 }, "{key}");
        assert_eq!(api.database.queue_is_paused().await.unwrap(), may_pause);
        browser.open(&format!("{base}/ui")).await;
        browser.click(".who button").await;
        browser.until("location.pathname === '/ui/sign-in'").await;
    }
    // The browser itself notes the refusal, and nothing else.
    let (refused, others): (Vec<_>, Vec<_>) = browser
        .complaints
        .iter()
        .partition(|said| said.contains("403"));
    assert_eq!(
        (refused.len(), others.len()),
        (1, 0),
        "{:?}",
        browser.complaints
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_usable_on_a_phone_and_without_sight() {
    let Some(mut browser) = Browser::start().await else {
        return skipped(
            "every_page_is_usable_on_a_phone_and_without_sight",
            NO_CHROMIUM,
        );
    };
    let api = open().await;
    let base = format!("http://{}", api.address);
    let axe = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/axe/axe.min.js");
    let axe = std::fs::read_to_string(axe).unwrap();
    check(&mut browser, &base, "/ui", &axe).await;
    let long = format!("http://a.example/{}.jpg", "very-long-name".repeat(20));
    let failed = fail(&api, &long, &"word".repeat(80)).await;
    let done = api.accepted("http://b.example/done.jpg").await;
    api.complete(done, &jpeg()).await;
    let waiting = api.accepted("http://c.example/waiting.jpg").await;
    for path in [
        "/ui".to_owned(),
        "/ui/jobs".to_owned(),
        "/ui/jobs?host=a.example&tag=none&batch_id=1".to_owned(),
        format!("/ui/jobs/{failed}"),
        format!("/ui/jobs/{done}"),
        format!("/ui/jobs/{waiting}"),
        format!("/ui/jobs/{done}/delete"),
        "/ui/failures".to_owned(),
        "/ui/flow".to_owned(),
        "/ui/actions/new?action=retry&status=failed".to_owned(),
        "/ui/actions".to_owned(),
        "/ui/origins".to_owned(),
        "/ui/batches".to_owned(),
        "/ui/webhooks".to_owned(),
        "/ui/nothing".to_owned(),
    ] {
        check(&mut browser, &base, &path, &axe).await;
    }
}

/// At 320 px, by day and by night.
async fn check(browser: &mut Browser, base: &str, path: &str, axe: &str) {
    browser.narrow(320).await;
    browser.open(&format!("{base}{path}")).await;
    let width = browser.value("document.documentElement.scrollWidth").await;
    assert_eq!(width, 320, "{path} is wider than a phone");
    browser.value(&format!("{axe};true")).await;
    for scheme in ["light", "dark"] {
        let feature = serde_json::json!({"name": "prefers-color-scheme", "value": scheme});
        let media = serde_json::json!({"features": [feature]});
        browser.ask("Emulation.setEmulatedMedia", media).await;
        let findings = "axe.run().then((found) => found.violations
            .filter((one) => ['serious', 'critical'].includes(one.impact))
            .map((one) => one.id + ': ' + one.nodes.map((node) => node.html).join(' ')).join('\\n'))";
        assert_eq!(browser.value(findings).await, "", "{path}, {scheme}");
    }
}

fn jpeg() -> Vec<u8> {
    crate::support::images::jpeg(64, 48, 1)
}
