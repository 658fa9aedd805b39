//! The tables `[presets.name]` of `thumbforge.toml`: variants that clients ask for by one name.

use std::collections::BTreeMap;

use config::{Map, Value, ValueKind};
use serde_json::Value as Json;

use crate::Variants;
use crate::variant::{NAME_RULE, is_name};

/// Every preset by its name. `file` is the file that holds `value`.
pub(super) fn presets(
    value: Value,
    file: &str,
    faults: &mut Vec<String>,
) -> BTreeMap<String, Variants> {
    let ValueKind::Table(tables) = value.kind else {
        faults.push(format!(
            "presets in {file}: expected tables such as [presets.gallery]"
        ));
        return BTreeMap::new();
    };
    // So that faults come in the same order at each start.
    let tables: BTreeMap<String, Value> = tables.into_iter().collect();
    let mut presets = BTreeMap::new();
    for (name, value) in tables {
        let place = format!("presets.{name:?} in {file}");
        match preset(&name, value) {
            Ok(variants) => {
                presets.insert(name, variants);
            }
            Err(told) => faults.extend(told.into_iter().map(|fault| format!("{place}: {fault}"))),
        }
    }
    presets
}

fn preset(name: &str, value: Value) -> Result<Variants, Vec<String>> {
    let ValueKind::Table(mut keys) = value.kind else {
        return Err(vec!["expected a table".to_owned()]);
    };
    let mut faults = Vec::new();
    if !is_name(name) {
        faults.push(format!("the name {NAME_RULE}"));
    }
    let variants = keys
        .remove("variants")
        .map(|list| Variants::read(&json(list)));
    let mut strangers: Vec<_> = keys.into_keys().collect();
    strangers.sort();
    faults.extend(
        strangers
            .iter()
            .map(|key| format!("{key}: unknown key; expected variants")),
    );
    match variants {
        Some(Ok(variants)) if faults.is_empty() => return Ok(variants),
        Some(Ok(_)) => {}
        Some(Err(told)) => faults.extend(told.iter().map(ToString::to_string)),
        None => faults.push("variants: is required".to_owned()),
    }
    Err(faults)
}

/// As in a request.
fn json(value: Value) -> Json {
    match value.kind {
        ValueKind::Nil => Json::Null,
        ValueKind::Boolean(value) => value.into(),
        ValueKind::I64(number) => number.into(),
        ValueKind::U64(number) => number.into(),
        // TOML has numbers that JSON does not have; as texts they are refused where a number is
        // expected.
        ValueKind::Float(number) if !number.is_finite() => number.to_string().into(),
        ValueKind::Float(number) => number.into(),
        ValueKind::String(text) => text.into(),
        ValueKind::Array(items) => items.into_iter().map(json).collect(),
        ValueKind::Table(members) => object(members),
        other => other.to_string().into(),
    }
}

fn object(members: Map<String, Value>) -> Json {
    members
        .into_iter()
        .map(|(key, value)| (key, json(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::{File, FileFormat, Source};

    fn read(text: &str) -> (BTreeMap<String, Variants>, Vec<String>) {
        let mut file = File::from_str(text, FileFormat::Toml).collect().unwrap();
        let mut faults = Vec::new();
        let value = file.remove("presets").unwrap();
        let presets = presets(value, "thumbforge.toml", &mut faults);
        (presets, faults)
    }

    #[test]
    fn tables_become_presets_in_either_spelling() {
        let (presets, faults) = read(
            r#"
            [presets.gallery]
            variants = [
                { name = "thumb", width = 256 },
                { name = "card", width = 320, height = 320, fit = "cover", format = ["webp", "jpeg"] },
            ]
            [[presets.hero.variants]]
            name = "large"
            width = 1024
            blur = 0.5
            [[presets.hero.variants]]
            name = "small"
            height = 100
            optional = true
            "#,
        );
        assert_eq!(faults, [""; 0]);
        assert_eq!(presets.keys().collect::<Vec<_>>(), ["gallery", "hero"]);
        let expected = "[{\"name\":\"thumb\",\"width\":256},{\"name\":\"card\",\"width\":320,\
            \"height\":320,\"fit\":\"cover\",\"format\":[\"webp\",\"jpeg\"]}]";
        assert_eq!(presets["gallery"].to_json(), expected);
        assert_eq!(presets["hero"].iter().len(), 2);
    }

    #[test]
    fn each_fault_is_told_with_its_place() {
        for (table, expected) in [
            ("presets = 3", "presets in thumbforge.toml: expected tables"),
            (
                "[presets]\na = 3",
                "presets.\"a\" in thumbforge.toml: expected a table",
            ),
            (
                "[presets.a]",
                "presets.\"a\" in thumbforge.toml: variants: is required",
            ),
            ("[presets.a]\nvariants = 3", "variants: must be an array"),
            ("[presets.a]\nvariants = []", "variants: must not be empty"),
            (
                "[presets.a]\nvariants = [{ name = \"x\", width = 9 }]\nsize = 3",
                "size: unknown key",
            ),
            (
                "[presets.A]\nvariants = [{ name = \"x\", width = 9 }]",
                "the name must be 1 to 32 of",
            ),
            (
                "[presets.a]\nvariants = [{ name = \"x\", width = 9, blur = nan }]",
                "variants[0].blur: must be a number",
            ),
            (
                "[[presets.a.variants]]\nname = \"x\"\nwidth = 9000",
                "presets.\"a\" in thumbforge.toml: variants[0].width: must be a whole number",
            ),
        ] {
            let (_, faults) = read(table);
            assert_eq!(faults.len(), 1, "{table}: {faults:?}");
            assert!(faults[0].contains(expected), "{table}: {faults:?}");
        }
        let (_, faults) = read("[presets.a]\nvariants = [{ width = 0, quality = 0 }]");
        assert_eq!(faults.len(), 3, "{faults:?}");
    }
}
