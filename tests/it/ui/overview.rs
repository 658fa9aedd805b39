//! The first page, files, and the path in front of everything.

use thumbforge::http::ApiSettings;

use super::{guarded, html, open};
use crate::api::harness::{Api, settings};

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_is_told_what_to_do() {
    let api = open().await;
    let page = html(&api.get("/ui").await, 200);
    assert!(page.contains("Submit your first picture"), "{page}");
    assert!(
        page.contains(&format!("curl http://{}/v1/images", api.address)),
        "{page}"
    );
    let home = api.get("/ui/").await;
    assert_eq!((home.status, home.header("location")), (303, Some("/ui")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_pictures_are_on_the_wall() {
    let api = open().await;
    let (done, waiting) = (
        api.accepted("http://a.example/done.jpg").await,
        api.accepted("http://a.example/waiting.jpg").await,
    );
    api.complete(done, b"\xff\xd8 the picture").await;
    let page = html(&api.get("/ui").await, 200);
    assert!(page.contains(&format!("id=\"tile-{done}\"")), "{page}");
    assert!(page.contains("done.jpg from a.example"), "{page}");
    assert!(!page.contains(&format!("tile-{waiting}")), "{page}");
    assert!(page.contains(&format!("id=\"row-{waiting}\"")), "{page}");
    assert!(page.contains("No worker takes jobs"), "{page}");
    let picture = api.get(&format!("/ui/images/{done}/thumbnail")).await;
    assert_eq!(
        (picture.status, &*picture.body),
        (200, &b"\xff\xd8 the picture"[..])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_kept_for_ever_and_need_no_key() {
    let api = guarded().await;
    let page = html(&api.get("/ui/sign-in").await, 200);
    let assets: Vec<&str> = page
        .split('"')
        .filter(|part| part.starts_with("/ui/assets/"))
        .collect();
    assert!(assets.len() >= 5, "{page}");
    for path in assets {
        let answer = api.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        let caching = answer.header("cache-control");
        assert_eq!(caching, Some("public, max-age=31536000, immutable"));
        let other = api
            .get(&path.replacen("/ui/assets/", "/ui/assets/0", 1))
            .await;
        assert_eq!(other.header("cache-control"), Some("no-cache"));
    }
    html(&api.get("/ui/assets/0/nothing.js").await, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_link_has_the_path_in_front() {
    let api = Api::on_sqlite(ApiSettings {
        public_url: Some("http://thumbs.example/some/path".parse().unwrap()),
        ..settings()
    })
    .await;
    let id = api.accepted("http://a.example/a.jpg").await;
    api.complete(id, b"\xff\xd8").await;
    for path in ["/ui", "/ui/jobs", &format!("/ui/jobs/{id}"), "/ui/nothing"] {
        let answer = api.get(path).await;
        let page = html(&answer, answer.status);
        for attribute in [
            "href=\"",
            "src=\"",
            "action=\"",
            "hx-get=\"",
            "data-refresh=\"",
            "data-events=\"",
        ] {
            for part in page.split(attribute).skip(1) {
                let link = part.split('"').next().unwrap();
                let is_ours = link.starts_with("/some/path/") || !link.starts_with('/');
                assert!(is_ours, "{path}: {attribute}{link}");
            }
        }
    }
    assert_eq!(
        api.get("/ui/").await.header("location"),
        Some("/some/path/ui")
    );
}
