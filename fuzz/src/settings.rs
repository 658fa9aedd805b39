//! The texts that settings are read from.

use std::ffi::OsString;

use thumbforge_intake::settings::{FileText, TABLE, Texts, load};

/// What no line may reveal, where it stands in a secret.
const PASSWORD: &str = "hunter2";

/// Up to three texts, with a NUL between them: `thumbforge.toml`, `.env`, and the value of the
/// variable that the first byte picks. They load, or end in faults of one line each.
pub fn check_settings(bytes: &[u8]) {
    let Some((&first, rest)) = bytes.split_first() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(rest) else {
        return;
    };
    let mut texts = text.splitn(3, '\0');
    let mut next = || texts.next().unwrap_or_default();
    let (toml, dot_env, value) = (next(), next(), next());
    let setting = &TABLE[usize::from(first) % TABLE.len()];
    let texts = Texts {
        toml: FileText::new("thumbforge.toml", toml),
        dot_env: FileText::new(".env", dot_env),
        environment: vec![(OsString::from(setting.variable()), OsString::from(value))],
        flags: Vec::new(),
        cores: 2,
    };
    // Any file that the texts name holds the value.
    let read_secret = |path: &str| match path.len() {
        0..100 => Ok(value.to_owned()),
        _ => Err(format!("{path} can't be read: the name is too long")),
    };
    let lines: Vec<String> = match load(&texts, &|_, _| Ok(()), &read_secret) {
        Ok(loaded) => {
            let settings = loaded.settings;
            assert!(settings.default_page_size <= settings.max_page_size);
            assert!((16..=65_535).contains(&settings.thumbnail_size));
            assert!(settings.worker_concurrency != Some(0) && settings.cpu_threads >= 1);
            loaded.notices
        }
        Err(errors) => errors.lines().map(str::to_owned).collect(),
    };
    let tells = value.contains(PASSWORD) && !toml.contains(PASSWORD) && !dot_env.contains(PASSWORD);
    for line in lines {
        assert!(!line.contains(['\n', '\r']), "{line:?}");
        assert!(
            !(setting.is_secret && tells && line.contains(PASSWORD)),
            "{line:?}"
        );
    }
}
