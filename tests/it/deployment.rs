//! What people run it with: the image, Compose, systemd.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

use serde_json::Value;
use thumbforge::config::{Preset, TABLE};

use crate::documents::{document, load_variables};
use crate::support::server_process::find_program;
use crate::support::skipped::skipped;

/// As Compose reads it where no variable is set: `${NAME:-default}` is the default.
fn compose() -> Value {
    let text = document("compose.yaml");
    let mut pieces = text.split("${");
    let mut read = pieces.next().unwrap().to_owned();
    for piece in pieces {
        let (variable, rest) = piece.split_once('}').unwrap();
        let (_, default) = variable.split_once(":-").unwrap();
        read.push_str(default);
        read.push_str(rest);
    }
    serde_saphyr::from_str(&read).unwrap()
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
    for (name, port) in [
        ("postgres", "127.0.0.1:5432:5432"),
        ("redis", "127.0.0.1:6379:6379"),
        ("api", "8000:8000"),
    ] {
        assert_eq!(services[name]["ports"], serde_json::json!([port]));
    }
    let closed = document("deploy/compose.closed.yaml");
    for name in ["postgres", "redis"] {
        assert!(closed.contains(&format!("  {name}:\n    ports: !reset []\n")));
    }
}

#[test]
fn the_services_of_compose_are_healthy_at_once_and_bound_their_logs() {
    for (name, service) in compose()["services"].as_object().unwrap() {
        assert_eq!(service["healthcheck"]["start_interval"], "1s", "{name}");
        assert!(service["healthcheck"]["start_period"].is_string(), "{name}");
        assert!(
            service["logging"]["options"]["max-size"].is_string(),
            "{name}"
        );
    }
}

#[test]
fn one_image_is_built_and_dot_env_reaches_who_runs_it() {
    let compose = compose();
    let services = &compose["services"];
    assert_eq!(services["api"]["build"]["dockerfile"], "Containerfile");
    assert!(services["worker"]["build"].is_null());
    assert_eq!(services["worker"]["pull_policy"], "never");
    assert_eq!(services["worker"]["image"], services["api"]["image"]);
    for name in ["api", "worker"] {
        let file = &services[name]["env_file"][0];
        assert_eq!(
            (&file["path"], &file["required"]),
            (&".env".into(), &false.into())
        );
    }
    let database = services["api"]["environment"]["THUMBFORGE_DATABASE_URL"]
        .as_str()
        .unwrap();
    let password = services["postgres"]["environment"]["POSTGRES_PASSWORD"]
        .as_str()
        .unwrap();
    assert!(database.contains(&format!(":{password}@")));
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

#[test]
fn the_image_holds_new_code_and_says_what_it_is() {
    let containerfile = document("Containerfile");
    let (before, after) = containerfile.split_once("cargo build").unwrap();
    assert!(before.contains("find src crates migrations -type f -exec touch {} +"));
    assert!(after.contains("mkdir --mode=1777 /home/thumbforge/storage\n"));
    // Made by the first process, as its user.
    assert!(!containerfile.contains("storage/thumbnails"));
    let version = concat!("image.version=\"", env!("CARGO_PKG_VERSION"), "\"");
    assert!(containerfile.contains(version), "{version}");
    let first = containerfile.lines().next().unwrap();
    assert!(first.contains("--format docker"), "{first}");
}

/// Copies what the lines that begin with `!` name, without what later lines leave out.
fn build_context(to: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ignore = document(".dockerignore");
    let lines: Vec<_> = ignore
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    assert_eq!(lines[0], "*");
    for name in lines.iter().filter_map(|line| line.strip_prefix('!')) {
        copy(&root.join(name), &to.join(name));
    }
    for line in lines[1..].iter().filter(|line| !line.starts_with('!')) {
        let name = line.strip_prefix("crates/*/").unwrap();
        for package in std::fs::read_dir(to.join("crates")).unwrap() {
            let left_out = package.unwrap().path().join(name);
            if left_out.exists() {
                std::fs::remove_dir_all(left_out).unwrap();
            }
        }
    }
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        for entry in std::fs::read_dir(from).unwrap() {
            let name = entry.unwrap().file_name();
            copy(&from.join(&name), &to.join(&name));
        }
        return;
    }
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    std::fs::copy(from, to).unwrap();
}

