//! Holds the files that people copy from to the table of settings.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

use serde_json::Value;
use thumbforge::config::{Loaded, PREFIX, Preset, Setting, Sources, TABLE, load};

fn document(name: &str) -> String {
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
fn load_variables(variables: Vec<(OsString, OsString)>) -> Loaded {
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
    let known: BTreeSet<_> = TABLE.iter().map(Setting::variable).collect();
    for name in [
        ".env.example",
        "compose.yaml",
        "Containerfile",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
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

fn compose() -> Value {
    serde_saphyr::from_str(&document("compose.yaml")).unwrap()
}

#[test]
fn the_services_of_compose_start_again_and_tell_their_health() {
    let compose = compose();
    let services = compose["services"].as_object().unwrap();
    let names: Vec<_> = services.keys().map(String::as_str).collect();
    assert_eq!(
        BTreeSet::from_iter(names),
        BTreeSet::from(["api", "postgres", "redis", "worker"])
    );
    for (name, service) in services {
        assert_eq!(service["restart"], "unless-stopped", "{name}");
        assert!(service["healthcheck"]["test"].is_array(), "{name}");
    }
    let published: Vec<_> = services
        .values()
        .filter_map(|service| service["ports"].as_array())
        .flatten()
        .filter_map(|port| port.as_str()?.rsplit(':').next())
        .collect();
    assert_eq!(
        BTreeSet::from_iter(published),
        BTreeSet::from(["5432", "6379", "8000"])
    );
}

#[test]
fn api_and_worker_of_compose_have_settings_that_load_and_share_their_storage() {
    let compose = compose();
    for name in ["api", "worker"] {
        let service = &compose["services"][name];
        let variables = service["environment"].as_object().unwrap();
        let text = |value: &Value| OsString::from(value.as_str().unwrap());
        let variables = variables
            .iter()
            .map(|(name, value)| (OsString::from(name), text(value)));
        let loaded = load_variables(variables.collect());
        assert_eq!(loaded.notices, [""; 0], "{name}");
        let settings = loaded.settings;
        assert_eq!(
            settings.database_url.to_string(),
            "postgres://thumbforge:***@postgres:5432/thumbforge"
        );
        assert!(settings.redis_url.is_some(), "{name}");
        let volume = service["volumes"][0].as_str().unwrap();
        let (_, mount) = volume.split_once(':').unwrap();
        assert!(settings.storage_path.starts_with(mount), "{name}");
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["user"], "65532:65532", "{name}");
    }
    assert!(
        compose["services"]["worker"]["ports"].is_null(),
        "published ports forbid --scale"
    );
    assert!(compose["services"]["worker"]["container_name"].is_null());
}

#[test]
fn health_checks_probe_where_the_services_listen() {
    let compose = compose();
    for (name, variable) in [
        ("api", "THUMBFORGE_BIND"),
        ("worker", "THUMBFORGE_WORKER_BIND"),
    ] {
        let service = &compose["services"][name];
        let listens = service["environment"][variable].as_str().unwrap();
        let (_, port) = listens.rsplit_once(':').unwrap();
        let probe = service["healthcheck"]["test"].as_array().unwrap();
        let url = probe.last().and_then(Value::as_str).unwrap();
        assert!(
            url.starts_with(&format!("http://127.0.0.1:{port}/")),
            "{name}: {url}"
        );
        assert_eq!(probe[2], "probe", "{name}");
    }
}

#[test]
fn the_image_does_not_run_as_root() {
    let containerfile = document("Containerfile");
    let user = containerfile
        .lines()
        .rfind(|line| line.starts_with("USER "));
    assert_eq!(user, Some("USER 65532:65532"));
}
