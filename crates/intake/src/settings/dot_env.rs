//! Reads the text of `.env`.

use std::cell::Cell;
use std::io::Read;

/// The variables of a text in their order, and one line for each fault.
pub(super) fn parse(file: &str, text: &str) -> (Vec<(String, String)>, Vec<String>) {
    let line = Cell::new(0);
    let lines = LineByLine {
        rest: text.as_bytes(),
        line: &line,
    };
    let mut variables = Vec::new();
    let mut faults = Vec::new();
    for variable in dotenvy::from_read_iter(lines) {
        match variable {
            Ok(variable) => variables.push(variable),
            // Not the error's own text: it quotes the line, and there may be a password in it.
            Err(_) => faults.push(format!(
                "{file}, line {}: expected NAME=value, with a value that holds spaces in quotes",
                line.get()
            )),
        }
    }
    (variables, faults)
}

/// Hands out one line a call, so that the number of the line being parsed is known.
struct LineByLine<'a> {
    rest: &'a [u8],
    line: &'a Cell<usize>,
}

impl Read for LineByLine<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let end_of_line = self.rest.iter().position(|byte| *byte == b'\n');
        let available = end_of_line.map_or(self.rest.len(), |index| index + 1);
        let taken = available.min(buffer.len());
        if taken == available && taken > 0 {
            self.line.set(self.line.get() + 1);
        }
        buffer[..taken].copy_from_slice(&self.rest[..taken]);
        self.rest = &self.rest[taken..];
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_quotes_and_exports_are_understood() {
        let (variables, faults) = parse(".env", "# c\nexport A=1\nB='x y' # c\nC=\"z\"\n\nD=");
        assert_eq!(faults, [""; 0]);
        let texts: Vec<_> = variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(texts, [("A", "1"), ("B", "x y"), ("C", "z"), ("D", "")]);
    }

    #[test]
    fn each_broken_line_is_told_by_its_number() {
        let (variables, faults) = parse(".env", "A=1\nB=x y\nC=2\nD='open\nE=3");
        assert_eq!(variables.len(), 2);
        let lines: Vec<_> = faults
            .iter()
            .filter_map(|fault| fault.split(':').next())
            .collect();
        assert_eq!(lines, [".env, line 2", ".env, line 5"]);
    }
}
