//! `thumbforge submit` with a service that answers.

use std::collections::{BTreeSet, HashSet};
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::Stand;
use crate::support::images;
use crate::support::origin::Reply;

fn cells(line: &str) -> Vec<&str> {
    line.split('\t').collect()
}

fn json_lines(text: &str) -> Vec<Value> {
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_urls_become_jobs_and_the_failed_one_is_told() {
    let stand = Stand::new(&[]).await;
    let mut urls: Vec<_> = (0..40)
        .map(|n| stand.picture(&format!("/{n}.jpg")))
        .collect();
    urls.push(stand.origin.url("/missing.jpg"));
    let arguments = [
        &["submit", "--wait"],
        &urls.iter().map(String::as_str).collect::<Vec<_>>()[..],
    ];
    let said = stand.run(&arguments.concat()).await;
    assert_eq!(said.code, Some(1), "{}", said.stderr);
    let lines: Vec<_> = said.stdout.lines().map(cells).collect();
    assert_eq!(lines.len(), 41);
    let printed: BTreeSet<_> = lines.iter().map(|cells| cells[2].to_owned()).collect();
    assert_eq!(printed, urls.into_iter().collect());
    let completed = lines.iter().filter(|cells| cells[1] == "completed");
    assert_eq!(completed.count(), 40);
    assert!(said.stderr.contains("line 41: http://"), "{}", said.stderr);
    assert!(
        said.stderr.contains("(source_client_error)"),
        "{}",
        said.stderr
    );
    assert!(
        said.stderr.contains("40 completed, 1 failed\n"),
        "{}",
        said.stderr
    );
    assert_eq!((stand.count("completed"), stand.count("failed")), (40, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_may_have_comments_bad_lines_and_objects() {
    let stand = Stand::new(&[]).await;
    let (a, b) = (stand.picture("/a.jpg"), stand.picture("/b.jpg"));
    let mut text =
        format!("# pictures\n\n  {a}\r\nftp://example.org/c.jpg\nno url\n{{\"url\": 1}}\n");
    text.push_str(&json!({"url": b, "tags": ["own"], "priority": 2}).to_string());
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(b"\n{broken\n\xff\xfe\n");
    bytes.extend(vec![b'x'; 70_000]);
    let file = stand.write("urls.txt", bytes);
    let said = stand
        .run(&["submit", "--from", &file, "--json", "--tag", "all"])
        .await;
    assert_eq!(said.code, Some(1));
    let lines = json_lines(&said.stdout);
    assert_eq!(lines.len(), 8, "{}", said.stdout);
    let by_line = |number: u64| {
        let found = lines.iter().find(|line| line["line"] == number);
        found.unwrap_or_else(|| panic!("{number}: {}", said.stdout))
    };
    assert_eq!(
        (&by_line(3)["url"], &by_line(3)["job"]["tags"]),
        (&json!(a), &json!(["all"]))
    );
    let own = &by_line(7)["job"];
    assert_eq!(
        (&own["tags"], &own["priority"]),
        (&json!(["own"]), &json!(2))
    );
    for (number, code, pointer) in [
        (4, "invalid_url", "#/url"),
        (5, "invalid_url", "#/url"),
        (6, "invalid_body", "#/url"),
    ] {
        let problem = &by_line(number)["problem"];
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        let line = format!("line {number}: ");
        let told = said
            .stderr
            .lines()
            .find(|told| told.contains(&line))
            .unwrap();
        assert!(told.contains(code) && told.contains(pointer), "{told}");
    }
    for (number, reason) in [(8, "no JSON object"), (9, "not UTF-8"), (10, "64 KiB")] {
        let error = by_line(number)["error"].as_str().unwrap();
        assert!(error.contains(reason), "{error}");
    }
    assert_eq!(stand.count("total"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_input_is_no_fault_and_a_missing_one_is() {
    let stand = Stand::new(&[]).await;
    let said = stand.run(&["submit", "-"]).await;
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (Some(0), ""),
        "{}",
        said.stderr
    );
    for (wrong, words) in [
        (&["submit"][..], "<URL>"),
        (&["submit", "--from", "missing.txt"], "missing.txt"),
        (&["submit", "--from", "."], "can't read ."),
        (&["submit", "-", "http://a"], "standard input"),
        (
            &["submit", "http://a", "--variant", "width"],
            "has no value",
        ),
        (
            &["submit", "http://a", "--variant", "name=a,width=0"],
            "variants[0].width",
        ),
        (
            &["submit", "http://a", "--concurrency", "0"],
            "--concurrency",
        ),
        (&["submit", "http://a", "--server", "ftp://x"], "ftp://x"),
    ] {
        let said = stand.run(wrong).await;
        assert_eq!(said.code, Some(2), "{wrong:?}: {}", said.stderr);
        assert!(said.stderr.contains(words), "{wrong:?}: {}", said.stderr);
        assert_eq!(said.stdout, "");
    }
    assert_eq!(stand.count("total"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_lines_are_one_job_of_a_run() {
    let stand = Stand::new(&[]).await;
    let url = stand.picture("/a.jpg");
    let input = format!("{url}\n{url}\n{url}\n");
    let said = stand
        .run_with(&["submit", "--wait", "-"], input.as_bytes())
        .await;
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert_eq!(said.stdout.lines().count(), 3);
    let ids: HashSet<_> = said.stdout.lines().map(|line| cells(line)[0]).collect();
    assert_eq!((ids.len(), stand.count("total")), (1, 1));
    // Another run is another matter.
    stand.printed(&["submit", &url]).await;
    assert_eq!(stand.count("total"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_get_names_of_their_own_and_are_not_overwritten() {
    let stand = Stand::new(&[]).await;
    let a = stand.picture("/one/harbour.jpg");
    let b = stand.picture("/two/harbour.jpg");
    let c = stand.picture("/x/..%2f..%2fescape.jpg");
    let arguments = ["submit", "--output", "out", &a, &b, &c];
    let printed = stand.printed(&arguments).await;
    let files: BTreeSet<_> = printed
        .lines()
        .map(|line| cells(line)[3].to_owned())
        .collect();
    assert_eq!(files.len(), 3, "{printed}");
    let names = || {
        let entries = std::fs::read_dir(stand.path("out")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names
            .map(|name| format!("out/{name}"))
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(names(), files);
    let harbours = files.iter().filter(|name| name.starts_with("out/harbour-"));
    assert_eq!(harbours.count(), 2);
    for name in &files {
        assert!(
            std::fs::read(stand.path(name))
                .unwrap()
                .starts_with(b"\xff\xd8")
        );
    }
    // The same again is fine; what differs is not touched.
    stand.printed(&arguments).await;
    let spoilt = stand.path(files.iter().next().unwrap());
    std::fs::write(&spoilt, "mine").unwrap();
    let said = stand.run(&arguments).await;
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("is there already"), "{}", said.stderr);
    assert_eq!(std::fs::read_to_string(&spoilt).unwrap(), "mine");
    stand
        .printed(&[&arguments[..], &["--overwrite"]].concat())
        .await;
    assert!(std::fs::read(&spoilt).unwrap().starts_with(b"\xff\xd8"));
    assert_eq!(names(), files);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_have_the_permissions_that_the_umask_leaves() {
    let stand = Stand::new(&[]).await;
    let url = stand.picture("/a.jpg");
    let server = format!("http://{}", stand.service.address);
    for (umask, mode) in [("077", 0o600), ("022", 0o644), ("007", 0o660)] {
        let mut shell = tokio::process::Command::new("sh");
        shell
            .args(["-c", &format!("umask {umask} && exec \"$0\" \"$@\"")])
            .arg(env!("CARGO_BIN_EXE_thumbforge"))
            .args(["submit", "--output", umask, &url])
            .env("THUMBFORGE_SERVER", &server)
            .current_dir(stand.folder.path());
        let said = super::finished(&mut shell).await;
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        let file = stand.path(cells(said.stdout.trim_end())[3]);
        let permissions = std::fs::metadata(file).unwrap().permissions();
        assert_eq!(permissions.mode() & 0o777, mode, "{umask}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_want_other_pictures_of_a_url_have_files_of_their_own() {
    let stand = Stand::new(&[]).await;
    let url = stand.picture("/a.jpg");
    let line = |width: u64| {
        let variant = json!({"name": "card", "width": width, "height": 10, "format": "jpeg"});
        format!("{}\n", json!({"url": url, "variants": [variant]}))
    };
    let file = stand.write("lines", [line(10), line(20), format!("{url}\n")].concat());
    let printed = stand
        .printed(&["submit", "--from", &file, "--output", "out"])
        .await;
    let files: HashSet<_> = printed.lines().map(|line| cells(line)[3]).collect();
    assert_eq!(files.len(), 3, "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn variants_and_presets_are_downloaded_in_every_format() {
    let stand = Stand::new(&[]).await;
    let picture = images::jpeg(300, 200, 7);
    stand
        .origin
        .on("/a.jpg", [Reply::body("image/jpeg", picture)]);
    let url = stand.origin.url("/a.jpg");
    let arguments = [
        "submit",
        &url,
        "--output",
        "out",
        "--json",
        "--variant",
        "name=card,width=100,height=80,fit=cover,format=webp,jpeg",
        "--variant",
        "name=tile,width=40,format=png",
    ];
    let line = &json_lines(&stand.printed(&arguments).await)[0];
    let mut endings: Vec<_> = line["files"].as_array().unwrap().iter().collect();
    endings.sort_by_key(ToString::to_string);
    for (file, (ending, magic)) in endings.iter().zip([
        ("-card.jpg", &b"\xff\xd8"[..]),
        ("-card.webp", b"RIFF"),
        ("-tile.png", b"\x89PNG"),
    ]) {
        let file = file.as_str().unwrap();
        assert!(file.ends_with(ending), "{file}");
        assert!(
            std::fs::read(stand.path(file)).unwrap().starts_with(magic),
            "{file}"
        );
    }
    assert_eq!(line["job"]["result"]["variants"]["card"]["width"], 100);
    let said = stand.run(&["submit", &url, "--preset", "nobody"]).await;
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("#/preset"), "{}", said.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_sent_from_flag_variable_or_file() {
    let keys = tempfile::NamedTempFile::new().unwrap();
    // Of `secret-one`.
    let hash = "ea77193cc4e6f18656f3130e296203880c4b9b3772afc855211b82fdd46e9185";
    std::fs::write(keys.path(), format!("one:{hash}\n")).unwrap();
    let path = keys.path().to_str().unwrap();
    let stand = Stand::new(&[("THUMBFORGE_API_KEYS_FILE", path)]).await;
    let url = stand.picture("/a.jpg");
    let said = stand.run(&["submit", &url, &url]).await;
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("(unauthorized)"), "{}", said.stderr);
    stand
        .printed(&["submit", &url, "--api-key", "secret-one"])
        .await;
    stand.write("key", "secret-one\n");
    for (name, value) in [
        ("THUMBFORGE_API_KEY", "secret-one"),
        ("THUMBFORGE_API_KEY_FILE", "key"),
    ] {
        let mut command = stand.command(&["jobs", "list"]);
        let said = super::ended(command.env(name, value).spawn().unwrap()).await;
        assert_eq!(said.code, Some(0), "{name}: {}", said.stderr);
        assert_eq!(said.stdout.lines().count(), 2, "{}", said.stdout);
    }
}
