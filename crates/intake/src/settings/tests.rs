use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

use super::*;

/// A made-up world: two files, variables and flags.
struct World(Texts, BTreeMap<String, String>);

impl World {
    fn new() -> Self {
        let texts = Texts {
            toml: FileText::new("thumbforge.toml", ""),
            dot_env: FileText::new(".env", ""),
            environment: Vec::new(),
            flags: Vec::new(),
            cores: 2,
        };
        Self(texts, BTreeMap::new())
    }

    /// A file with a secret.
    fn file(mut self, path: &str, text: &str) -> Self {
        self.1.insert(path.to_owned(), text.to_owned());
        self
    }

    fn toml(mut self, text: &str) -> Self {
        self.0.toml = FileText::new("thumbforge.toml", text);
        self
    }

    fn dot_env(mut self, text: &str) -> Self {
        self.0.dot_env = FileText::new(".env", text);
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        let variable = (OsString::from(name), OsString::from(value));
        self.0.environment.push(variable);
        self
    }

    fn flag(mut self, key: &'static str, value: &str) -> Self {
        self.0.flags.push((key, value.to_owned()));
        self
    }

    fn load(&self) -> Result<Loaded, ConfigErrors> {
        load(&self.0, &|_, _| Ok(()), &|path| {
            let text = self.1.get(path).cloned();
            text.ok_or_else(|| format!("/here/{path} can't be read: no such file"))
        })
    }

    fn settings(&self) -> Settings {
        self.load().unwrap().settings
    }

    fn notices(&self) -> Vec<String> {
        self.load().unwrap().notices
    }

    fn faults(&self) -> Vec<String> {
        let faults = self.load().unwrap_err();
        faults.lines().map(str::to_owned).collect()
    }
}

#[test]
fn nothing_said_gives_the_defaults_without_a_notice() {
    let loaded = World::new().load().unwrap();
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
    let world = World::new().toml("jpeg_quality = 10");
    assert_eq!(world.settings().jpeg_quality, 10);
    let world = world.dot_env("THUMBFORGE_JPEG_QUALITY=20\nUNRELATED=x");
    assert_eq!(world.settings().jpeg_quality, 20);
    let world = world.variable("THUMBFORGE_JPEG_QUALITY", "30");
    assert_eq!(world.settings().jpeg_quality, 30);
    let world = world.flag("jpeg_quality", "40");
    assert_eq!(world.settings().jpeg_quality, 40);
}

