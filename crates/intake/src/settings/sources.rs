//! Where settings come from. Everything that `load` sees of the world is in [`Texts`].

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use config::{File, FileFormat, Source, Value, ValueKind};

use super::dot_env;
use super::merge::Layer;
use super::names::{Meaning, likely_key, meaning, nearest_variable, setting};
use super::setting::{PREFIX, Setting};
use super::{origins, presets, traces};
use crate::{OriginRule, Variants};

/// The keys that are not settings of the table.
const ORIGINS: &str = "origins";
const PRESETS: &str = "presets";

/// What settings are read from.
#[derive(Debug, Clone)]
pub struct Texts {
    /// The file of `--config`, or `thumbforge.toml`.
    pub toml: FileText,
    pub dot_env: FileText,
    /// The process's variables.
    pub environment: Vec<(OsString, OsString)>,
    /// Settings by key, as given by flags.
    pub flags: Vec<(&'static str, String)>,
    /// What "cores" means in a default.
    pub cores: usize,
}

/// A file as it was found; a file that is optional and missing has no text.
#[derive(Debug, Clone)]
pub struct FileText {
    /// Its name in faults.
    pub name: String,
    /// Or why it can't be read.
    pub text: Result<String, String>,
}

impl FileText {
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            text: Ok(text.into()),
        }
    }

    fn read(&self, findings: &mut Findings) -> Option<&str> {
        match &self.text {
            Ok(text) => Some(text),
            Err(reason) => {
                let fault = format!("{}: can't be read: {reason}", self.name);
                findings.faults.push(fault);
                None
            }
        }
    }
}

/// Results of reading the sources, apart from their values.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub faults: Vec<String>,
    pub notices: Vec<String>,
    pub said: BesideTable,
}

/// What no row of the table says.
#[derive(Debug, Default)]
pub(super) struct BesideTable {
    /// The most specific pattern first; only the file has them, and presets.
    pub origins: Vec<OriginRule>,
    pub presets: BTreeMap<String, Variants>,
    pub exports_traces: bool,
}

/// The layers, lowest first.
pub(super) fn layers(texts: &Texts, findings: &mut Findings) -> Vec<Layer> {
    findings.said.exports_traces = traces::are_exported(&texts.environment);
    vec![
        toml_file(&texts.toml, findings),
        dot_env_file(&texts.dot_env, findings),
        environment(&texts.environment, findings),
        flags(&texts.flags),
    ]
}

fn toml_file(file: &FileText, findings: &mut Findings) -> Layer {
    let Some(text) = file.read(findings) else {
        return Layer::default();
    };
    match File::from_str(text, FileFormat::Toml).collect() {
        Ok(values) => toml_layer(values, &file.name, findings),
        Err(error) => {
            let reason = without_quotation(&error.to_string());
            findings.faults.push(format!("{}: {reason}", file.name));
            Layer::default()
        }
    }
}

fn toml_layer(values: config::Map<String, Value>, file: &str, findings: &mut Findings) -> Layer {
    let mut layer = Layer::default();
    let mut in_files = InFiles::default();
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_by(|(a, _), (b, _)| a.cmp(b));
    for (key, value) in values {
        if key == ORIGINS {
            findings.said.origins = origins::rules(value, file, &mut findings.faults);
            continue;
        }
        if key == PRESETS {
            findings.said.presets = presets::presets(value, file, &mut findings.faults);
            continue;
        }
        let (setting, is_in_file) = match meaning(&key.to_ascii_uppercase()) {
            Meaning::Current(setting) if setting.key == key => (setting, false),
            Meaning::InFile(setting) if is_lower(&key) => (setting, true),
            _ => {
                findings.faults.push(unknown_key(&key, file));
                continue;
            }
        };
        match scalar_text(value) {
            Some(text) if is_in_file => in_files.note(setting, format!("{key} in {file}"), text),
            Some(text) => layer.say(setting, format!("{key} in {file}"), text),
            None => {
                let fault = format!("{key} in {file}: expected a value, got a table");
                findings.faults.push(fault);
            }
        }
    }
    in_files.settle(&mut layer, findings);
    layer
}

fn is_lower(key: &str) -> bool {
    !key.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn unknown_key(key: &str, file: &str) -> String {
    let hint = likely_key(key).map(|meant| format!("; did you mean {meant}?"));
    format!("{file}: unknown key {key:?}{}", hint.unwrap_or_default())
}

/// Secrets of a layer that are in files: each setting, where that was said, and the path. They are
/// settled last, so that their order among the others does not matter.
#[derive(Default)]
struct InFiles(Vec<(&'static Setting, String, String)>);

impl InFiles {
    /// The empty path names no file.
    fn note(&mut self, setting: &'static Setting, place: String, path: String) {
        if !path.is_empty() {
            self.0.push((setting, place, path));
        }
    }

    fn settle(self, layer: &mut Layer, findings: &mut Findings) {
        for (setting, place, path) in self.0 {
            if let Err(fault) = layer.say_file(setting, place, path) {
                findings.faults.push(fault);
            }
        }
    }
}

/// The text of a typed value, as in a variable; lists with commas.
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

fn dot_env_file(file: &FileText, findings: &mut Findings) -> Layer {
    let text = file.read(findings).unwrap_or_default();
    let (variables, faults) = dot_env::parse(&file.name, text.trim_start_matches('\u{feff}'));
    findings.faults.extend(faults);
    let mut said = Variables::default();
    for (name, value) in variables {
        said.say(&name, Some(value), " in .env", findings);
    }
    said.layer(findings)
}

fn environment(variables: &[(OsString, OsString)], findings: &mut Findings) -> Layer {
    let mut variables: Vec<_> = variables
        .iter()
        .filter_map(|(name, value)| Some((name.to_str()?, value)))
        .collect();
    variables.sort();
    let mut said = Variables::default();
    for (name, value) in variables {
        let value = OsStr::to_str(value).map(str::to_owned);
        said.say(name, value, "", findings);
    }
    said.layer(findings)
}

/// The variables of a layer.
#[derive(Default)]
struct Variables {
    layer: Layer,
    in_files: InFiles,
}

impl Variables {
    /// `value` is `None` where it isn't UTF-8.
    fn say(&mut self, variable: &str, value: Option<String>, place: &str, findings: &mut Findings) {
        let Some(name) = variable.strip_prefix(PREFIX) else {
            return;
        };
        let place = format!("{variable}{place}");
        let (setting, is_in_file) = match meaning(name) {
            Meaning::Current(setting) => (setting, false),
            Meaning::InFile(setting) => (setting, true),
            Meaning::Renamed(setting) => {
                let current = setting.variable();
                findings
                    .notices
                    .push(format!("{place} is read as {current}"));
                if self.layer.says(setting) {
                    return;
                }
                (setting, false)
            }
            Meaning::Retired(reason) => {
                findings
                    .notices
                    .push(format!("{place} is ignored: {reason}"));
                return;
            }
            Meaning::OfClient => return,
            Meaning::Unknown => {
                let nearest = nearest_variable(name);
                findings.notices.push(format!(
                    "{place} is not a setting and is ignored; the nearest one is {nearest}"
                ));
                return;
            }
        };
        match value {
            Some(path) if is_in_file => self.in_files.note(setting, place, path),
            Some(value) => self.layer.say(setting, place, value),
            None => findings
                .faults
                .push(format!("{place}: the value is not UTF-8")),
        }
    }

    fn layer(mut self, findings: &mut Findings) -> Layer {
        self.in_files.settle(&mut self.layer, findings);
        self.layer
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
