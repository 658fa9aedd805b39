//! Where settings are said. Everything that `load` sees of the world is in [`Sources`].

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use config::{File, FileFormat, Source, Value, ValueKind};

use super::dot_env;
use super::merge::Layer;
use super::names::{Meaning, likely_key, meaning, nearest_variable, setting};
use super::table::PREFIX;
use super::{origins, presets};
use crate::domain::{OriginRule, Variants};

const DEFAULT_FILE: &str = "thumbforge.toml";
/// The keys that are no settings of the table.
const ORIGINS: &str = "origins";
const PRESETS: &str = "presets";

/// What settings are read from.
#[derive(Debug, Clone)]
pub struct Sources {
    /// The process's variables.
    pub environment: Vec<(OsString, OsString)>,
    /// Where `.env`, `thumbforge.toml` and a relative `config_file` are looked for.
    pub directory: PathBuf,
    /// The file of `--config`, which must exist; else `thumbforge.toml`, which may.
    pub config_file: Option<PathBuf>,
    /// Settings by key, as said by flags.
    pub flags: Vec<(&'static str, String)>,
    /// What "cores" means in a default.
    pub cores: usize,
}

impl Sources {
    /// Those of this process.
    pub fn of_process(config_file: Option<PathBuf>, flags: Vec<(&'static str, String)>) -> Self {
        Self {
            environment: std::env::vars_os().collect(),
            directory: PathBuf::from("."),
            config_file,
            flags,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// What reading the sources brings to light beside their values.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub faults: Vec<String>,
    pub notices: Vec<String>,
    pub said: OnlyInFile,
}

/// What only the file can say.
#[derive(Debug, Default)]
pub(super) struct OnlyInFile {
    /// The most specific pattern first.
    pub origins: Vec<OriginRule>,
    pub presets: BTreeMap<String, Variants>,
}

/// The layers, lowest first.
pub(super) fn layers(sources: &Sources, findings: &mut Findings) -> Vec<Layer> {
    vec![
        toml_file(sources, findings),
        dot_env_file(&sources.directory, findings),
        environment(&sources.environment, findings),
        flags(&sources.flags),
    ]
}

fn toml_file(sources: &Sources, findings: &mut Findings) -> Layer {
    let name = match &sources.config_file {
        Some(file) => file.as_path(),
        None => Path::new(DEFAULT_FILE),
    };
    let text = match std::fs::read_to_string(sources.directory.join(name)) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound && sources.config_file.is_none() => {
            return Layer::default();
        }
        Err(error) => {
            let fault = format!("{}: can't be read: {error}", name.display());
            findings.faults.push(fault);
            return Layer::default();
        }
    };
    toml_text(&text, name, findings)
}

/// `name` is the file that `text` stands in.
pub(super) fn toml_text(text: &str, name: &Path, findings: &mut Findings) -> Layer {
    match File::from_str(text, FileFormat::Toml).collect() {
        Ok(values) => toml_layer(values, name, findings),
        Err(error) => {
            let reason = without_quotation(&error.to_string());
            findings
                .faults
                .push(format!("{}: {reason}", name.display()));
            Layer::default()
        }
    }
}

fn toml_layer(values: config::Map<String, Value>, file: &Path, findings: &mut Findings) -> Layer {
    let mut layer = Layer::default();
    let file = file.display();
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_by(|(a, _), (b, _)| a.cmp(b));
    for (key, value) in values {
        if key == ORIGINS {
            findings.said.origins = origins::rules(value, &file.to_string(), &mut findings.faults);
            continue;
        }
        if key == PRESETS {
            findings.said.presets =
                presets::presets(value, &file.to_string(), &mut findings.faults);
            continue;
        }
        let Some(setting) = setting(&key) else {
            let hint = likely_key(&key).map(|meant| format!("; did you mean {meant}?"));
            let hint = hint.unwrap_or_default();
            let fault = format!("{file}: unknown key {key:?}{hint}");
            findings.faults.push(fault);
            continue;
        };
        match scalar_text(value) {
            Some(text) => layer.say(setting, format!("{key} in {file}"), text),
            None => {
                let fault = format!("{key} in {file}: expected a value, got a table");
                findings.faults.push(fault);
            }
        }
    }
    layer
}

/// The text of a typed value, as it would stand in a variable; lists with commas.
fn scalar_text(value: Value) -> Option<String> {
    match value.kind {
        ValueKind::Table(_) => None,
        ValueKind::Array(items) => {
            let parts: Option<Vec<_>> = items.into_iter().map(scalar_text).collect();
            Some(parts?.join(","))
        }
        ValueKind::Nil => Some(String::new()),
        kind => Some(kind.to_string()),
    }
}

/// The TOML parser quotes the line that it can't read, and there may be a password in it.
fn without_quotation(message: &str) -> String {
    let lines = message.lines().map(str::trim_end);
    let said: Vec<_> = lines
        .filter(|line| {
            let margin = line.trim_start_matches(|c: char| c == ' ' || c.is_ascii_digit());
            !line.is_empty() && !margin.starts_with('|')
        })
        .collect();
    said.join(": ")
}

fn dot_env_file(directory: &Path, findings: &mut Findings) -> Layer {
    dot_env_layer(dot_env::read(directory), findings)
}

pub(super) fn dot_env_layer(
    (variables, faults): (Vec<(String, String)>, Vec<String>),
    findings: &mut Findings,
) -> Layer {
    findings.faults.extend(faults);
    let mut layer = Layer::default();
    for (name, value) in variables {
        say_variable(&mut layer, &name, Some(value), " in .env", findings);
    }
    layer
}

pub(super) fn environment(variables: &[(OsString, OsString)], findings: &mut Findings) -> Layer {
    let mut variables: Vec<_> = variables
        .iter()
        .filter_map(|(name, value)| Some((name.to_str()?, value)))
        .collect();
    variables.sort();
    let mut layer = Layer::default();
    for (name, value) in variables {
        let value = OsStr::to_str(value).map(str::to_owned);
        say_variable(&mut layer, name, value, "", findings);
    }
    layer
}

/// `value` is `None` where it isn't UTF-8.
fn say_variable(
    layer: &mut Layer,
    variable: &str,
    value: Option<String>,
    place: &str,
    findings: &mut Findings,
) {
    let Some(name) = variable.strip_prefix(PREFIX) else {
        return;
    };
    let (setting, renamed) = match meaning(name) {
        Meaning::Current(setting) => (setting, false),
        Meaning::Renamed(setting) => (setting, true),
        Meaning::Retired(reason) => {
            let notice = format!("{variable}{place} is ignored: {reason}");
            findings.notices.push(notice);
            return;
        }
        Meaning::Unknown => {
            let nearest = nearest_variable(name);
            findings.notices.push(format!(
                "{variable}{place} is no setting and is ignored; the nearest one is {nearest}"
            ));
            return;
        }
    };
    if renamed {
        let current = setting.variable();
        findings
            .notices
            .push(format!("{variable}{place} is read as {current}"));
        if layer.says(setting) {
            return;
        }
    }
    match value {
        Some(value) => layer.say(setting, format!("{variable}{place}"), value),
        None => {
            let fault = format!("{variable}{place}: the value is not UTF-8");
            findings.faults.push(fault);
        }
    }
}

fn flags(flags: &[(&'static str, String)]) -> Layer {
    let mut layer = Layer::default();
    for (key, text) in flags {
        if let Some(setting) = setting(key) {
            layer.say(setting, format!("--{}", setting.flag()), text.clone());
        }
    }
    layer
}
