//! The sources of a process's settings: its environment, two files and its flags.

use std::ffi::OsString;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use thumbforge_intake::settings::{FileText, Texts};

const TOML_FILE: &str = "thumbforge.toml";
const DOT_ENV_FILE: &str = ".env";

/// What settings are read from.
#[derive(Debug, Clone)]
pub struct Sources {
    /// The process's variables.
    pub environment: Vec<(OsString, OsString)>,
    /// Where `.env`, `thumbforge.toml` and a relative `config_file` are looked for.
    pub directory: PathBuf,
    /// The file of `--config`, which must exist; else `thumbforge.toml`, which may.
    pub config_file: Option<PathBuf>,
    /// Settings by key, as given by flags.
    pub flags: Vec<(&'static str, String)>,
    /// What "cores" means in a default.
    pub cores: usize,
}

impl Sources {
    /// Those of this process.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the environment"
    )]
    pub fn of_process(config_file: Option<PathBuf>, flags: Vec<(&'static str, String)>) -> Self {
        Self {
            environment: std::env::vars_os().collect(),
            directory: PathBuf::from("."),
            config_file,
            flags,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }

    pub(super) fn texts(&self) -> Texts {
        let toml = match &self.config_file {
            Some(file) => self.read(file, true),
            None => self.read(Path::new(TOML_FILE), false),
        };
        Texts {
            toml,
            dot_env: self.read(Path::new(DOT_ENV_FILE), false),
            environment: self.environment.clone(),
            flags: self.flags.clone(),
            cores: self.cores,
        }
    }

    /// The text of a file that holds one secret. The error names the whole path, since a relative one
    /// counts from a folder that the reader of the log may not know.
    pub(super) fn read_secret(&self, path: &str) -> Result<String, String> {
        let path = self.directory.join(path);
        let whole = std::path::absolute(&path).unwrap_or(path);
        let text = read_bounded(&whole)
            .map_err(|error| format!("{} can't be read: {error}", whole.display()))?;
        // A secret is one word; what else the file holds must not end up in messages.
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let line = text.strip_suffix('\n').unwrap_or(text);
        let line = line.strip_suffix('\r').unwrap_or(line);
        match line {
            "" => Err(format!("{} is empty", whole.display())),
            line if line.chars().any(char::is_control) => {
                Err(format!("{} has more than one line", whole.display()))
            }
            line => Ok(line.to_owned()),
        }
    }

    /// A file that is optional and missing has no text.
    fn read(&self, name: &Path, must_exist: bool) -> FileText {
        let text = match std::fs::read_to_string(self.directory.join(name)) {
            Err(error) if error.kind() == ErrorKind::NotFound && !must_exist => Ok(String::new()),
            read => read.map_err(|error| error.to_string()),
        };
        FileText {
            name: name.display().to_string(),
            text,
        }
    }
}

/// A longer file holds no secret of ours.
const LONGEST_SECRET: u64 = 64 * 1024;

fn read_bounded(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    // A pipe would be waited for.
    if !std::fs::metadata(path)?.is_file() {
        let reason = "it is no regular file".to_owned();
        return Err(std::io::Error::new(ErrorKind::InvalidInput, reason));
    }
    let file = std::fs::File::open(path)?;
    file.take(LONGEST_SECRET + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LONGEST_SECRET {
        let reason = format!("it has more than {LONGEST_SECRET} bytes");
        return Err(std::io::Error::new(ErrorKind::InvalidData, reason));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::config::{Settings, load};

    fn in_folder(folder: &TempDir) -> Sources {
        Sources {
            environment: Vec::new(),
            directory: folder.path().to_owned(),
            config_file: None,
            flags: Vec::new(),
            cores: 2,
        }
    }

    fn write(folder: &TempDir, name: &str, text: &str) {
        std::fs::write(folder.path().join(name), text).unwrap();
    }

    fn settings(sources: &Sources) -> Settings {
        load(sources).unwrap().settings
    }

    #[test]
    fn files_are_read_in_the_folder_and_need_not_be_there() {
        let folder = TempDir::new().unwrap();
        let sources = in_folder(&folder);
        assert_eq!(settings(&sources).jpeg_quality, 85);
        write(&folder, "thumbforge.toml", "jpeg_quality = 10");
        assert_eq!(settings(&sources).jpeg_quality, 10);
        write(&folder, ".env", "\u{feff}THUMBFORGE_JPEG_QUALITY=20");
        assert_eq!(settings(&sources).jpeg_quality, 20);
    }

    #[test]
    fn a_named_file_must_exist_and_replaces_the_default_one() {
        let folder = TempDir::new().unwrap();
        write(&folder, "thumbforge.toml", "jpeg_quality = 10");
        let mut sources = in_folder(&folder);
        sources.config_file = Some(PathBuf::from("other.toml"));
        let faults = load(&sources).unwrap_err();
        let fault = faults.lines().next().unwrap();
        assert!(fault.starts_with("other.toml: can't be read: "), "{fault}");
        write(&folder, "other.toml", "thumbnail_size = 64");
        assert_eq!(settings(&sources).jpeg_quality, 85);
        assert_eq!(settings(&sources).thumbnail_size, 64);
    }
    #[test]
    fn a_secret_is_read_in_the_folder_and_its_fault_has_the_whole_path() {
        let folder = TempDir::new().unwrap();
        write(&folder, "url", "redis://:hunter2@cache\n");
        write(&folder, "long", &"hunter2".repeat(10_000));
        let mut sources = in_folder(&folder);
        let named = |path: &str| {
            let name = OsString::from("THUMBFORGE_REDIS_URL_FILE");
            vec![(name, OsString::from(path))]
        };
        sources.environment = named("url");
        let url = settings(&sources).redis_url.unwrap();
        assert_eq!(url.server(), "redis://:hunter2@cache");
        for path in ["missing", ".", "long"] {
            sources.environment = named(path);
            let faults = load(&sources).unwrap_err().to_string();
            let whole = std::path::absolute(folder.path().join(path)).unwrap();
            let begin = format!("THUMBFORGE_REDIS_URL_FILE: {} can't be", whole.display());
            assert!(faults.starts_with(&begin), "{faults}");
            assert!(
                !faults.contains('\n') && !faults.contains("hunter2"),
                "{faults}"
            );
        }
    }
}
