//! The clients of `clients/`, against a running service.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

use super::{LIMIT, Stand, finished};
use crate::support::http_client::try_get;
use crate::support::receiver::{Manner, Receiver};
use crate::support::server_process::find_program;
use crate::support::skipped::skipped;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What a service posted, with the secret that it is signed with.
async fn delivery(stand: &Stand) -> Value {
    let receiver = Receiver::start(Manner::Answers(200, "")).await;
    let create = ["webhooks", "create", &receiver.url(), "--json"];
    let webhook: Value = serde_json::from_str(&stand.printed(&create).await).unwrap();
    let id = webhook["id"].as_str().unwrap();
    stand.printed(&["webhooks", "test", id]).await;
    let posted = receiver.wait_for(1).await.remove(0);
    stand.printed(&["webhooks", "delete", id]).await;
    json!({"secret": webhook["secret"], "headers": posted.headers, "body": posted.body})
}

/// Runs a script to its end, and starts the service anew when it says so.
async fn drive(stand: &mut Stand, mut script: Command, delivery: &Value) {
    let mut child = script
        .env("SERVER", format!("http://{}", stand.service.address))
        .env("ORIGIN", stand.origin.url("").trim_end_matches('/'))
        .env("DELIVERY", delivery.to_string())
        .current_dir(stand.folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = Vec::new();
    let to_its_end = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line == "RESTART" {
                tokio::task::block_in_place(|| {
                    stand.service.kill();
                    stand.service.start();
                });
                stdin.write_all(b"\n").await.unwrap();
            }
            said.push(line);
        }
        child.wait().await.unwrap()
    };
    let ended = tokio::time::timeout(LIMIT, to_its_end).await;
    let status = ended.unwrap_or_else(|_| panic!("the script does not end: {said:?}"));
    assert!(status.success(), "{said:?}");
    assert_eq!(said, ["RESTART", "DONE"]);
}

/// Runs a script that needs no service.
async fn check_faults(mut script: Command) {
    let said = finished(&mut script).await;
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert_eq!(said.stdout, "DONE\n");
}

/// The only code block of the client's README in `language`, for this service.
fn example(stand: &Stand, file: &str, language: &str) -> String {
    let text = std::fs::read_to_string(root().join(file)).unwrap();
    let (_, code) = text.split_once(&format!("```{language}\n")).unwrap();
    let (code, _) = code.split_once("```").unwrap();
    let pictures = stand.picture("/Landscape_6.jpg");
    let server = format!("http://{}", stand.service.address);
    code.replace("http://127.0.0.1:8000", &server)
        .replace("http://127.0.0.1:9000/Landscape_6.jpg", &pictures)
}

/// The example prints the width and the hash, and leaves a thumbnail.
async fn check_example(stand: &Stand, mut interpreter: Command) {
    let said = finished(interpreter.current_dir(stand.folder.path())).await;
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(said.stdout.starts_with("64 "), "{}", said.stdout);
    let thumbnail = std::fs::read(stand.path("thumbnail.jpg")).unwrap();
    assert!(thumbnail.starts_with(b"\xff\xd8"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_generated_is_up_to_date() {
    let Some(python) = find_program("python3", &[]) else {
        return skipped("generated clients", "python3 is not installed");
    };
    let stand = Stand::new(&[]).await;
    let described = try_get(stand.service.address, "/openapi.json", LIMIT).unwrap();
    stand.write("openapi.json", described.body);
    let mut generate = Command::new(python);
    generate
        .arg(root().join("clients/generate"))
        .args([stand.path("openapi.json"), stand.path("clients")]);
    let said = finished(&mut generate).await;
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    for name in [
        "python/thumbforge/operations.py",
        "typescript/src/operations.ts",
    ] {
        let committed = std::fs::read_to_string(root().join("clients").join(name)).unwrap();
        let fresh = std::fs::read_to_string(stand.path("clients").join(name)).unwrap();
        assert!(
            committed == fresh,
            "clients/{name} is not what clients/generate makes of /openapi.json: run it"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_client_works() {
    let Some(python) = find_program("python3", &[]) else {
        return skipped("the Python client", "python3 is not installed");
    };
    let mut stand = Stand::new(&[]).await;
    stand.picture("/a.jpg");
    let delivery = delivery(&stand).await;
    let interpreter = || {
        let mut command = Command::new(&python);
        command
            .env("PYTHONPATH", root().join("clients/python"))
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command
    };
    let code = example(&stand, "clients/python/README.md", "python");
    stand.write("example.py", code);
    let mut script = interpreter();
    script.arg(root().join("clients/python/tests/faults.py"));
    check_faults(script).await;
    let mut script = interpreter();
    script.arg(root().join("clients/python/tests/check.py"));
    drive(&mut stand, script, &delivery).await;
    let mut script = interpreter();
    script.arg("example.py");
    check_example(&stand, script).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_typescript_client_works() {
    let mut stand = Stand::new(&[]).await;
    let folder = target_folder().join("typescript-client");
    let mut build = Command::new(root().join("clients/typescript/build"));
    let said = finished(build.arg(&folder)).await;
    match said.code {
        Some(0) => {}
        Some(77) => return skipped("the TypeScript client", said.stdout.trim()),
        _ => panic!("{}{}", said.stdout, said.stderr),
    }
    stand.picture("/a.jpg");
    let delivery = delivery(&stand).await;
    let code = example(&stand, "clients/typescript/README.md", "js");
    stand.write("example.mjs", code);
    let modules = folder.join("node_modules");
    std::os::unix::fs::symlink(&modules, stand.path("node_modules")).unwrap();
    let script = |name: &str| {
        let mut command = Command::new("node");
        command
            .arg(root().join("clients/typescript/tests").join(name))
            .env("CLIENT", modules.join("thumbforge/dist/index.js"));
        command
    };
    check_faults(script("faults.mjs")).await;
    drive(&mut stand, script("check.mjs"), &delivery).await;
    let mut script = Command::new("node");
    script.arg("example.mjs");
    check_example(&stand, script).await;
}

/// Where a build may leave what it downloads.
fn target_folder() -> PathBuf {
    let binary = Path::new(env!("CARGO_BIN_EXE_thumbforge"));
    binary.ancestors().nth(2).unwrap().to_owned()
}
