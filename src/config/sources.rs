//! The sources of a process's settings: its environment, two files and its flags.

use std::ffi::OsString;
use std::io::ErrorKind;
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
}
