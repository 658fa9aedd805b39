//! Who may import whom: the `use crate::` edges are read and held to the table.

use std::collections::BTreeSet;
use std::path::Path;

/// Each part with the parts that it may name. `domain` knows nothing.
const MAY_IMPORT: [(&str, &[&str]); 13] = [
    (
        "app",
        &[
            "config",
            "db",
            "domain",
            "fetch",
            "http",
            "imaging",
            "lifecycle",
            "queue",
            "storage",
            "worker",
        ],
    ),
    ("cli", &["config"]),
    (
        "commands",
        &[
            "app",
            "cli",
            "config",
            "domain",
            "imaging",
            "lifecycle",
            "telemetry",
        ],
    ),
    ("config", &["domain"]),
    ("db", &["domain"]),
    ("domain", &[]),
    ("fetch", &["domain"]),
    ("http", &["db", "domain", "fetch", "queue", "storage"]),
    ("imaging", &["domain"]),
    ("queue", &["domain"]),
    ("storage", &["domain"]),
    ("telemetry", &["config"]),
    (
        "worker",
        &["db", "domain", "fetch", "imaging", "queue", "storage"],
    ),
];

/// Crates that only these parts may name.
const OWNED_CRATES: [(&str, &[&str]); 5] = [
    ("diesel", &["db"]),
    ("actix_web", &["http"]),
    ("redis", &["queue", "config"]),
    ("clap", &["cli", "commands"]),
    ("std::env::var", &["config"]),
];

fn sources(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The part a file belongs to, with the file's text (without comments) as production code.
fn parts() -> Vec<(String, String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    files
        .into_iter()
        .map(|file| {
            let relative = file.strip_prefix(&root).unwrap().to_owned();
            let first = relative.components().next().unwrap().as_os_str();
            let part = Path::new(first).file_stem().unwrap().to_string_lossy();
            let text = std::fs::read_to_string(&file).unwrap();
            let code = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .collect::<Vec<_>>()
                .join("\n");
            (part.into_owned(), relative.display().to_string(), code)
        })
        .collect()
}

/// The parts named after `crate::`, also inside `crate::{…}`.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (start, _) in code.match_indices("crate::") {
        let rest = &code[start + "crate::".len()..];
        let names: Vec<&str> = match rest.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or("").split(',').collect(),
            None => vec![rest],
        };
        for name in names {
            let word: String = name
                .trim()
                .chars()
                .take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_')
                .collect();
            found.insert(word);
        }
    }
    found
}

#[test]
fn every_import_is_in_the_table() {
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    for (part, file, code) in parts() {
        if part == "lib" || part == "main" {
            continue;
        }
        let allowed = MAY_IMPORT
            .iter()
            .find(|(name, _)| *name == part)
            .map_or(&[][..], |(_, allowed)| *allowed);
        for import in imports(&code) {
            let is_part =
                MAY_IMPORT.iter().any(|(name, _)| *name == import) || import == "lifecycle";
            if is_part && import != part {
                seen.insert((part.clone(), import.clone()));
                if !allowed.contains(&import.as_str()) {
                    faults.push(format!("{file} imports {import}"));
                }
            }
        }
    }
    assert!(
        seen.len() >= 10,
        "the reader of imports finds too little: {seen:?}"
    );
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn crates_stay_in_the_parts_that_own_them() {
    let mut faults = Vec::new();
    for (part, file, code) in parts() {
        for (name, owners) in OWNED_CRATES {
            let named =
                code.contains(&format!("{name}::")) || code.contains(&format!("use {name};"));
            if named && !owners.contains(&part.as_str()) {
                faults.push(format!("{file} names {name}"));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}
