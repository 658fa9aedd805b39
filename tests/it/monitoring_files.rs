//! The alert rules and the board in `deploy/`, held to the metrics that the service has, and to
//! promtool where it is installed.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::child_process::ChildProcess;
use crate::support::http_client::try_get_with;
use crate::support::server_process::find_program;
use crate::support::skipped::skipped;

const LIMIT: Duration = Duration::from_secs(30);

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy")
        .join(name)
}

/// What `all` says at its start, in the older text format.
fn exposition() -> String {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}", folder.path().join("jobs.db").display());
    let storage = folder.path().join("thumbnails").display().to_string();
    let variables = [
        ("THUMBFORGE_DATABASE_URL".to_owned(), database),
        ("THUMBFORGE_STORAGE_PATH".to_owned(), storage),
    ];
    let mut all = ChildProcess::new("all", "all", folder.path(), &variables);
    all.start();
    let accept = [("Accept", "text/plain")];
    let answer = try_get_with(all.address, "/metrics", &accept, LIMIT).unwrap();
    assert_eq!(answer.status, 200);
    String::from_utf8(answer.body).unwrap()
}

fn board() -> Value {
    let text = std::fs::read_to_string(deploy("grafana.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Runs promtool on `input`; `None` where it is not installed.
fn promtool(test: &str, arguments: &[&str], input: &str) -> Option<(bool, String)> {
    let Some(program) = find_program("promtool", &[]) else {
        skipped(test, "promtool is not installed (package prometheus)");
        return None;
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let ended = child.wait_with_output().unwrap();
    let said = [ended.stdout, ended.stderr].concat();
    Some((
        ended.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    ))
}

#[test]
fn promtool_finds_no_fault_in_the_metrics() {
    let test = "promtool_finds_no_fault_in_the_metrics";
    if let Some((passed, said)) = promtool(test, &["check", "metrics"], &exposition()) {
        assert!(passed && said.trim().is_empty(), "{said}");
    }
}

#[test]
fn promtool_finds_no_fault_in_the_alerts() {
    let test = "promtool_finds_no_fault_in_the_alerts";
    let rules = deploy("alerts.yaml").display().to_string();
    if let Some((passed, said)) = promtool(test, &["check", "rules", "--lint-fatal", &rules], "") {
        assert!(passed && said.contains("SUCCESS"), "{said}");
    }
    let cases = deploy("alerts.test.yaml").display().to_string();
    if let Some((passed, said)) = promtool(test, &["test", "rules", &cases], "") {
        assert!(passed, "{said}");
    }
}

/// Our names in an expression, with those of histograms and counters as they are asked for.
fn names_in(text: &str) -> BTreeSet<String> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let words = text.split(|letter| !is_part(letter));
    let ours = words.filter(|word| word.starts_with("thumbforge_") || word.starts_with("process_"));
    ours.map(str::to_owned).collect()
}

/// Every text under the key `wanted`.
fn texts_under<'a>(value: &'a Value, wanted: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                match member {
                    Value::String(text) if key == wanted => found.push(text),
                    other => texts_under(other, wanted, found),
                }
            }
        }
        Value::Array(items) => items
            .iter()
            .for_each(|item| texts_under(item, wanted, found)),
        _ => {}
    }
}

#[test]
fn promtool_reads_every_expression_of_the_board() {
    let test = "promtool_reads_every_expression_of_the_board";
    let board = board();
    let mut expressions = Vec::new();
    texts_under(&board, "expr", &mut expressions);
    let rules: Vec<Value> = expressions
        .iter()
        .enumerate()
        .map(|(number, text)| {
            let whole = text.replace("$job", ".*").replace("$__rate_interval", "5m");
            assert!(!whole.contains('$'), "{whole}");
            json!({ "record": format!("board:{number}"), "expr": whole })
        })
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("board.json");
    let group = json!({ "groups": [{ "name": "board", "rules": rules }] });
    std::fs::write(&file, group.to_string()).unwrap();
    let file = file.display().to_string();
    if let Some((passed, said)) = promtool(test, &["check", "rules", &file], "") {
        assert!(passed, "{said}");
    }
}

#[test]
fn the_document_describes_every_metric() {
    let text = crate::documents::document("docs/OPERATING.md");
    let exposition = exposition();
    let types = exposition
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "));
    let names: Vec<&str> = types.filter_map(|line| line.split(' ').next()).collect();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        let short = name.strip_prefix("thumbforge_").unwrap_or(name);
        assert!(
            text.contains(&format!("`{short}`")),
            "{name} is not described"
        );
    }
}

#[test]
fn alerts_and_board_ask_for_metrics_that_exist() {
    let known: BTreeSet<String> = exposition()
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter_map(|line| line.split_once(' '))
        .flat_map(|(name, kind)| match kind {
            "histogram" => ["_bucket", "_sum", "_count"]
                .map(|suffix| format!("{name}{suffix}"))
                .to_vec(),
            _ => vec![name.to_owned()],
        })
        .collect();
    let rules = std::fs::read_to_string(deploy("alerts.yaml")).unwrap();
    let rules: Value = serde_saphyr::from_str(&rules).unwrap();
    let board = board();
    let mut expressions = Vec::new();
    texts_under(&rules, "expr", &mut expressions);
    assert!(expressions.len() >= 7, "{expressions:?}");
    let of_rules = expressions.len();
    texts_under(&board, "expr", &mut expressions);
    assert!(expressions.len() >= of_rules + 10, "{expressions:?}");
    let asked: BTreeSet<String> = expressions.iter().flat_map(|text| names_in(text)).collect();
    let strange: Vec<_> = asked.difference(&known).collect();
    assert!(strange.is_empty(), "{strange:?} of {known:?}");
}
