//! The layers, lowest first, become one value a setting. Each value remembers where it was set, in
//! words that lead its author to the spot: `--bind`, `THUMBFORGE_BIND in .env`, `bind in
//! thumbforge.toml`.

use std::collections::BTreeMap;

use super::Judge;
use super::setting::Setting;

/// What one source sets: text by setting.
#[derive(Debug, Clone, Default)]
pub(super) struct Layer(BTreeMap<&'static str, Said>);

#[derive(Debug, Clone)]
struct Said {
    place: String,
    text: String,
    is_secret: bool,
}

impl Layer {
    pub(super) fn say(&mut self, setting: &Setting, place: String, text: String) {
        let is_secret = setting.is_secret;
        let said = Said {
            place,
            text,
            is_secret,
        };
        self.0.insert(setting.key, said);
    }

    pub(super) fn says(&self, setting: &Setting) -> bool {
        self.0.contains_key(setting.key)
    }
}

/// One text for every setting of a table.
pub(super) struct Merged<'a> {
    said: Layer,
    judge: Judge<'a>,
}

impl<'a> Merged<'a> {
    /// Later layers win.
    pub(super) fn of(
        table: &[Setting],
        layers: Vec<Layer>,
        cores: usize,
        judge: Judge<'a>,
    ) -> Self {
        let mut said = Layer::default();
        for setting in table {
            let default = setting.default.resolve(cores);
            said.say(setting, "default".to_owned(), default);
        }
        for Layer(layer) in layers {
            said.0.extend(layer);
        }
        Self { said, judge }
    }

    /// The parsed value, or `None` and another line in `faults`.
    pub(super) fn read<T>(
        &self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, String>,
        faults: &mut Vec<String>,
    ) -> Option<T> {
        let said = self.said.0.get(key)?;
        let judged = |value| (self.judge)(key, &said.text).map(|()| value);
        match parse(&said.text).and_then(judged) {
            Ok(value) => Some(value),
            Err(expected) if said.is_secret => {
                faults.push(format!("{}: {expected}", said.place));
                None
            }
            Err(expected) => {
                let text = quoted(&said.text);
                faults.push(format!("{}: {expected}, got {text}", said.place));
                None
            }
        }
    }
}

/// Escaped, so that a fault stays one line, and of bearable length.
fn quoted(text: &str) -> String {
    const MAX_CHARS: usize = 80;
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}
