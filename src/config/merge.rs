//! The layers, lowest first, become one value a setting. Each value remembers where it was said, in words
//! that lead its author to the spot: `--bind`, `THUMBFORGE_BIND in .env`, `bind in thumbforge.toml`.

use std::collections::BTreeMap;

use config::{Config, ConfigError, Map, Source, Value};

use super::table::{Setting, TABLE};

/// What one source says: text by setting.
#[derive(Debug, Clone, Default)]
pub(super) struct Layer(BTreeMap<&'static str, Said>);

#[derive(Debug, Clone)]
struct Said {
    place: String,
    text: String,
}

impl Layer {
    pub(super) fn say(&mut self, setting: &Setting, place: String, text: String) {
        self.0.insert(setting.key, Said { place, text });
    }

    pub(super) fn says(&self, setting: &Setting) -> bool {
        self.0.contains_key(setting.key)
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let said = self.0.iter();
        Ok(said
            .map(|(key, said)| {
                let value = Value::new(Some(&said.place), said.text.clone());
                ((*key).to_owned(), value)
            })
            .collect())
    }
}

/// One text for every setting of the table.
pub(super) struct Merged(BTreeMap<&'static str, Said>);

impl Merged {
    /// Later layers win.
    pub(super) fn of(layers: Vec<Layer>, cores: usize) -> Result<Self, ConfigError> {
        let mut builder = Config::builder();
        for setting in TABLE {
            builder = builder.set_default(setting.key, setting.default.resolve(cores))?;
        }
        for layer in layers {
            builder = builder.add_source(layer);
        }
        let mut values = builder.build()?.collect()?;
        TABLE
            .iter()
            .map(|setting| {
                let value = values.remove(setting.key).unwrap_or_default();
                let place = value.origin().unwrap_or("default").to_owned();
                let text = value.into_string()?;
                Ok((setting.key, Said { place, text }))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The parsed value, or `None` and one line more in `faults`.
    pub(super) fn read<T>(
        &self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, String>,
        faults: &mut Vec<String>,
    ) -> Option<T> {
        let Said { place, text } = self.0.get(key)?;
        match parse(text) {
            Ok(value) => Some(value),
            Err(expected) if is_secret(key) => {
                faults.push(format!("{place}: {expected}"));
                None
            }
            Err(expected) => {
                faults.push(format!("{place}: {expected}, got {}", quoted(text)));
                None
            }
        }
    }
}

fn is_secret(key: &str) -> bool {
    TABLE
        .iter()
        .any(|setting| setting.key == key && setting.is_secret)
}

/// Escaped, so that a fault stays one line, and of bearable length.
fn quoted(text: &str) -> String {
    const MAX_CHARS: usize = 80;
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}
