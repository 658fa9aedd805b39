//! Bad surroundings: one clear error, an exit code, no panic, nothing half-written.

use crate::support::program::Program;
use crate::support::server_process::free_port;

fn variables(
    folder: &std::path::Path,
    more: &[(&'static str, &str)],
) -> Vec<(&'static str, String)> {
    let mut variables = vec![
        ("THUMBFORGE_BIND", format!("127.0.0.1:{}", free_port())),
        (
            "THUMBFORGE_DATABASE_URL",
            format!("sqlite://{}", folder.join("jobs.db").display()),
        ),
        (
            "THUMBFORGE_STORAGE_PATH",
            folder.join("thumbnails").display().to_string(),
        ),
    ];
    variables.extend(
        more.iter()
            .map(|(name, value)| (*name, (*value).to_owned())),
    );
    variables
}

/// Starts `command`, which must end with `code` and one line that says `words`.
fn refused(command: &str, more: &[(&'static str, &str)], code: i32, words: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let (exit, output) = Program::run(command, &variables(folder.path(), more));
    assert_eq!(exit, Some(code), "{output}");
    assert!(!output.contains("panicked"), "{output}");
    let errors: Vec<&str> = output
        .lines()
        .filter(|line| line.starts_with("error:"))
        .collect();
    assert_eq!(errors.len(), words.len(), "{output}");
    for (line, word) in errors.iter().zip(words) {
        assert!(line.contains(word), "{line:?} does not say {word:?}");
    }
}

#[test]
fn an_unreachable_database_is_one_line() {
    let url = format!("postgres://u:secret@127.0.0.1:{}/x", free_port());
    for command in ["all", "init-db"] {
        refused(
            command,
            &[("THUMBFORGE_DATABASE_URL", &url)],
            1,
            &["database is not available"],
        );
    }
}

#[test]
fn a_busy_port_is_one_line() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap().to_string();
    refused("all", &[("THUMBFORGE_BIND", &address)], 1, &[&address]);
}

#[test]
fn a_storage_that_is_a_file_is_one_line() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().join("below").display().to_string();
    refused(
        "all",
        &[("THUMBFORGE_STORAGE_PATH", &path)],
        1,
        &["storage"],
    );
}

#[test]
fn a_database_file_that_is_no_database_is_one_line() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        file.path(),
        "this is a shopping list, not a database".repeat(100),
    )
    .unwrap();
    let url = format!("sqlite://{}", file.path().display());
    refused(
        "all",
        &[("THUMBFORGE_DATABASE_URL", &url)],
        1,
        &["not a database"],
    );
}

#[test]
fn a_missing_schema_names_init_db() {
    refused(
        "all",
        &[("THUMBFORGE_AUTO_MIGRATE", "false")],
        1,
        &["init-db"],
    );
}

#[test]
fn all_faults_of_the_settings_are_told_at_once() {
    refused(
        "all",
        &[
            ("THUMBFORGE_THUMBNAIL_SIZE", "huge"),
            ("THUMBFORGE_JPEG_QUALITY", "0"),
        ],
        2,
        &["THUMBNAIL_SIZE", "JPEG_QUALITY"],
    );
}

#[test]
fn separate_processes_without_redis_are_sent_to_all() {
    for command in ["serve", "work"] {
        refused(command, &[], 2, &["thumbforge all"]);
    }
}

#[test]
fn a_missing_keys_file_is_one_line() {
    let keys = [("THUMBFORGE_API_KEYS_FILE", "/nowhere/keys")];
    refused("all", &keys, 1, &["/nowhere/keys"]);
}
