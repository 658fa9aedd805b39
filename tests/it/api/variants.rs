//! Variants as a client asks for them and gets them.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use thumbforge::domain::{
    DuplicateHandling, FileRecord, JobFilter, JobId, VariantOutcome, VariantRecord, Variants,
};
use thumbforge::http::ApiSettings;
use thumbforge::storage::{NewFile, first_path, other_path};

use super::harness::{Api, on_both_databases, settings};

const URL: &str = "https://images.example.com/harbour.jpg";

fn with_presets(duplicate_handling: DuplicateHandling) -> ApiSettings {
    let list = json!([{"name": "card", "width": 320}]);
    ApiSettings {
        duplicate_handling,
        presets: BTreeMap::from([("gallery".to_owned(), Variants::read(&list).unwrap())]),
        ..settings()
    }
}

/// A submission with these members beside the URL.
fn body(members: &Value) -> String {
    let mut body = json!({ "url": URL });
    let members = members.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(members);
    body.to_string()
}

async fn accepted(api: &Api, members: &Value) -> JobId {
    let answer = api.post(&body(members)).await;
    assert_eq!(answer.status, 202, "{members}: {answer:?}");
    answer.json()["id"].as_str().unwrap().parse().unwrap()
}

/// The pointers that a submission is refused with.
async fn pointers(api: &Api, members: &Value) -> Vec<String> {
    let answer = api.post(&body(members)).await;
    assert_eq!(
        answer.problem(),
        (422, "invalid_body".to_owned()),
        "{members}"
    );
    let problem = answer.json();
    let faults = problem["errors"].as_array().unwrap().iter();
    faults
        .map(|fault| fault["pointer"].as_str().unwrap().to_owned())
        .collect()
}

/// Completes a job as a worker would: `card` in WebP and JPEG, `tile` in PNG, and `big` failed.
pub async fn complete(api: &Api, id: JobId) {
    let claim = api.claimed(id).await;
    let file = |path: String, content_type: &str| FileRecord {
        size_bytes: path.len() as u64,
        sha256: "0".repeat(64),
        content_type: content_type.to_owned(),
        path,
    };
    let card = vec![
        file(other_path(&claim, "card", "webp"), "image/webp"),
        file(first_path(id, "jpg"), "image/jpeg"),
    ];
    let tile = vec![file(other_path(&claim, "tile", "png"), "image/png")];
    let files = [&card[1], &card[0], &tile[0]]
        .into_iter()
        .map(|file| NewFile {
            path: file.path.clone(),
            bytes: file.path.clone().into(),
        });
    let files = files.collect();
    let made = |name: &str, files| VariantRecord {
        name: name.to_owned(),
        outcome: VariantOutcome::Made {
            width: 4,
            height: 3,
            files,
        },
    };
    let failed = VariantRecord {
        name: "big".to_owned(),
        outcome: VariantOutcome::Failed {
            error_code: "variant_too_large".to_owned(),
            error: "no quality makes it so small".to_owned(),
        },
    };
    let records = vec![made("card", card), made("tile", tile), failed];
    api.publish(&claim, files, records).await;
}

fn asked() -> Value {
    json!({"variants": [
        {"name": "card", "width": 4, "format": ["webp", "jpeg"]},
        {"name": "tile", "width": 4, "format": "png"},
        {"name": "big", "width": 4, "max_bytes": 100, "optional": true},
    ]})
}

