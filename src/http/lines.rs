//! Cuts a stream of bytes into lines, in bounded memory.

use actix_web::web::{Buf, Bytes, BytesMut};

/// A line, without what ends it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Whole(Bytes),
    /// It has more bytes than a line may have.
    TooLong,
}

/// The lines of the bytes that were pushed so far. Lines of white space alone are left out.
pub(super) struct Lines {
    longest: usize,
    /// What came last, and was not yet looked at.
    chunk: Bytes,
    /// The beginning of a line that is not whole yet.
    begun: BytesMut,
    is_too_long: bool,
}

impl Lines {
    pub(super) fn new(longest: usize) -> Self {
        Self {
            longest,
            chunk: Bytes::new(),
            begun: BytesMut::new(),
            is_too_long: false,
        }
    }

    /// Call [`Self::next`] until it gives none before the next push.
    pub(super) fn push(&mut self, chunk: Bytes) {
        self.chunk = chunk;
    }

    pub(super) fn next(&mut self) -> Option<Line> {
        loop {
            let Some(end) = self.chunk.iter().position(|byte| *byte == b'\n') else {
                let rest = std::mem::take(&mut self.chunk);
                self.begin(&rest);
                return None;
            };
            let part = self.chunk.split_to(end);
            self.chunk.advance(1);
            let is_begun = self.is_too_long || !self.begun.is_empty();
            let line = match is_begun {
                true => {
                    self.begin(&part);
                    self.take()
                }
                false if part.len() > self.longest => Some(Line::TooLong),
                false => whole(part),
            };
            if line.is_some() {
                return line;
            }
        }
    }

    /// The last line, which need not have an end.
    pub(super) fn last(&mut self) -> Option<Line> {
        self.take()
    }

    fn begin(&mut self, part: &[u8]) {
        if self.is_too_long || self.begun.len() + part.len() > self.longest {
            self.is_too_long = true;
            self.begun = BytesMut::new();
        } else {
            self.begun.extend_from_slice(part);
        }
    }

    fn take(&mut self) -> Option<Line> {
        let begun = std::mem::take(&mut self.begun).freeze();
        match std::mem::take(&mut self.is_too_long) {
            true => Some(Line::TooLong),
            false => whole(begun),
        }
    }
}

fn whole(line: Bytes) -> Option<Line> {
    (!line.trim_ascii().is_empty()).then_some(Line::Whole(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &'static [u8], step: usize) -> Vec<Line> {
        let mut lines = Lines::new(4);
        let mut found = Vec::new();
        for chunk in text.chunks(step) {
            lines.push(Bytes::from_static(chunk));
            found.extend(std::iter::from_fn(|| lines.next()));
        }
        found.extend(lines.last());
        found
    }

    #[test]
    fn lines_are_the_same_however_the_bytes_come() {
        let whole = |text: &'static str| Line::Whole(Bytes::from_static(text.as_bytes()));
        for step in 1..30 {
            let found = cut(b"a\nbcde\n\n \r\nbcdef\r\nxyxyxyxyx\nf\n", step);
            let expected = [
                whole("a"),
                whole("bcde"),
                Line::TooLong,
                Line::TooLong,
                whole("f"),
            ];
            assert_eq!(found, expected, "{step}");
            assert_eq!(cut(b"a\nb", step), [whole("a"), whole("b")], "{step}");
            assert_eq!(cut(b"\n\nabcde", step), [Line::TooLong], "{step}");
            assert_eq!(cut(b"", step), []);
        }
    }
}