#[test]
fn the_file_may_hold_typed_values_strings_and_lists() {
    let world = World::new().toml(
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
        .toml("thumbnal_size = 3\nbind = \"here\"\n[server]\nx = 1")
        .dot_env("THUMBFORGE_JPEG_QUALITY=0")
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
        .toml("database_url = postgres://u:hunter2@db/n")
        .dot_env("THUMBFORGE_DATABASE_URL=a b hunter2")
        .variable("THUMBFORGE_DATABASE_URL", "mysql://u:hunter2@db/n")
        .variable("THUMBFORGE_REDIS_URL", "http://:hunter2@cache")
        .variable("THUMBFORGE_EGRESS_PROXY", "ftp://:hunter2@proxy")
        .variable("THUMBFORGE_SECRETS_KEY", "hunter2");
    let faults = world.faults();
    assert_eq!(faults.len(), 6, "{faults:?}");
    assert!(!faults.join("\n").contains("hunter2"), "{faults:?}");

    let world = World::new()
        .variable("THUMBFORGE_DATABASE_URL", "postgres://u:hunter2@db/n")
        .variable("THUMBFORGE_REDIS_URL", "redis://:hunter2@cache")
        .variable("THUMBFORGE_EGRESS_PROXY", "socks5://u:hunter2@proxy")
        .variable(
            "THUMBFORGE_SECRETS_KEY",
            "hunter2, hunter2, hunter2, hunter2",
        )
        .toml("[origins.a]\nheaders = { Authorization = \"hunter2\" }");
    assert_eq!(world.settings().origins.len(), 1);
    assert!(!format!("{:?}", world.settings()).contains("hunter2"));
}

#[test]
fn broken_files_are_told_by_line_without_their_text() {
    let world = World::new()
        .toml("bind = \"127.0.0.1:1\"\njpeg_quality = = 3")
        .dot_env("# comment\nTHUMBFORGE_BIND=127.0.0.1:2\nTHUMBFORGE_QUEUE_NAME=a b c\n");
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
fn a_file_that_can_not_be_read_is_a_fault_and_the_rest_is_read_on() {
    let mut world = World::new().variable("THUMBFORGE_JPEG_QUALITY", "0");
    world.0.toml.text = Err("no such file".to_owned());
    world.0.dot_env.text = Err("denied".to_owned());
    let faults = world.faults();
    assert_eq!(faults[0], "thumbforge.toml: can't be read: no such file");
    assert_eq!(faults[1], ".env: can't be read: denied");
    assert_eq!(faults.len(), 3, "{faults:?}");
}

#[test]
fn what_a_library_says_of_a_setting_is_told_with_its_place_and_without_a_secret() {
    let world = World::new()
        .variable("THUMBFORGE_REDIS_URL", "redis://:hunter2@cache")
        .variable("THUMBFORGE_QUEUE_NAME", "jobs");
    let judge = |key: &str, _: &str| match key {
        "redis_url" | "queue_name" => Err("expected better".to_owned()),
        _ => Ok(()),
    };
    let faults = load(&world.0, &judge, &|_| unreachable!()).unwrap_err();
    let faults: Vec<_> = faults.lines().collect();
    let expected = [
        "THUMBFORGE_REDIS_URL: expected better",
        "THUMBFORGE_QUEUE_NAME: expected better, got \"jobs\"",
    ];
    assert_eq!(faults, expected);
}

#[test]
fn an_unknown_variable_only_warns_and_names_the_nearest() {
    let world = World::new()
        .variable("THUMBFORGE_PORT", "tcp://10.0.0.1:8000")
        .variable("THUMBFORGE_THUMBNAIL_SIZ", "1")
        .variable("THUMBFORGE_SERVER", "http://127.0.0.1:8000")
        .variable("OTHER_THUMBNAIL_SIZE", "1");
    let notices = world.notices();
    assert_eq!(notices.len(), 2, "{notices:?}");
    assert!(notices[0].starts_with("THUMBFORGE_PORT is not a setting"));
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
        .toml("redis_url = \"redis://cache\"")
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

#[test]
fn secrets_are_read_from_files_that_any_layer_names() {
    let world = || World::new().file("redis", "redis://:hunter2@cache\n");
    for world in [
        world().toml("redis_url_file = \"redis\""),
        world().dot_env("THUMBFORGE_REDIS_URL_FILE=redis"),
        world().variable("THUMBFORGE_REDIS_URL_FILE", "redis"),
        // Nobody has set the other one.
        world()
            .variable("THUMBFORGE_REDIS_URL_FILE", "redis")
            .variable("THUMBFORGE_REDIS_URL", ""),
        // A later layer wins, as ever.
        world()
            .toml("redis_url = \"redis://other\"")
            .variable("THUMBFORGE_REDIS_URL_FILE", "redis"),
    ] {
        let loaded = world.load().unwrap();
        assert_eq!(loaded.notices, [""; 0]);
        let url = loaded.settings.redis_url.unwrap();
        assert_eq!(url.server(), "redis://:hunter2@cache");
    }
    let overridden = world()
        .variable("THUMBFORGE_REDIS_URL_FILE", "not there")
        .flag("redis_url", "redis://other");
    let url = overridden.settings().redis_url.unwrap();
    assert_eq!(url.server(), "redis://other");
    let nothing_named = world().variable("THUMBFORGE_REDIS_URL_FILE", "");
    assert_eq!(nothing_named.settings().redis_url, None);
}

#[test]
fn one_newline_is_cut_off_a_secret() {
    for (text, url) in [
        ("redis://cache", Ok("redis://cache")),
        ("redis://cache\n", Ok("redis://cache")),
        ("redis://cache\r\n", Ok("redis://cache")),
        ("redis://cache/a\n\n", Ok("redis://cache/a\n")),
    ] {
        let read = |path: &str| match path {
            "redis" => Ok(text.to_owned()),
            other => Err(other.to_owned()),
        };
        let world = World::new().variable("THUMBFORGE_REDIS_URL_FILE", "redis");
        let judged = |key: &str, given: &str| match key {
            "redis_url" => Err(format!("{given:?}")),
            _ => Ok(()),
        };
        let faults = load(&world.0, &judged, &read).unwrap_err().to_string();
        let expected = url.map(|url: &str| format!("THUMBFORGE_REDIS_URL_FILE: {url:?}"));
        assert_eq!(Ok::<_, ()>(faults), expected);
    }
}

#[test]
fn a_secret_that_is_given_twice_or_can_not_be_read_is_one_fault() {
    let world = World::new()
        .file("redis", "hunter2")
        .toml("redis_url_file = \"redis\"\nredis_url = \"redis://a\"");
    let twice = "redis_url_file in thumbforge.toml: redis_url in thumbforge.toml is set as well, and \
                 they contradict each other; keep one";
    assert_eq!(world.faults(), [twice]);
    let world = World::new()
        .dot_env("THUMBFORGE_REDIS_URL_FILE=redis\nTHUMBFORGE_REDIS_URL=redis://hunter2");
    let faults = world.faults();
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(!faults[0].contains("hunter2"), "{faults:?}");
    let world = World::new().variable("THUMBFORGE_DATABASE_URL_FILE", "db");
    let missing = "THUMBFORGE_DATABASE_URL_FILE: /here/db can't be read: no such file";
    assert_eq!(world.faults(), [missing]);
    let world = World::new().variable("THUMBFORGE_DATABASE_URL_FILE", "d\nb");
    assert_eq!(world.faults().len(), 1);
    let world = World::new()
        .file("db", "hunter2")
        .variable("THUMBFORGE_DATABASE_URL_FILE", "db");
    let faults = world.faults();
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].starts_with("THUMBFORGE_DATABASE_URL_FILE: expected"));
    assert!(!faults[0].contains("hunter2"), "{faults:?}");
}

#[test]
fn what_is_no_secret_has_no_file() {
    let world = World::new().toml("bind_file = \"x\"\nREDIS_URL_FILE = \"x\"");
    let faults = world.faults();
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(faults.iter().all(|fault| fault.contains("unknown key")));
}

#[test]
fn every_setting_has_readers() {
    for setting in TABLE {
        assert!(!setting.readers.is_empty(), "{}", setting.key);
    }
}

#[cfg(unix)]
#[test]
fn a_value_that_is_not_utf8_is_a_fault() {
    use std::os::unix::ffi::OsStringExt;
    let mut world = World::new();
    let broken = OsString::from_vec(vec![0xff]);
    let variable = (OsString::from("THUMBFORGE_QUEUE_NAME"), broken);
    world.0.environment.push(variable);
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
