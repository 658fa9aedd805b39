//! Walks through the README's first request as a newcomer does, command by command.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::support::child_process::ChildProcess;
use crate::support::deadline::eventually_blocking;
use crate::support::http_client::{try_get, try_post};
use crate::support::server_process::{ServerProcess, find_program, free_port};
use crate::support::skipped::skipped;

const SOON: Duration = Duration::from_secs(30);

/// The code blocks of the section, each with its language.
fn blocks() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let (_, section) = readme.split_once("## First request\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let blocks = section.split("```").skip(1).step_by(2);
    let parts = blocks.map(|block| block.split_once('\n').unwrap());
    parts
        .map(|(language, text)| (language.to_owned(), text.to_owned()))
        .collect()
}

/// A program that goes on while the others are typed.
fn keep_running(line: &str, folder: &Path, name: &str) -> ServerProcess {
    let own = folder.join(name);
    std::fs::create_dir(&own).unwrap();
    let script = format!("cd {} && {line}", folder.display());
    let arguments = ["-c".to_owned(), script];
    let sh = find_program("sh", &[]).unwrap();
    ServerProcess::start(&sh, &arguments, &own, None, "TERM")
}

fn output_of(line: &str, folder: &Path) -> String {
    let mut shell = Command::new("sh");
    let output = shell
        .args(["-c", line])
        .current_dir(folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

fn members(json: &str) -> BTreeSet<String> {
    let value: Value = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"));
    value.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn the_first_request_works_as_it_is_written() {
    for program in ["curl", "python3"] {
        if find_program(program, &[]).is_none() {
            return skipped("the first request", &format!("{program} is not installed"));
        }
    }
    let blocks = blocks();
    let languages: Vec<_> = blocks
        .iter()
        .map(|(language, _)| language.as_str())
        .collect();
    assert_eq!(languages, ["sh", "sh", "sh", "", "sh", "json", "text"]);
    // Other ports, since these may be taken here; and the program that is built already.
    let (api, pictures) = (free_port(), free_port());
    let built = format!(
        "exec {} all --bind 127.0.0.1:{api}",
        env!("CARGO_BIN_EXE_thumbforge")
    );
    let typed = |block: usize| {
        let text = &blocks[block].1;
        text.replace("cargo run --release -- all", &built)
            .replace("127.0.0.1:8000", &format!("127.0.0.1:{api}"))
            .replace("127.0.0.1:9000", &format!("127.0.0.1:{pictures}"))
            .replace(
                "python3 -m http.server 9000",
                &format!("exec python3 -m http.server {pictures}"),
            )
    };
    let folder = tempfile::tempdir().unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    std::os::unix::fs::symlink(fixtures, folder.path().join("tests")).unwrap();

    let _service = keep_running(&typed(0), folder.path(), "service");
    let _pictures = keep_running(&typed(1), folder.path(), "pictures");
    for (port, path) in [(api, "/readyz"), (pictures, "/Landscape_6.jpg")] {
        eventually_blocking(path, SOON, || {
            let address = ([127, 0, 0, 1], port).into();
            try_get(address, path, SOON).is_ok_and(|answer| answer.status == 200)
        });
    }
    let accepted = output_of(&typed(2), folder.path()).replace("\r\n", "\n");
    assert!(
        accepted.starts_with("HTTP/1.1 202 Accepted\n"),
        "{accepted}"
    );
    let (_, body) = accepted.split_once("\n\n").unwrap();
    let (_, shown) = blocks[3].1.split_once("\n\n").unwrap();
    assert_eq!(members(body), members(&shown.replace('\n', "")));

    let id = serde_json::from_str::<Value>(body).unwrap()["id"].clone();
    let with_id = typed(4).replace(
        "job=01a2134f-4f95-75db-9153-d94d99703ec1",
        &format!("job={}", id.as_str().unwrap()),
    );
    let lines: Vec<_> = with_id.lines().collect();
    let [job, show, download] = lines[..] else {
        panic!("{lines:?}");
    };
    let mut shown = String::new();
    eventually_blocking("the job is completed", SOON, || {
        shown = output_of(&format!("{job}; {show}"), folder.path());
        // The log of attempts has the word before the job has it.
        shown.contains("\"status\":\"completed\"")
    });
    assert_eq!(members(&shown), members(&blocks[5].1));
    let of_readme: Value = serde_json::from_str(&blocks[5].1).unwrap();
    let of_service: Value = serde_json::from_str(&shown).unwrap();
    for member in [
        "width",
        "height",
        "sha256",
        "thumbnail",
        "thumbhash",
        "dominant_color",
    ] {
        let told = &of_readme["result"][member];
        assert_eq!(&of_service["result"][member], told, "{member}");
    }
    output_of(&format!("{job}; {download}"), folder.path());
    let thumbnail = std::fs::read(folder.path().join("thumbnail.jpg")).unwrap();
    assert!(thumbnail.starts_with(&[0xff, 0xd8]));

    let submit = format!(
        "{} submit --server 127.0.0.1:{api}",
        env!("CARGO_BIN_EXE_thumbforge")
    );
    let printed = output_of(
        &typed(6).replace("thumbforge submit", &submit),
        folder.path(),
    );
    let file = printed.trim_end().split('\t').next_back().unwrap();
    let downloaded = std::fs::read(folder.path().join(file)).unwrap();
    assert_eq!(downloaded, thumbnail, "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_source_names_the_setting_that_would_let_it_in() {
    let folder = tempfile::tempdir().unwrap();
    let mut all = ChildProcess::new("all", "all", folder.path(), &[]);
    tokio::task::block_in_place(|| all.start());
    for (url, setting) in [
        (
            "http://images.example.org:9000/a.jpg",
            "THUMBFORGE_ALLOWED_SOURCE_PORTS",
        ),
        (
            "http://127.0.0.1/a.jpg",
            "THUMBFORGE_ALLOWED_SOURCE_NETWORKS",
        ),
        ("http://minio/a.jpg", "THUMBFORGE_ALLOWED_SOURCE_NETWORKS"),
    ] {
        let body = serde_json::json!({ "url": url }).to_string();
        let answer = try_post(all.address, "/v1/images", &body, SOON)
            .await
            .unwrap();
        assert_eq!(
            answer.problem(),
            (422, "forbidden_source".to_owned()),
            "{url}"
        );
        let problem = answer.json();
        assert!(
            problem["detail"].as_str().unwrap().contains(setting),
            "{problem}"
        );
    }
}