#[test]
fn the_context_of_the_image_is_enough_for_cargo() {
    let context = tempfile::tempdir().unwrap();
    build_context(context.path());
    // Reads every manifest, and looks for every target that one names.
    let cargo = std::process::Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(context.path())
        .output()
        .unwrap();
    assert!(
        cargo.status.success(),
        "{}",
        String::from_utf8_lossy(&cargo.stderr)
    );
    let text = String::from_utf8(cargo.stdout).unwrap();
    for package in [
        "thumbforge-av1",
        "thumbforge-client",
        "thumbforge-codecs",
        "thumbforge-imaging",
        "thumbforge-intake",
        "thumbforge-lockdown",
    ] {
        assert!(text.contains(package), "{package}");
    }
    for folder in ["tests", "docs", "benches/growth", ".git"] {
        assert!(!context.path().join(folder).exists(), "{folder}");
    }
    // Without it, askama looks for the pages elsewhere.
    assert!(context.path().join("askama.toml").is_file());
}

/// It compiles the service once more, some minutes long: `scripts/test --all` asks for it.
#[test]
fn the_context_of_the_image_compiles() {
    if std::env::var_os("THUMBFORGE_TEST_IMAGE_CONTEXT").is_none() {
        return skipped(
            "the image's context",
            "only `scripts/test --all` compiles it",
        );
    }
    let context = tempfile::tempdir().unwrap();
    build_context(context.path());
    let cargo = std::process::Command::new(env!("CARGO"))
        .args(["check", "--locked", "--bin", "thumbforge", "--target-dir"])
        .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("image-context"))
        .current_dir(context.path())
        .output()
        .unwrap();
    assert!(
        cargo.status.success(),
        "{}",
        String::from_utf8_lossy(&cargo.stderr)
    );
}

#[test]
fn systemd_takes_the_unit() {
    let Some(analyze) = find_program("systemd-analyze", &[]) else {
        return skipped("the unit", "systemd-analyze is not installed");
    };
    let unit = document("deploy/thumbforge.service");
    assert!(
        unit.contains("ExecStart=/usr/local/bin/thumbforge all\n"),
        "{unit}"
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("thumbforge.service");
    // It looks for the program.
    let unit = unit.replace(
        "/usr/local/bin/thumbforge",
        env!("CARGO_BIN_EXE_thumbforge"),
    );
    std::fs::write(&file, unit).unwrap();
    let verified = std::process::Command::new(analyze)
        .args(["verify", "--man=no"])
        .arg(&file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&verified.stderr);
    // It looks at other units of the machine, too.
    let is_faultless = !said.contains("thumbforge.service");
    assert!(verified.status.success() && is_faultless, "{said}");
}

#[test]
fn what_stops_a_process_has_more_time_than_the_process() {
    let setting = TABLE
        .iter()
        .find(|setting| setting.key == "shutdown_grace_seconds");
    let Preset::Text(grace) = setting.unwrap().default else {
        panic!("it has a default");
    };
    let grace: u32 = grace.parse().unwrap();
    let unit = document("deploy/thumbforge.service");
    let (_, stop) = unit.split_once("TimeoutStopSec=").unwrap();
    let stop: u32 = stop.lines().next().unwrap().parse().unwrap();
    assert!(stop > grace + 5);
    for name in ["api", "worker"] {
        let stop = compose()["services"][name]["stop_grace_period"].clone();
        let stop: u32 = stop
            .as_str()
            .unwrap()
            .trim_end_matches('s')
            .parse()
            .unwrap();
        assert!(stop > grace + 5);
    }
}