on_both_databases! {
    async fn every_fault_is_pointed_at_and_nothing_is_stored(fixture: &Fixture) {
        let api = Api::start_with(fixture, with_presets(DuplicateHandling::AllowRetry)).await;
        let one = |members: Value| {
            let mut variant = json!({"name": "a", "width": 9});
            variant.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
            json!({"variants": [variant]})
        };
        let seventeen: Vec<_> = (0..17).map(|number| json!({"name": number.to_string(), "width": 9})).collect();
        for (members, expected) in [
            (one(json!({"colour": 1})), &["#/variants/0/colour"][..]),
            (one(json!({"a/b c~": 1})), &["#/variants/0/a~1b%20c~0"]),
            (json!({"variants": []}), &["#/variants"]),
            (json!({"variants": {}}), &["#/variants"]),
            (json!({"variants": "gallery"}), &["#/variants"]),
            (json!({"variants": [null]}), &["#/variants/0"]),
            (json!({ "variants": seventeen }), &["#/variants"]),
            (json!({"variants": [{"name": "a", "width": 9}, {"name": "a", "width": 8}]}), &["#/variants/1/name"]),
            (one(json!({"name": "../a"})), &["#/variants/0/name"]),
            (json!({"variants": [{"width": 9}]}), &["#/variants/0/name"]),
            (one(json!({"width": 0})), &["#/variants/0/width"]),
            (one(json!({"width": 9000})), &["#/variants/0/width"]),
            (one(json!({"width": null})), &["#/variants/0"]),
            (one(json!({"fit": "cover"})), &["#/variants/0/height"]),
            (one(json!({"fit": "crop"})), &["#/variants/0/fit"]),
            (one(json!({"gravity": "0.5,1.5"})), &["#/variants/0/gravity"]),
            (one(json!({"format": "gif"})), &["#/variants/0/format"]),
            (one(json!({"format": ["webp", "webp"]})), &["#/variants/0/format"]),
            (one(json!({"quality": 101})), &["#/variants/0/quality"]),
            (one(json!({"background": "salmon"})), &["#/variants/0/background"]),
            (one(json!({"max_bytes": 1})), &["#/variants/0/max_bytes"]),
            (one(json!({"blur": 1000})), &["#/variants/0/blur"]),
            (one(json!({"sharpen": "much"})), &["#/variants/0/sharpen"]),
            (one(json!({"enlarge": 1})), &["#/variants/0/enlarge"]),
            (one(json!({"optional": true})), &["#/variants/0/optional"]),
            (json!({"preset": "unknown"}), &["#/preset"]),
            (json!({"preset": 7}), &["#/preset"]),
            (json!({"preset": "gallery", "variants": [{"name": "a", "width": 9}]}), &["#/preset"]),
            (json!({"duplicate": "sometimes"}), &["#/duplicate"]),
            (json!({"duplicate": true}), &["#/duplicate"]),
            (
                json!({"priority": 10, "preset": "gallery", "more": 1, "variants": [
                    {"name": "a", "quality": 0, "fit": "fill"}, 7, {"name": "a", "height": 1e9},
                ]}),
                &[
                    "#/priority", "#/more", "#/variants/0/width", "#/variants/0/height",
                    "#/variants/0/quality", "#/variants/1", "#/variants/2/height",
                    "#/variants/2/name", "#/preset",
                ],
            ),
        ] {
            assert_eq!(pointers(&api, &members).await, expected, "{members}");
        }
        // It would be unclear which of the two holds.
        let twice = format!("{{\"url\": \"{URL}\", \"variants\": [{{\"name\": \"a\", \"width\": 1, \"width\": 2}}]}}");
        let answer = api.post(&twice).await;
        assert_eq!(answer.problem(), (422, "invalid_body".to_owned()));
        let listed = api.database.list(&JobFilter::default(), 10, 0, None).await.unwrap();
        assert_eq!(listed.jobs.len(), 0);
    }

    async fn variants_and_presets_are_stored_with_the_job(fixture: &Fixture) {
        let api = Api::start_with(fixture, with_presets(DuplicateHandling::AllowRetry)).await;
        let stored = async |members: Value| {
            let id = accepted(&api, &members).await;
            api.claimed(id).await.variants
        };
        assert_eq!(stored(json!({})).await, None);
        assert_eq!(stored(json!({"variants": null, "preset": null, "duplicate": null})).await, None);
        let card = "[{\"name\":\"card\",\"width\":320}]";
        let spelt = json!({"variants": [{"width": 320.0, "name": "card", "fit": "inside"}]});
        assert_eq!(stored(spelt).await.as_deref(), Some(card));
        assert_eq!(stored(json!({"preset": "gallery"})).await.as_deref(), Some(card));
        // Under a policy that looks for others, rows are inserted by another statement.
        let looked_up = json!({"preset": "gallery", "duplicate": "reuse-completed"});
        assert_eq!(stored(looked_up).await.as_deref(), Some(card));
        let rows = fixture.lines(
            "SELECT spec_version || ' ' || length(spec_hash) || ' ' || count(*) AS line FROM jobs \
             GROUP BY spec_version, spec_hash ORDER BY spec_version",
        );
        assert_eq!(rows, ["1 0 2", "2 64 3"]);
    }

    async fn sixteen_variants_with_every_member_fit_into_a_body(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let variants: Vec<_> = (0..16).map(|number| json!({
            "name": format!("{number:032}"), "width": 2048, "height": 1024, "fit": "contain",
            "gravity": "0.123456789,0.987654321", "format": ["avif", "webp", "png", "jpeg"],
            "quality": 85, "max_bytes": 1_000_000, "background": "#00112233", "enlarge": false,
            "blur": 12.5, "sharpen": 1.25, "grayscale": true, "optional": number > 0,
        })).collect();
        let url = format!("https://a.example/{}", "\\u00e9".repeat(1300));
        let body = format!("{{\"url\": \"{url}\", \"variants\": {}}}", serde_json::to_string_pretty(&variants).unwrap());
        let answer = api.post(&body).await;
        assert_eq!(answer.status, 202, "{answer:?}");
    }

    async fn duplicates_are_of_the_same_url_and_the_same_variants(fixture: &Fixture) {
        let api = Api::start_with(fixture, with_presets(DuplicateHandling::RejectActive)).await;
        let plain = accepted(&api, &json!({})).await;
        let card = accepted(&api, &json!({"preset": "gallery"})).await;
        let other = json!({"variants": [{"name": "card", "width": 321}]});
        accepted(&api, &other).await;
        let same = json!({"variants": [{"name": "card", "width": 320, "format": "jpeg"}]});
        for (members, active) in [(json!({}), plain), (json!({"preset": "gallery"}), card), (same.clone(), card)] {
            let answer = api.post(&body(&members)).await;
            assert_eq!(answer.problem(), (409, "duplicate_active".to_owned()), "{members}");
            assert_eq!(answer.json()["job_id"], active.to_string());
        }
        // The request may set another policy.
        accepted(&api, &json!({"preset": "gallery", "duplicate": "allow_retry"})).await;
        api.complete(card, b"jpeg").await;
        api.complete(plain, b"jpeg").await;
        let reused = async |mut members: Value| {
            members["duplicate"] = "reuse-completed".into();
            let answer = api.post(&body(&members)).await;
            assert_eq!(answer.status, 202, "{answer:?}");
            answer.header("thumbforge-duplicate").map(|_| answer.json()["id"].as_str().unwrap().to_owned())
        };
        assert_eq!(reused(json!({})).await, Some(plain.to_string()));
        assert_eq!(reused(same).await, Some(card.to_string()));
        assert_eq!(reused(other).await, None);
    }

    async fn of_concurrent_submissions_of_the_same_variants_one_is_accepted(fixture: &Fixture) {
        let api = Api::start_with(fixture, with_presets(DuplicateHandling::RejectActive)).await;
        let bodies: Vec<_> = (0..24).map(|number| {
            body(&json!({"variants": [{"name": "card", "width": 100 + number % 3}]}))
        }).collect();
        let tries = bodies.iter().map(|body| api.post(body));
        let answers = futures_util::future::join_all(tries).await;
        let accepted = answers.iter().filter(|answer| answer.status == 202).count();
        assert_eq!(accepted, 3, "one of each");
        assert!(answers.iter().all(|answer| matches!(answer.status, 202 | 409)));
    }

    async fn a_result_names_each_variant_with_its_files(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let id = accepted(&api, &asked()).await;
        complete(&api, id).await;
        let job = api.get(&format!("/v1/images/{id}")).await.json();
        let result = &job["result"];
        assert_eq!(result["thumbnail_path"], format!("{id}.jpg"));
        let card = &result["variants"]["card"];
        let href = format!("/v1/images/{id}/variants/card");
        assert_eq!((&card["content_type"], &card["href"]), (&"image/jpeg".into(), &href.as_str().into()));
        assert_eq!((&card["width"], &card["height"]), (&4.into(), &3.into()));
        let formats: Vec<_> = card["formats"].as_array().unwrap().iter()
            .map(|format| format["href"].as_str().unwrap().to_owned()).collect();
        assert_eq!(formats, [format!("{href}?format=webp"), format!("{href}?format=jpeg")]);
        assert_eq!(card["size_bytes"], card["formats"][1]["size_bytes"]);
        let tile = &result["variants"]["tile"];
        assert_eq!(tile.get("formats"), None);
        assert_eq!(tile["content_type"], "image/png");
        let big = json!({"error_code": "variant_too_large", "error": "no quality makes it so small"});
        assert_eq!(result["variants"]["big"], big);
        let text = job.to_string();
        assert!(!text.contains("-1.webp"), "where files lie is not told: {text}");
        for href in formats.iter().map(String::as_str).chain([&*href]) {
            assert_eq!(api.get(href).await.status, 200, "{href}");
        }
    }

    async fn a_job_without_variants_has_the_result_it_always_had(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let id = api.accepted(URL).await;
        api.complete(id, b"jpeg").await;
        let job = api.get(&format!("/v1/images/{id}")).await.json();
        assert_eq!(job["result"].get("variants"), None);
        assert_eq!(job["result"]["thumbnail_path"], format!("{id}.jpg"));
        let answer = api.get(&format!("/v1/images/{id}/thumbnail")).await;
        assert!(!answer.header("vary").unwrap_or_default().contains("Accept,"), "{answer:?}");
        let answer = api.get(&format!("/v1/images/{id}/variants/thumbnail")).await;
        assert_eq!(answer.problem(), (404, "variant_not_found".to_owned()));
        assert!(api.folder.path().join(format!("thumbnails/{id}.jpg")).is_file());
        let entries = std::fs::read_dir(api.folder.path().join("thumbnails")).unwrap();
        assert_eq!(entries.count(), 2, "the file and .tmp");
    }

    async fn accept_chooses_among_formats(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let id = accepted(&api, &asked()).await;
        complete(&api, id).await;
        let varies = |vary: Option<&str>| {
            vary.is_some_and(|names| names.split(',').any(|name| name.trim().eq_ignore_ascii_case("accept")))
        };
        for (accept, expected) in [
            (None, "image/jpeg"),
            (Some("*/*"), "image/jpeg"),
            (Some("image/*"), "image/jpeg"),
            (Some("text/html"), "image/jpeg"),
            (Some("image/webp"), "image/webp"),
            (Some("image/avif,image/webp,image/apng,image/*,*/*;q=0.8"), "image/webp"),
            (Some("image/webp;q=0.1,image/jpeg;q=0.2"), "image/jpeg"),
            (Some("image/webp;q=0,*/*"), "image/jpeg"),
            (Some("image/jpeg;q=0,*/*"), "image/webp"),
        ] {
            let headers: Vec<_> = accept.map(|value| ("Accept", value)).into_iter().collect();
            for path in ["thumbnail", "variants/card"] {
                let answer = api.get_with(&format!("/v1/images/{id}/{path}"), &headers).await;
                assert_eq!((answer.status, answer.header("content-type")), (200, Some(expected)), "{accept:?} {path}");
                assert!(varies(answer.header("vary")), "{answer:?}");
            }
        }
        let path = format!("/v1/images/{id}/variants/card");
        let jpeg = api.get(&path).await;
        let webp = api.get_with(&path, &[("Accept", "image/webp")]).await;
        assert_ne!(jpeg.header("etag"), webp.header("etag"));
        let etag = webp.header("etag").unwrap();
        let again = api.get_with(&path, &[("Accept", "image/webp"), ("If-None-Match", etag)]).await;
        assert!(again.status == 304 && varies(again.header("vary")), "{again:?}");
        let part = api.get_with(&path, &[("Accept", "image/webp"), ("Range", "bytes=0-1")]).await;
        assert_eq!((part.status, &part.body[..]), (206, &webp.body[..2]));
        let single = api.get(&format!("/v1/images/{id}/variants/tile")).await;
        assert_eq!(single.header("content-type"), Some("image/png"));
        assert!(varies(single.header("vary")), "{single:?}");
        let cross = jpeg.header("cross-origin-resource-policy");
        assert_eq!((cross, jpeg.header("cache-control")), (Some("cross-origin"), Some("public, max-age=86400, immutable")));
    }

    async fn a_format_can_be_named_and_what_is_not_there_is_not_found(fixture: &Fixture) {
        let api = Api::start(fixture).await;
        let id = accepted(&api, &asked()).await;
        let early = api.get(&format!("/v1/images/{id}/variants/card")).await;
        assert_eq!(early.problem(), (404, "thumbnail_not_found".to_owned()));
        complete(&api, id).await;
        let get = async |path: &str| api.get(&format!("/v1/images/{id}/variants/{path}")).await;
        for (path, expected) in [
            ("card?format=webp", "image/webp"),
            ("card?format=jpeg", "image/jpeg"),
            ("tile?format=png", "image/png"),
        ] {
            assert_eq!(get(path).await.header("content-type"), Some(expected), "{path}");
        }
        for (path, expected) in [
            ("card?format=avif", (404, "variant_not_found")),
            ("tile?format=jpeg", (404, "variant_not_found")),
            ("big", (404, "variant_not_found")),
            ("other", (404, "variant_not_found")),
            ("..%2fcard", (404, "variant_not_found")),
            ("card?format=gif", (422, "invalid_query")),
            ("card?format=", (422, "invalid_query")),
            ("card?format=webp&format=jpeg", (422, "invalid_query")),
            ("card?size=1", (422, "invalid_query")),
        ] {
            let (status, code) = get(path).await.problem();
            assert_eq!((status, code.as_str()), expected, "{path}");
        }
    }
}
