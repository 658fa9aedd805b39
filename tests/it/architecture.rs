//! Who may import whom: the `use crate::` edges are read and held to the table.

use std::collections::BTreeSet;
use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};

/// Each part with the parts that it may name. `domain` knows nothing.
const MAY_IMPORT: [(&str, &[&str]); 12] = [
    (
        "app",
        &[
            "config",
            "db",
            "domain",
            "fetch",
            "http",
            "lifecycle",
            "queue",
            "storage",
            "worker",
        ],
    ),
    ("cli", &["config"]),
    (
        "commands",
        &["app", "cli", "config", "domain", "lifecycle", "telemetry"],
    ),
    ("config", &["domain"]),
    ("db", &["domain"]),
    ("domain", &[]),
    ("fetch", &["domain"]),
    ("http", &["db", "domain", "fetch", "queue", "storage"]),
    ("queue", &["domain"]),
    ("storage", &["domain"]),
    ("telemetry", &["config"]),
    ("worker", &["db", "domain", "fetch", "queue", "storage"]),
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

/// A file with the part that it belongs to and all paths that its code names.
struct Source {
    part: String,
    file: String,
    paths: Vec<Vec<String>>,
}

fn read_sources() -> Vec<Source> {
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
            Source {
                part: part.into_owned(),
                file: relative.display().to_string(),
                paths: paths(text.parse().unwrap()),
            }
        })
        .collect()
}

/// Every path in the code, also inside macros: `a::{b::C, d::{E, F}}` gives `a::b::C`, `a::d::E` and
/// `a::d::F`. Comments and texts are no code.
fn paths(code: TokenStream) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut tokens = code.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(group) => found.extend(paths(group.stream())),
            TokenTree::Ident(first) => {
                let mut path = vec![first.to_string()];
                let mut list = None;
                while tokens.next_if(is_colon).is_some() {
                    if tokens.next_if(is_colon).is_none() {
                        break;
                    }
                    match tokens.peek() {
                        Some(TokenTree::Ident(name)) => path.push(name.to_string()),
                        Some(TokenTree::Group(group)) => list = Some(paths(group.stream())),
                        _ => break,
                    }
                    tokens.next();
                }
                match list {
                    Some(list) => {
                        found.extend(list.into_iter().map(|end| [&path[..], &end].concat()));
                    }
                    None => found.push(path),
                }
            }
            _ => {}
        }
    }
    found
}

fn is_colon(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(mark) if mark.as_char() == ':')
}

#[test]
fn paths_are_read_from_lists_in_lists_and_from_macros() {
    let code = r#"
        use crate::{a::B, c::{D, e::{self, F}}};
        // crate::comment::X
        fn f(x: crate::g::H) -> Vec<i::J> { k!("crate::text", $crate::l::M) }
    "#;
    let paths: Vec<_> = paths(code.parse().unwrap())
        .into_iter()
        .filter(|path| path.len() > 1)
        .map(|path| path.join("::"))
        .collect();
    let expected = [
        "crate::a::B",
        "crate::c::D",
        "crate::c::e::self",
        "crate::c::e::F",
        "crate::g::H",
        "i::J",
        "crate::l::M",
    ];
    assert_eq!(paths, expected);
}

#[test]
fn every_import_is_in_the_table() {
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    for Source { part, file, paths } in read_sources() {
        if part == "lib" || part == "main" {
            continue;
        }
        let allowed = MAY_IMPORT
            .iter()
            .find(|(name, _)| *name == part)
            .map_or(&[][..], |(_, allowed)| *allowed);
        let imports: BTreeSet<String> = paths
            .into_iter()
            .filter(|path| path.len() > 1 && path[0] == "crate")
            .map(|mut path| path.swap_remove(1))
            .collect();
        for import in imports {
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
    for Source { part, file, paths } in read_sources() {
        for (name, owners) in OWNED_CRATES {
            let owned: Vec<String> = name.split("::").map(str::to_owned).collect();
            // A word alone may be the name of a variable.
            let named = |path: &Vec<String>| path.len() > 1 && path.starts_with(&owned);
            if paths.iter().any(named) && !owners.contains(&part.as_str()) {
                faults.push(format!("{file} names {name}"));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}
