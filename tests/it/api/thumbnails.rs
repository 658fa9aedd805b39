//! `GET /v1/images/{job_id}/thumbnail`

use super::harness::{Api, on_both_databases};

const URL: &str = "https://images.example.com/harbour.jpg";
const JPEG: &[u8] = b"these twenty-five bytes..";

on_both_databases! {
    async fn there_is_a_thumbnail_once_the_job_is_completed(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let id = api.accepted(URL).await;
        let path = format!("/v1/images/{id}/thumbnail");
        assert_eq!(api.get(&path).await.problem(), (404, "thumbnail_not_found".to_owned()));
        api.complete(id, JPEG).await;
        let answer = api.get(&path).await;
        assert_eq!((answer.status, answer.body.as_slice()), (200, JPEG));
        for (name, expected) in [
            ("content-type", "image/jpeg"),
            ("content-length", "25"),
            ("accept-ranges", "bytes"),
            ("cache-control", "public, max-age=86400, immutable"),
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("cross-origin-resource-policy", "cross-origin"),
        ] {
            assert_eq!(answer.header(name), Some(expected), "{name}");
        }
        assert!(answer.header("last-modified").is_some());
        assert_eq!(answer.header("content-disposition"), None);
    }

    async fn an_unchanged_thumbnail_is_not_sent_again(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let id = api.accepted(URL).await;
        api.complete(id, JPEG).await;
        let path = format!("/v1/images/{id}/thumbnail");
        let first = api.get(&path).await;
        let etag = first.header("etag").unwrap();
        assert!(etag.starts_with('"'), "strong: {etag}");
        let modified = first.header("last-modified").unwrap();
        for condition in [
            ("If-None-Match", etag),
            ("If-None-Match", &format!("\"other\", {etag}")),
            ("If-Modified-Since", modified),
        ] {
            let answer = api.get_with(&path, &[condition]).await;
            assert_eq!((answer.status, answer.body.len()), (304, 0), "{condition:?}");
            assert_eq!(answer.header("etag"), Some(etag));
            assert!(answer.header("cache-control").unwrap().contains("immutable"));
        }
        let other = api.get_with(&path, &[("If-None-Match", "\"other\"")]).await;
        assert_eq!(other.status, 200);
        let failed = api.get_with(&path, &[("If-Match", "\"other\"")]).await;
        assert_eq!(failed.problem(), (412, "precondition_failed".to_owned()));
    }

    async fn a_part_can_be_asked_for(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let id = api.accepted(URL).await;
        api.complete(id, JPEG).await;
        let path = format!("/v1/images/{id}/thumbnail");
        for (range, part, content_range) in [
            ("bytes=0-4", &JPEG[..5], "bytes 0-4/25"),
            ("bytes=6-", &JPEG[6..], "bytes 6-24/25"),
            ("bytes=-2", &JPEG[23..], "bytes 23-24/25"),
        ] {
            let answer = api.get_with(&path, &[("Range", range)]).await;
            assert_eq!((answer.status, answer.body.as_slice()), (206, part), "{range}");
            assert_eq!(answer.header("content-range"), Some(content_range));
        }
        let beyond = api.get_with(&path, &[("Range", "bytes=25-")]).await;
        assert_eq!(beyond.problem(), (416, "range_not_satisfiable".to_owned()));
        assert_eq!(beyond.header("content-range"), Some("bytes */25"));
        assert_eq!(beyond.header("cache-control"), Some("no-store"));
        let stale = [("Range", "bytes=0-4"), ("If-Range", "\"other\"")];
        assert_eq!(api.get_with(&path, &stale).await.status, 200);
    }

    async fn a_thumbnail_that_was_removed_says_so(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let id = api.accepted(URL).await;
        api.complete(id, JPEG).await;
        api.storage.remove(id).await.unwrap();
        let answer = api.get(&format!("/v1/images/{id}/thumbnail")).await;
        assert_eq!(answer.problem(), (404, "thumbnail_removed".to_owned()));
        assert_eq!(answer.json()["title"], "The thumbnail was removed");
    }
}
