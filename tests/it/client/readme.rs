//! The README's examples, as they stand there, for another port and another picture.

use tokio::process::Command;

use super::{Stand, finished};
use crate::documents::document;
use crate::support::server_process::find_program;
use crate::support::skipped::skipped;

const PICTURE: &str = "https://www.rust-lang.org/logos/rust-logo-512x512.png";
const MISSING: &str = "/missing.png";

fn example(stand: &Stand, language: &str, picture: &str) -> String {
    let readme = document("README.md");
    let (_, section) = readme.split_once("## From your code\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let (_, code) = section.split_once(&format!("```{language}\n")).unwrap();
    let (code, _) = code.split_once("```").unwrap();
    assert_eq!(code.matches(PICTURE).count(), 1, "{code}");
    let server = format!("http://{}", stand.service.address);
    code.replace("http://127.0.0.1:8000", &server)
        .replace(PICTURE, picture)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_submits_and_waits() {
    let stand = Stand::new(&[]).await;
    let picture = stand.picture("/a.jpg");
    for (language, program, file) in [
        ("js", "node", "example.mjs"),
        ("python", "python3", "example.py"),
        ("php", "php", "example.php"),
    ] {
        let Some(program) = find_program(program, &[]) else {
            skipped(
                "examples of the README",
                &format!("{program} is not installed"),
            );
            continue;
        };
        let run = async |picture: &str| {
            stand.write(file, example(&stand, language, picture));
            let mut interpreter = Command::new(&program);
            interpreter.arg(file).current_dir(stand.folder.path());
            let said = finished(&mut interpreter).await;
            (said.stdout, said.stderr)
        };
        let (printed, said) = run(&picture).await;
        let (status, thumbnail) = printed.trim_end().split_once(' ').unwrap_or_else(|| {
            panic!("{language}: {printed}{said}");
        });
        assert_eq!(status, "completed", "{language}: {printed}{said}");
        let path = thumbnail.strip_prefix(&format!("http://{}", stand.service.address));
        let target = path.unwrap_or_else(|| panic!("{language}: {printed}"));
        let answer = stand.answer(target);
        assert_eq!(answer.status, 200, "{language}");
        assert!(answer.body.starts_with(b"\xff\xd8"), "{language}");
        let (printed, _) = run(&stand.origin.url(MISSING)).await;
        assert!(
            printed.starts_with("failed the source answered"),
            "{language}: {printed}"
        );
    }
}
