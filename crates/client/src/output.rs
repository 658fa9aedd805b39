//! What goes to standard output: lines, tables, fields, JSON.

use std::io::{IsTerminal, Write};

use clap::Args;
use serde_json::{Value, json};

use crate::trouble::{Trouble, is_harmful, printable};

/// How results are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
pub struct Shape {
    /// Print JSON as the API answers it; of a list, one item a line
    #[arg(long, global = true)]
    pub json: bool,
}

/// JSON in one line. What could move the cursor of a terminal is escaped, which to JSON is the same.
pub fn json_text(value: &Value) -> String {
    let text = value.to_string();
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match is_harmful(c) {
            // Such characters stand in strings alone, and each is one unit of UTF-16.
            true => escaped.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => escaped.push(c),
        }
    }
    escaped
}

/// One line of JSON.
pub fn json(value: &Value) -> Result<(), Trouble> {
    line(json_text(value))
}

/// One line of data.
pub fn line(text: impl std::fmt::Display) -> Result<(), Trouble> {
    writeln!(std::io::stdout(), "{text}").map_err(Into::into)
}

impl Shape {
    /// One object.
    pub fn show(self, object: &Value) -> Result<(), Trouble> {
        if self.json {
            return json(object);
        }
        let mut text = String::new();
        fields(object, 0, &mut text);
        write!(std::io::stdout(), "{text}").map_err(Into::into)
    }

    /// An object that is no more.
    pub fn deleted(self, id: &str) -> Result<(), Trouble> {
        match self.json {
            true => json(&json!({"id": id, "deleted": true})),
            false => line(format_args!("{}\tdeleted", printable(id))),
        }
    }

    /// A page of a list, in these columns: heading, and where in the item the value is. Pages after
    /// the first have no headings.
    pub fn list(
        self,
        items: &[Value],
        columns: &[(&str, &str)],
        has_headings: bool,
    ) -> Result<(), Trouble> {
        if self.json {
            return items.iter().try_for_each(json);
        }
        let text = table(&rows(items, columns, has_headings));
        write!(std::io::stdout(), "{text}").map_err(Into::into)
    }
}

/// The cells of a [`table`]: in each column, its heading, and from each item the value at its
/// pointer.
pub fn rows(items: &[Value], columns: &[(&str, &str)], has_headings: bool) -> Vec<Vec<String>> {
    let headings = columns.iter().map(|(heading, _)| (*heading).to_owned());
    let headings = has_headings.then(|| headings.collect());
    let rows = items.iter().map(|item| {
        let cells = columns.iter().map(|(_, pointer)| cell(item, pointer));
        cells.collect()
    });
    headings.into_iter().chain(rows).collect()
}

/// A value in a table or a line.
pub fn cell(item: &Value, pointer: &str) -> String {
    match item.pointer(pointer) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => printable(text),
        Some(Value::Number(number)) if number.is_f64() => {
            format!("{:.2}", number.as_f64().unwrap_or_default())
        }
        Some(Value::Array(list)) => {
            let words: Vec<_> = list.iter().map(|item| cell(item, "")).collect();
            words.join(",")
        }
        Some(other) => printable(&other.to_string()),
    }
}

/// Columns as wide as their widest cell; the last is not padded.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// One member a line, those of objects within moved to the right.
fn fields(value: &Value, depth: usize, text: &mut String) {
    let Value::Object(members) = value else {
        text.push_str(&format!(
            "{:indent$}{}\n",
            "",
            cell(value, ""),
            indent = depth * 2
        ));
        return;
    };
    for (name, member) in members {
        let name = printable(name);
        let indent = depth * 2;
        let is_list_of_objects = |list: &Vec<Value>| list.iter().any(Value::is_object);
        match member {
            Value::Object(inner) if !inner.is_empty() => {
                text.push_str(&format!("{:indent$}{name}:\n", ""));
                fields(member, depth + 1, text);
            }
            Value::Array(list) if is_list_of_objects(list) => {
                for (index, item) in list.iter().enumerate() {
                    text.push_str(&format!("{:indent$}{name} {}:\n", "", index + 1));
                    fields(item, depth + 1, text);
                }
            }
            other => {
                text.push_str(&format!("{:indent$}{name}: {}\n", "", cell(other, "")));
            }
        }
    }
}

/// Asks on a terminal. Without one the answer has to be on the command line.
pub fn confirmed(question: &str, yes: bool) -> Result<bool, Trouble> {
    if yes {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        return Err(Trouble::Usage(anyhow::anyhow!(
            "{question} Nobody can be asked here: add --yes"
        )));
    }
    write!(std::io::stderr(), "{question} [y/N] ")?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_have_no_blanks_at_their_end() {
        let rows = [["ID", "URL"], ["long id", "x"]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(table(&rows), "ID       URL\nlong id  x\n");
    }

    #[test]
    fn json_moves_no_cursor_and_keeps_its_meaning() {
        let value = json!({"a\u{9b}b": "\u{202e}\u{7f}\u{1b}\n\u{200d}ü😀"});
        let text = json_text(&value);
        assert_eq!(text, r#"{"a\u009bb":"\u202e\u007f\u001b\n\u200dü😀"}"#);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    #[test]
    fn members_are_lines_and_what_is_within_them_is_moved() {
        let mut text = String::new();
        let value = json!({"id": 1, "tags": ["a", "b"], "result": {"w": 2.5, "e": null}, "log": [{"x": true}]});
        fields(&value, 0, &mut text);
        let mut lines: Vec<_> = text.lines().collect();
        lines.sort_unstable();
        assert_eq!(
            lines,
            [
                "  e: -",
                "  w: 2.50",
                "  x: true",
                "id: 1",
                "log 1:",
                "result:",
                "tags: a,b"
            ]
        );
    }
}
