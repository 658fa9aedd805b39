//! The terminal's other screen, which leaves what stood there before as it was.

use std::io::{self, Write};

use console::{Term, truncate_str};

const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
const HOME: &str = "\x1b[H";
const CLEAR_TO_END_OF_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

pub struct Screen {
    terminal: Term,
    is_entered: bool,
}

impl Screen {
    /// `None` if standard output is none.
    pub fn of_terminal() -> Option<Self> {
        let terminal = Term::stdout();
        terminal.is_term().then_some(Self {
            terminal,
            is_entered: false,
        })
    }

    pub fn enter(&mut self) -> io::Result<()> {
        self.write(ENTER)?;
        self.is_entered = true;
        Ok(())
    }

    /// Lines and columns.
    pub fn size(&self) -> (usize, usize) {
        let (height, width) = self.terminal.size();
        (height.into(), width.into())
    }

    /// In one write, so that it does not flicker.
    pub fn draw(&self, lines: &[String]) -> io::Result<()> {
        let mut text = HOME.to_owned();
        let (height, width) = self.size();
        for (index, line) in lines.iter().take(height.max(1)).enumerate() {
            if index > 0 {
                text.push_str("\r\n");
            }
            text.push_str(&truncate_str(line, width, "…"));
            text.push_str(CLEAR_TO_END_OF_LINE);
        }
        text.push_str(CLEAR_BELOW);
        self.write(&text)
    }

    fn write(&self, text: &str) -> io::Result<()> {
        let mut output = io::stdout().lock();
        output.write_all(text.as_bytes())?;
        output.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if self.is_entered {
            // If the terminal has gone, nobody can read a report of that.
            let _ = self.write(LEAVE);
        }
    }
}
