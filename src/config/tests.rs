use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use super::*;

/// A made-up world: a folder, and variables.
struct World {
    folder: TempDir,
    sources: Sources,
}

impl World {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let sources = Sources {
            environment: Vec::new(),
            directory: folder.path().to_owned(),
            config_file: None,
            flags: Vec::new(),
            cores: 2,
        };
        Self { folder, sources }
    }

    fn file(self, name: &str, text: &str) -> Self {
        std::fs::write(self.folder.path().join(name), text).unwrap();
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        let variable = (OsString::from(name), OsString::from(value));
        self.sources.environment.push(variable);
        self
    }

    fn flag(mut self, key: &'static str, value: &str) -> Self {
        self.sources.flags.push((key, value.to_owned()));
        self
    }

    fn settings(&self) -> Settings {
        load(&self.sources).unwrap().settings
    }

    fn notices(&self) -> Vec<String> {
        load(&self.sources).unwrap().notices
    }

    fn faults(&self) -> Vec<String> {
        let faults = load(&self.sources).unwrap_err();
        faults.lines().map(str::to_owned).collect()
    }
}

#[test]
fn nothing_said_gives_the_defaults_without_a_notice() {
    let loaded = load(&World::new().sources).unwrap();
    assert_eq!(loaded.notices, [""; 0]);
    let settings = loaded.settings;
    assert_eq!(settings.worker_concurrency, None);
    assert_eq!(settings.cpu_threads, 2);
    assert_eq!(settings.redis_url, None);
    assert_eq!(settings.lease, Duration::from_secs(30));
    assert_eq!(settings.decode_timeout, Duration::from_secs(15));
    assert_eq!(settings.bind.to_string(), "127.0.0.1:8000");
    assert!(settings.auto_migrate);
}

#[test]
fn each_layer_overrides_the_one_below() {
    let world = World::new().file("thumbforge.toml", "jpeg_quality = 10");
    assert_eq!(world.settings().jpeg_quality, 10);
    let world = world.file(".env", "THUMBFORGE_JPEG_QUALITY=20\nUNRELATED=x");
    assert_eq!(world.settings().jpeg_quality, 20);
    let world = world.variable("THUMBFORGE_JPEG_QUALITY", "30");
    assert_eq!(world.settings().jpeg_quality, 30);
    let world = world.flag("jpeg_quality", "40");
    assert_eq!(world.settings().jpeg_quality, 40);
}

#[test]
fn the_file_may_hold_typed_values_strings_and_lists() {
    let world = World::new().file(
        "thumbforge.toml",
        "auto_migrate = false\nhttp_timeout_seconds = 2.5\nthumbnail_size = \"128\"\n\
         allowed_source_ports = [80, 8080]\nallowed_source_networks = [\"10.0.0.0/8\"]\n",
    );
    let settings = world.settings();
    assert!(!settings.auto_migrate);
    assert_eq!(settings.http_timeout, Duration::from_millis(2500));
    assert_eq!(settings.thumbnail_size, 128);
    assert!(settings.allowed_source_ports.contains(8080));
    assert_eq!(settings.allowed_source_networks.len(), 1);
}

#[test]
fn all_faults_are_told_at_once_one_line_each_with_their_place() {
    let world = World::new()
        .file(
            "thumbforge.toml",
            "thumbnal_size = 3\nbind = \"here\"\n[server]\nx = 1",
        )
        .file(".env", "THUMBFORGE_JPEG_QUALITY=0")
        .variable("THUMBFORGE_MAX_ATTEMPTS", "three\nor four")
        .flag("log_format", "xml");
    let faults = world.faults();
    assert_eq!(
        faults,
        [
            "thumbforge.toml: unknown key \"server\"",
            "thumbforge.toml: unknown key \"thumbnal_size\"; did you mean thumbnail_size?",
            "bind in thumbforge.toml: expected an IP address and a port, e.g. 127.0.0.1:8000, got \"here\"",
            "THUMBFORGE_JPEG_QUALITY in .env: expected a whole number from 1 to 100, got \"0\"",
            "THUMBFORGE_MAX_ATTEMPTS: expected a whole number from 1 to 100, got \"three\\nor four\"",
            "--log-format: expected text or json, got \"xml\"",
        ]
    );
}

#[test]
fn no_fault_and_no_debug_output_shows_a_password() {
    let world = World::new()
        .file(
            "thumbforge.toml",
            "database_url = postgres://u:hunter2@db/n",
        )
        .file(".env", "THUMBFORGE_DATABASE_URL=a b hunter2")
        .variable("THUMBFORGE_DATABASE_URL", "postgres://u:hunter2@db:x/n")
        .variable("THUMBFORGE_REDIS_URL", "http://:hunter2@cache")
        .variable("THUMBFORGE_EGRESS_PROXY", "ftp://:hunter2@proxy");
    let faults = world.faults();
    assert_eq!(faults.len(), 5, "{faults:?}");
    assert!(!faults.join("\n").contains("hunter2"), "{faults:?}");

    let world = World::new()
        .variable("THUMBFORGE_DATABASE_URL", "postgres://u:hunter2@db/n")
        .variable("THUMBFORGE_REDIS_URL", "redis://:hunter2@cache")
        .variable("THUMBFORGE_EGRESS_PROXY", "socks5://u:hunter2@proxy")
        .file(
            "thumbforge.toml",
            "[origins.a]\nheaders = { Authorization = \"hunter2\" }",
        );
    assert_eq!(world.settings().origins.len(), 1);
    assert!(!format!("{:?}", world.settings()).contains("hunter2"));
}

