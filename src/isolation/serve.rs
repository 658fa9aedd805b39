//! The child's own side: it locks itself, greets, and decodes what it is given until there is no
//! more.

use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;

use anyhow::Context;
use rustix::io::Errno;
use thumbforge_imaging::Scratch;
use thumbforge_imaging::confined::{ORDER_HEAD_BYTES, Order};
use thumbforge_lockdown::{Limits, LockError, Locked};

/// The length of a greeting.
pub(super) const GREETING_BYTES: usize = 256;
const MAGIC: &[u8; 8] = b"TFDECODE";
const LOCKED: u8 = 1;
const LOCKED_WITHOUT_LANDLOCK: u8 = 2;
const REFUSED: u8 = 3;

/// What a child says first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Greeting {
    Locked {
        has_landlock: bool,
    },
    /// It reads nothing.
    Refused {
        sentence: String,
    },
}

impl Greeting {
    fn of(locked: &Result<Locked, LockError>) -> [u8; GREETING_BYTES] {
        let (code, sentence) = match locked {
            Ok(Locked { has_landlock: true }) => (LOCKED, String::new()),
            Ok(_) => (LOCKED_WITHOUT_LANDLOCK, String::new()),
            Err(error) => (REFUSED, error.to_string()),
        };
        let mut bytes = [0; GREETING_BYTES];
        let text = MAGIC.iter().chain([&code]).chain(sentence.as_bytes());
        for (place, byte) in bytes.iter_mut().zip(text) {
            *place = *byte;
        }
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8; GREETING_BYTES]) -> Option<Self> {
        let (code, sentence) = bytes.strip_prefix(MAGIC)?.split_first()?;
        match *code {
            LOCKED => Some(Self::Locked { has_landlock: true }),
            LOCKED_WITHOUT_LANDLOCK => Some(Self::Locked {
                has_landlock: false,
            }),
            REFUSED => {
                let sentence = String::from_utf8_lossy(sentence);
                let shown = sentence.chars().filter(|letter| !letter.is_control());
                Some(Self::Refused {
                    sentence: shown.collect(),
                })
            }
            _ => None,
        }
    }
}

/// Locks this process, then decodes until its input ends.
///
/// # Errors
/// A process that can't be locked, or a pipe that fails.
pub fn serve(limits: &Limits) -> anyhow::Result<()> {
    let locked = thumbforge_lockdown::lock(limits);
    let mut output = Output(rustix::stdio::stdout());
    output.write_all(&Greeting::of(&locked))?;
    locked?;
    let mut input = Input(rustix::stdio::stdin());
    let mut scratch = Scratch::default();
    while let Some(head) = next_head(&mut input)? {
        let order = Order::from_bytes(&head).context("the order makes no sense")?;
        let mut source = vec![0; order.source_bytes()];
        input.read_exact(&mut source)?;
        order.carry_out(&source, &mut scratch, &mut output)?;
    }
    Ok(())
}

/// `None` at the end of the input: the parent needs it no more.
fn next_head(input: &mut impl Read) -> io::Result<Option<[u8; ORDER_HEAD_BYTES]>> {
    let mut head = [0; ORDER_HEAD_BYTES];
    let (first, rest) = head.split_at_mut(1);
    if input.read(first)? == 0 {
        return Ok(None);
    }
    input.read_exact(rest)?;
    Ok(Some(head))
}

/// The standard streams without the buffers and locks of the library.
struct Input(BorrowedFd<'static>);
struct Output(BorrowedFd<'static>);

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        rustix::io::read(self.0, buffer).map_err(Errno::into)
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        rustix::io::write(self.0, bytes).map_err(Errno::into)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greeting_is_read_back_and_anything_else_is_none() {
        let yes = Ok(Locked { has_landlock: true });
        assert_eq!(
            Greeting::from_bytes(&Greeting::of(&yes)),
            Some(Greeting::Locked { has_landlock: true })
        );
        let no = Err(LockError::Refused {
            step: "seccomp",
            cause: "x".repeat(1000),
        });
        let Some(Greeting::Refused { sentence }) = Greeting::from_bytes(&Greeting::of(&no)) else {
            panic!("a refusal stays one");
        };
        assert!(sentence.starts_with("seccomp failed: xxx"), "{sentence}");
        assert_eq!(Greeting::from_bytes(&[0; GREETING_BYTES]), None);
        assert_eq!(Greeting::from_bytes(&[b'T'; GREETING_BYTES]), None);
    }
}
