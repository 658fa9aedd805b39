//! The input, line by line: however long it is, only a few lines of it are held.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use tokio::sync::mpsc;

/// Stands for standard input.
pub const STANDARD_STREAM: &str = "-";
/// Of a line, in bytes; the API takes no longer body.
const LONGEST_LINE: usize = 64 * 1024;
/// Lines that are read ahead.
const AHEAD: usize = 64;

/// Where lines come from.
pub enum Input {
    Urls(Vec<String>),
    /// Standard input.
    Stream,
    /// With its size in bytes, if that is known.
    File(File, Option<u64>),
}

impl Input {
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let known = file.metadata()?;
        if known.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        Ok(Self::File(file, known.is_file().then_some(known.len())))
    }

    /// What the end of the progress is: URLs, or bytes.
    pub fn size(&self) -> Option<u64> {
        match self {
            Self::Urls(urls) => Some(urls.len() as u64),
            Self::Stream => None,
            Self::File(_, size) => *size,
        }
    }

    pub fn is_worth_resuming(&self) -> bool {
        match self {
            Self::Urls(urls) => urls.len() > 100,
            _ => true,
        }
    }
}

/// A line that is neither empty nor a comment.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// From 1.
    pub number: u64,
    /// How much of the input ends with it, in the unit of [`Input::size`].
    pub position: u64,
    /// Or why it can't be one.
    pub text: Result<String, &'static str>,
}

/// Reads in a thread of its own, since a read of standard input can't be interrupted. Ends with the
/// input, an error, or the receiver.
pub fn read(input: Input) -> mpsc::Receiver<io::Result<Line>> {
    let (lines, receiver) = mpsc::channel(AHEAD);
    std::thread::spawn(move || {
        let ended = match input {
            Input::Urls(urls) => {
                for (index, url) in urls.into_iter().enumerate() {
                    let number = index as u64 + 1;
                    let line = Line {
                        number,
                        position: number,
                        text: Ok(url.trim().to_owned()),
                    };
                    if lines.blocking_send(Ok(line)).is_err() {
                        return;
                    }
                }
                Ok(())
            }
            Input::Stream => send_all(io::stdin().lock(), &lines),
            Input::File(file, _) => send_all(BufReader::new(file), &lines),
        };
        if let Err(error) = ended {
            // The receiver may have gone, which is no fault.
            let _ = lines.blocking_send(Err(error));
        }
    });
    receiver
}

fn send_all(mut reader: impl BufRead, lines: &mpsc::Sender<io::Result<Line>>) -> io::Result<()> {
    let (mut number, mut position) = (0, 0);
    loop {
        let (bytes, length) = next_line(&mut reader)?;
        if length == 0 {
            return Ok(());
        }
        number += 1;
        position += length;
        let Some(text) = meaning(&bytes, number == 1) else {
            continue;
        };
        let line = Line {
            number,
            position,
            text,
        };
        if lines.blocking_send(Ok(line)).is_err() {
            return Ok(());
        }
    }
}

/// At most one byte more than the longest line, and how long the line is with its end.
fn next_line(reader: &mut impl BufRead) -> io::Result<(Vec<u8>, u64)> {
    let (mut kept, mut length) = (Vec::new(), 0);
    loop {
        let buffer = match reader.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            buffer => buffer?,
        };
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let piece = &buffer[..end.unwrap_or(buffer.len())];
        let room = LONGEST_LINE + 1 - kept.len();
        kept.extend_from_slice(&piece[..piece.len().min(room)]);
        let used = piece.len() + usize::from(end.is_some());
        reader.consume(used);
        length += used as u64;
        if used == 0 || end.is_some() {
            return Ok((kept, length));
        }
    }
}

/// `None` if there is nothing to submit in it.
fn meaning(bytes: &[u8], is_first: bool) -> Option<Result<String, &'static str>> {
    if bytes.len() > LONGEST_LINE {
        return Some(Err("the line has more than 64 KiB"));
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Some(Err("the line is not UTF-8"));
    };
    let text = match is_first {
        true => text.trim_start_matches('\u{feff}'),
        false => text,
    };
    let text = text.trim();
    (!text.is_empty() && !text.starts_with('#')).then(|| Ok(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(bytes: &[u8]) -> Vec<(u64, u64, Result<String, &'static str>)> {
        let (sender, mut receiver) = mpsc::channel(1000);
        send_all(bytes, &sender).unwrap();
        drop(sender);
        let mut lines = Vec::new();
        while let Ok(line) = receiver.try_recv() {
            let line = line.unwrap();
            lines.push((line.number, line.position, line.text));
        }
        lines
    }

    #[test]
    fn empty_lines_and_comments_are_skipped_and_counted() {
        let text = "\u{feff}a\r\n\n  # no\n \t b \nc".as_bytes();
        let (a, b, c) = ("a".to_owned(), "b".to_owned(), "c".to_owned());
        let expected = [(1, 6, Ok(a)), (4, 20, Ok(b)), (5, 21, Ok(c))];
        assert_eq!(lines_of(text), expected);
        assert_eq!(lines_of(b""), []);
    }

    #[test]
    fn a_line_that_is_too_long_or_no_text_is_a_fault_and_the_next_is_read() {
        let long = "x".repeat(LONGEST_LINE + 5);
        let text = [long.as_bytes(), b"\n\xff\nb\n"].concat();
        let lines = lines_of(&text);
        assert!(lines[0].2.as_ref().unwrap_err().contains("64 KiB"));
        assert!(lines[1].2.as_ref().unwrap_err().contains("UTF-8"));
        assert_eq!(lines[2].2, Ok("b".to_owned()));
    }
}
