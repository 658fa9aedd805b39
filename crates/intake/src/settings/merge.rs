//! The layers, lowest first, become one value a setting. Each value remembers where it was set, in
//! words that lead its author to the spot: `--bind`, `THUMBFORGE_BIND in .env`, `bind in
//! thumbforge.toml`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::setting::Setting;
use super::{Judge, ReadSecret};

/// What one source sets: text by setting.
#[derive(Debug, Clone, Default)]
pub(super) struct Layer(BTreeMap<&'static str, Said>);

#[derive(Debug, Clone)]
struct Said {
    place: String,
    value: Value,
    is_secret: bool,
}

#[derive(Debug, Clone)]
enum Value {
    Text(String),
    /// The path of a file that holds the text.
    InFile(String),
}

impl Layer {
    pub(super) fn say(&mut self, setting: &Setting, place: String, text: String) {
        self.insert(setting, place, Value::Text(text));
    }

    /// The text is in the file of this path.
    ///
    /// # Errors
    /// If this layer has the text itself. An empty one is as good as none: compose files pass
    /// variables on that nobody has set.
    pub(super) fn say_file(
        &mut self,
        setting: &Setting,
        place: String,
        path: String,
    ) -> Result<(), String> {
        let said = self.0.get(setting.key);
        match said.map(|said| (&said.place, &said.value)) {
            Some((other, Value::Text(text))) if !text.is_empty() => Err(format!(
                "{place}: {other} is set as well, and they contradict each other; keep one"
            )),
            _ => {
                self.insert(setting, place, Value::InFile(path));
                Ok(())
            }
        }
    }

    fn insert(&mut self, setting: &Setting, place: String, value: Value) {
        let is_secret = setting.is_secret;
        let said = Said {
            place,
            value,
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
    read_secret: ReadSecret<'a>,
}

impl<'a> Merged<'a> {
    /// Later layers win.
    pub(super) fn of(
        table: &[Setting],
        layers: Vec<Layer>,
        cores: usize,
        judge: Judge<'a>,
        read_secret: ReadSecret<'a>,
    ) -> Self {
        let mut said = Layer::default();
        for setting in table {
            let default = setting.default.resolve(cores);
            said.say(setting, "default".to_owned(), default);
        }
        for Layer(layer) in layers {
            said.0.extend(layer);
        }
        Self {
            said,
            judge,
            read_secret,
        }
    }

    /// The parsed value, or `None` and another line in `faults`.
    pub(super) fn read<T>(
        &self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, String>,
        faults: &mut Vec<String>,
    ) -> Option<T> {
        let said = self.said.0.get(key)?;
        let text = match self.text(said) {
            Ok(text) => text,
            Err(fault) => {
                faults.push(format!("{}: {fault}", said.place));
                return None;
            }
        };
        let judged = |value| (self.judge)(key, &text).map(|()| value);
        match parse(&text).and_then(judged) {
            Ok(value) => Some(value),
            Err(expected) if said.is_secret => {
                faults.push(format!("{}: {expected}", said.place));
                None
            }
            Err(expected) => {
                let text = quoted(&text);
                faults.push(format!("{}: {expected}, got {text}", said.place));
                None
            }
        }
    }

    /// Files are read only where no later layer says something else.
    fn text<'s>(&self, said: &'s Said) -> Result<Cow<'s, str>, String> {
        let path = match &said.value {
            Value::Text(text) => return Ok(Cow::Borrowed(text)),
            Value::InFile(path) => path,
        };
        // A path may hold anything, and a fault is one line.
        let mut text = (self.read_secret)(path)
            .map_err(|fault| fault.replace(char::is_control, "\u{fffd}"))?;
        // Editors and `echo` leave one.
        if text.ends_with('\n') {
            text.pop();
            if text.ends_with('\r') {
                text.pop();
            }
        }
        Ok(Cow::Owned(text))
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
