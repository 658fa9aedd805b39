//! Which part may use which: the tables of ARCHITECTURE.md, held to what the code names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};

/// What our other crates are called in code, before the name that the tables have.
const OWN_CRATE: &str = "thumbforge_";

/// Crates that only these parts may name.
const OWNED_CRATES: [(&str, &[&str]); 11] = [
    ("diesel", &["db"]),
    ("tokio_postgres", &["db", "config"]),
    ("actix_web", &["http", "ui"]),
    ("reqwest", &["fetch", "traces"]),
    ("redis", &["queue", "config"]),
    ("clap", &["cli", "commands"]),
    ("prometheus_client", &["observe"]),
    ("opentelemetry", &["traces"]),
    ("opentelemetry_http", &["traces"]),
    ("opentelemetry_otlp", &["traces"]),
    ("opentelemetry_sdk", &["traces"]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The table of ARCHITECTURE.md whose first column is called `of`: what each may use.
fn may_use(of: &str) -> BTreeMap<String, BTreeSet<String>> {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let head = format!("| {of} |");
    let rows = text.lines().skip_while(|line| !line.starts_with(&head));
    let rows = rows.skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<_> = row.trim_matches('|').split('|').collect();
        let [name, _, used] = cells[..] else {
            panic!("not three cells: {row}")
        };
        (quoted(name).next().unwrap(), quoted(used).collect())
    })
    .collect()
}

/// What stands between backticks.
fn quoted(cell: &str) -> impl Iterator<Item = String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned)
}

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
    let root = root().join("src");
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

/// Every path in the code, also inside macros: `a::{b::C, d::{E, F}}` gives `a::b::C`, `a::d::E`
/// and `a::d::F`. Comments and texts are no code.
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
fn every_part_uses_only_what_the_table_says() {
    let table = may_use("part");
    let crates = may_use("crate");
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    for Source { part, file, paths } in read_sources() {
        if part == "lib" {
            continue;
        }
        let Some(allowed) = table.get(&part) else {
            faults.push(format!("{file} is of no part in the table"));
            continue;
        };
        for path in paths {
            let used = match path[0].strip_prefix(OWN_CRATE) {
                Some(name) if crates.contains_key(name) => name,
                _ if path[0] == "crate" && path.len() > 1 => &path[1],
                _ => continue,
            };
            let is_known = table.contains_key(used) || crates.contains_key(used);
            if !is_known || used == part {
                continue;
            }
            seen.insert((part.clone(), used.to_owned()));
            if !allowed.contains(used) {
                faults.push(format!("{file} uses {used}"));
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
fn every_crate_depends_only_on_what_the_table_says() {
    let table = may_use("crate");
    let folders = std::fs::read_dir(root().join("crates")).unwrap();
    let mut names = BTreeSet::new();
    for folder in folders {
        let folder = folder.unwrap().path();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let (_, dependencies) = manifest.split_once("[dependencies]").unwrap();
        let (dependencies, _) = dependencies.split_once("\n[").unwrap_or((dependencies, ""));
        let used: BTreeSet<_> = dependencies
            .lines()
            .filter_map(|line| line.strip_prefix("thumbforge-"))
            .filter_map(|line| line.split(['.', ' ']).next())
            .map(str::to_owned)
            .collect();
        assert_eq!(table.get(&name), Some(&used), "{name}");
        names.insert(name);
    }
    assert_eq!(names, table.into_keys().collect());
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
