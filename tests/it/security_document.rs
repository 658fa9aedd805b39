//! docs/SECURITY.md lists every limit as it is in the code.

use std::path::Path;

use thumbforge::config::{PREFIX, Preset, TABLE};

fn text(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The cells of the tables of limits: the default, and where it is set.
fn limits() -> Vec<(String, String)> {
    let document = text("docs/SECURITY.md");
    let (_, limits) = document.split_once("## Every limit").unwrap();
    let (limits, _) = limits.split_once("## API keys").unwrap();
    limits
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .filter(|line| !line.starts_with("limit |") && !line.starts_with("---"))
        .map(|line| {
            let cells: Vec<_> = line.split(" | ").collect();
            assert_eq!(cells.len(), 3, "{line}");
            (cells[1].to_owned(), cells[2].to_owned())
        })
        .collect()
}

/// `2048`, `32 KiB` or `10 s` as bytes, pieces or seconds.
fn told(cell: &str) -> u64 {
    let (number, unit) = cell.split_once(' ').unwrap_or((cell, ""));
    let factor = match unit {
        "" | "s" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        other => panic!("unknown unit {other} in {cell}"),
    };
    number.parse::<u64>().unwrap() * factor
}

/// The value of a constant, or of a field in its struct's default: a number, a product, a shift, or
/// seconds.
fn coded(file: &str, name: &str) -> u64 {
    let source = text(file);
    let values: Vec<&str> = source
        .lines()
        .map(str::trim)
        .filter_map(|line| {
            let (_, after) = line.split_once(&format!("{name}: "))?;
            let value = after.split_once(" = ").map_or(after, |(_, value)| value);
            Some(value.trim_end_matches([';', ',']))
        })
        .filter(|value| {
            value.starts_with(|first: char| first.is_ascii_digit()) || value.contains("from_secs")
        })
        .collect();
    assert_eq!(values.len(), 1, "{name} in {file}: {values:?}");
    let value = values[0].replace('_', "");
    let value = value
        .strip_prefix("Duration::fromsecs(")
        .map_or(value.as_str(), |seconds| seconds.trim_end_matches(')'));
    let number = |text: &str| text.trim().parse::<u64>().unwrap();
    match value.split_once("<<") {
        Some((number_, shift)) => number(number_) << number(shift),
        None => value.split('*').map(number).product(),
    }
}

#[test]
fn the_limits_in_the_security_document_are_those_of_the_code() {
    let limits = limits();
    assert!(limits.len() > 35, "{} rows", limits.len());
    for (default, place) in limits {
        let variable = place.trim_matches('`').strip_prefix(PREFIX);
        if let Some(name) = variable {
            let key = name.to_ascii_lowercase();
            let setting = TABLE.iter().find(|setting| setting.key == key);
            let setting = setting.unwrap_or_else(|| panic!("{place} is not a setting"));
            let expected = match setting.default {
                Preset::Text("") | Preset::Unset | Preset::Cores(_) => setting.default.to_string(),
                Preset::Text(text) => format!("`{text}`"),
            };
            assert_eq!(default, expected, "{place}");
        } else {
            let (file, name) = place.split_once(' ').unwrap();
            let (file, name) = (file.trim_matches('`'), name.trim_matches('`'));
            assert_eq!(told(&default), coded(file, name), "{place}");
        }
    }
}

#[test]
fn unsafe_code_is_where_the_document_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("crates"), root.join("src")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let count = text.matches("unsafe {").count();
                let file = path.strip_prefix(root).unwrap().display().to_string();
                found.extend(std::iter::repeat_n(file, count));
            }
        }
    }
    let document = text("docs/SECURITY.md");
    let counted = format!(
        "`grep -rn 'unsafe {{' crates src | wc -l` gives {}.",
        found.len()
    );
    assert!(document.contains(&counted), "{found:?}");
    for file in found {
        let allowed = ["crates/av1/", "crates/codecs/", "crates/lockdown/"];
        let is_allowed = allowed.iter().any(|folder| file.starts_with(folder));
        assert!(is_allowed, "{file}");
        assert!(document.contains(&format!("`{file}`")), "{file}");
    }
}
