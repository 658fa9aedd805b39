//! Holds the files that people copy from to the table of settings.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

use thumbforge::config::{Loaded, PREFIX, Preset, Setting, Sources, TABLE, load};
use thumbforge_imaging::formats::FORMATS;

pub fn document(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every `THUMBFORGE_…` in `text`, in its order.
fn variables(text: &str) -> Vec<String> {
    text.match_indices(PREFIX)
        .map(|(start, _)| {
            let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
            text[start..].chars().take_while(|c| is_name(*c)).collect()
        })
        .filter(|variable| variable != PREFIX)
        .collect()
}

/// Without any file, and nothing else set.
pub fn load_variables(variables: Vec<(OsString, OsString)>) -> Loaded {
    let folder = tempfile::TempDir::new().unwrap();
    let sources = Sources {
        environment: variables,
        directory: folder.path().to_owned(),
        config_file: None,
        flags: Vec::new(),
        cores: 4,
    };
    load(&sources).unwrap()
}

#[test]
fn every_variable_in_the_documents_is_a_setting() {
    let mut known: BTreeSet<_> = TABLE.iter().map(Setting::variable).collect();
    known.extend(TABLE.iter().filter_map(Setting::file_variable));
    for name in [
        ".env.example",
        "compose.yaml",
        "Containerfile",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "deploy/nginx.conf",
        "deploy/thumbforge.service",
        "docs/OPERATING.md",
    ] {
        for variable in variables(&document(name)) {
            assert!(known.contains(&variable), "{name}: {variable}");
        }
    }
    let of_the_python_service = ["WORKER_PROCESSES", "APP_NAME", "API_V1_PREFIX"];
    for variable in variables(&document("README.md")) {
        let name = &variable[PREFIX.len()..];
        let is_told_of = known.contains(&variable) || of_the_python_service.contains(&name);
        assert!(is_told_of, "README.md: {variable}");
    }
}

#[test]
fn the_example_lists_every_setting_once_in_order_with_its_default() {
    let example = document(".env.example");
    let listed: Vec<_> = example
        .lines()
        .filter_map(|line| line.strip_prefix("# THUMBFORGE_"))
        .collect();
    assert_eq!(listed.len(), TABLE.len());
    for (line, setting) in listed.into_iter().zip(TABLE) {
        let (name, value) = line.split_once('=').unwrap();
        assert_eq!(format!("{PREFIX}{name}"), setting.variable());
        if let Preset::Text(default) = setting.default {
            assert_eq!(value, default, "{name}");
        }
        assert!(example.contains(&format!("# {}", setting.help)), "{name}");
    }
}

#[test]
fn the_example_can_be_used_as_it_is_and_with_every_line_switched_on() {
    let example = document(".env.example");
    for text in [
        example.clone(),
        example.replace("# THUMBFORGE_", "THUMBFORGE_"),
    ] {
        let folder = tempfile::TempDir::new().unwrap();
        std::fs::write(folder.path().join(".env"), text).unwrap();
        let sources = Sources {
            environment: Vec::new(),
            directory: folder.path().to_owned(),
            config_file: None,
            flags: Vec::new(),
            cores: 4,
        };
        assert_eq!(load(&sources).unwrap().notices, [""; 0]);
    }
}

#[test]
fn the_readme_tells_every_setting_with_its_default() {
    let readme = document("README.md");
    for setting in TABLE {
        let name = setting.key.to_ascii_uppercase();
        let default = match setting.default {
            Preset::Text("") | Preset::Unset | Preset::Cores(_) => setting.default.to_string(),
            Preset::Text(text) => format!("`{text}`"),
        };
        let row = format!("| `{name}` | {default} |");
        assert_eq!(readme.matches(&row).count(), 1, "{row}");
    }
}

/// docs/FORMATS.md, and the description of the field in the API.
#[test]
fn the_formats_in_the_documents_are_those_of_the_code() {
    let yes = |is: bool| if is { "yes" } else { "no" };
    let rows: Vec<String> = FORMATS
        .iter()
        .filter(|row| row.is_read)
        .map(|row| {
            format!(
                "| {} | `{}` | `{}` | {} | {} | {} |",
                row.prose,
                row.name,
                row.media_type,
                yes(row.keeps_alpha),
                yes(row.may_be_animated),
                yes(row.is_written)
            )
        })
        .collect();
    let text = document("docs/FORMATS.md");
    let (_, table) = text.split_once("| --- |").unwrap();
    let found = table.lines().skip(1);
    let found: Vec<_> = found.take_while(|line| line.starts_with('|')).collect();
    assert_eq!(found, rows);
    let names: Vec<_> = FORMATS.iter().filter(|row| row.is_read).collect();
    let names: Vec<_> = names.iter().map(|row| format!("`{}`", row.name)).collect();
    let (last, first) = names.split_last().unwrap();
    let described = document("src/http/result_dto.rs").replace("\n    /// ", " ");
    let sentence = format!("{} or {last}.", first.join(", "));
    assert!(described.contains(&sentence), "{sentence}");
}

/// Every Markdown file of the project, with its path.
fn markdown(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // What is built, stored or fetched is not the project's own.
        let is_foreign = ["target", "storage", "node_modules"].contains(&&*name);
        if path.is_dir() && !is_foreign && !name.starts_with('.') {
            markdown(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "md") {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push((path.display().to_string(), text));
        }
    }
}

#[test]
fn lines_of_the_documents_fit_a_terminal() {
    let mut documents = Vec::new();
    markdown(Path::new(env!("CARGO_MANIFEST_DIR")), &mut documents);
    assert!(documents.len() > 10, "{documents:?}");
    let mut long = Vec::new();
    for (path, text) in documents {
        let mut is_code = false;
        for (number, line) in (1..).zip(text.lines()) {
            is_code ^= line.trim_start().starts_with("```");
            let is_table = line.starts_with('|');
            // An address can't be broken.
            let longest = line.split(' ').map(|word| word.chars().count()).max();
            let is_address = longest.is_some_and(|length| length > 90);
            if !is_code && !is_table && !is_address && line.chars().count() > 100 {
                long.push(format!("{path}:{number}"));
            }
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}