#[test]
fn broken_files_are_told_by_line_without_their_text() {
    let world = World::new()
        .file(
            "thumbforge.toml",
            "bind = \"127.0.0.1:1\"\njpeg_quality = = 3",
        )
        .file(
            ".env",
            "# comment\nTHUMBFORGE_BIND=127.0.0.1:2\nTHUMBFORGE_QUEUE_NAME=a b c\n",
        );
    let faults = world.faults();
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(faults[0].starts_with("thumbforge.toml: TOML parse error at line 2, column"));
    assert!(
        faults[1].starts_with(".env, line 3: expected NAME=value"),
        "{}",
        faults[1]
    );
    assert!(
        !faults[0].contains('\n') && !faults[0].contains("= = 3"),
        "{}",
        faults[0]
    );
}

#[test]
fn a_named_file_must_exist_and_replaces_the_default_one() {
    let mut world = World::new().file("thumbforge.toml", "jpeg_quality = 10");
    world.sources.config_file = Some(PathBuf::from("other.toml"));
    let faults = world.faults();
    assert!(
        faults[0].starts_with("other.toml: can't be read: "),
        "{faults:?}"
    );
    let world = world.file("other.toml", "thumbnail_size = 64");
    assert_eq!(world.settings().jpeg_quality, 85);
    assert_eq!(world.settings().thumbnail_size, 64);
}

#[test]
fn an_unknown_variable_only_warns_and_names_the_nearest() {
    let world = World::new()
        .variable("THUMBFORGE_PORT", "tcp://10.0.0.1:8000")
        .variable("THUMBFORGE_THUMBNAIL_SIZ", "1")
        .variable("OTHER_THUMBNAIL_SIZE", "1");
    let notices = world.notices();
    assert_eq!(notices.len(), 2, "{notices:?}");
    assert!(notices[0].starts_with("THUMBFORGE_PORT is no setting"));
    assert!(notices[1].ends_with("the nearest one is THUMBFORGE_THUMBNAIL_SIZE"));
}

#[test]
fn the_python_services_names_are_read_or_noted() {
    let world = World::new()
        .variable("THUMBFORGE_WORKER_PROCESSES", "7")
        .variable("THUMBFORGE_APP_NAME", "x")
        .variable("THUMBFORGE_API_V1_PREFIX", "/v1");
    assert_eq!(world.settings().cpu_threads, 7);
    assert_eq!(world.notices().len(), 3);
    let world = world.variable("THUMBFORGE_CPU_THREADS", "3");
    assert_eq!(world.settings().cpu_threads, 3);
}

#[test]
fn an_empty_variable_unsets_what_a_file_set() {
    let world = World::new()
        .file("thumbforge.toml", "redis_url = \"redis://cache\"")
        .variable("THUMBFORGE_REDIS_URL", "");
    assert_eq!(world.settings().redis_url, None);
}

#[test]
fn settings_that_contradict_each_other_are_faults() {
    for (variable, value) in [
        ("THUMBFORGE_MAX_PAGE_SIZE", "10"),
        ("THUMBFORGE_MAX_SOURCE_BYTES", "268435457"),
        ("THUMBFORGE_DOWNLOAD_MEMORY_BYTES", "33554431"),
    ] {
        let world = World::new().variable(variable, value);
        assert_eq!(world.faults().len(), 1, "{variable}");
    }
}

#[test]
fn a_deadline_shorter_than_what_it_must_outlive_is_noted() {
    let world = World::new().variable("THUMBFORGE_SHUTDOWN_GRACE_SECONDS", "5");
    let notices = world.notices();
    assert_eq!(notices.len(), 1);
    assert!(notices[0].contains("THUMBFORGE_HTTP_TIMEOUT_SECONDS"));
}

#[cfg(unix)]
#[test]
fn a_value_that_is_not_utf8_is_a_fault() {
    use std::os::unix::ffi::OsStringExt;
    let mut world = World::new();
    let broken = OsString::from_vec(vec![0xff]);
    let variable = (OsString::from("THUMBFORGE_QUEUE_NAME"), broken);
    world.sources.environment.push(variable);
    assert_eq!(
        world.faults(),
        ["THUMBFORGE_QUEUE_NAME: the value is not UTF-8"]
    );
}

#[test]
fn every_setting_has_its_own_name_and_a_sentence() {
    let mut keys: Vec<_> = TABLE.iter().map(|setting| setting.key).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), TABLE.len());
    for setting in TABLE {
        assert!(
            !setting.help.is_empty() && !setting.help.ends_with('.'),
            "{}",
            setting.key
        );
    }
}
