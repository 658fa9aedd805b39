//! EXIF as ImageMagick writes it into PNG: a text of hexadecimal digits under a keyword.

use std::io::Read;

use flate2::read::ZlibDecoder;

use crate::metadata::{ExifFacts, photoshop};

/// Of the text: more than EXIF takes in a JPEG, whose segments have 64 KiB.
const MAX_TEXT_BYTES: u64 = 160 << 10;

/// A text that holds EXIF by its keyword. Reading one costs a thousand times as much as finding it,
/// so that a file may have only one of them read.
pub(super) struct RawProfile<'a> {
    text: &'a [u8],
    is_deflated: bool,
    is_photoshop: bool,
}

impl<'a> RawProfile<'a> {
    /// The one in a text chunk (`tEXt` or `zTXt`), if there is one.
    pub(super) fn of(kind: &[u8; 4], data: &'a [u8]) -> Option<Self> {
        let rest = data.strip_prefix(b"Raw profile type ")?;
        let end = rest.iter().take(80).position(|byte| *byte == 0)?;
        let (name, text) = (&rest[..end], &rest[end + 1..]);
        let is_photoshop = name == b"8bim";
        (is_photoshop || name == b"exif" || name == b"APP1").then_some(Self {
            text,
            is_deflated: kind == b"zTXt",
            is_photoshop,
        })
    }

    pub(super) fn exif(&self) -> Option<ExifFacts> {
        let block = decoded(&self.digits()?)?;
        let exif = if self.is_photoshop {
            photoshop::exif(&block)?
        } else {
            &block
        };
        Some(ExifFacts::read(exif))
    }

    fn digits(&self) -> Option<Vec<u8>> {
        let mut digits = Vec::new();
        if self.is_deflated {
            // After the method of compression, of which there is one.
            let inflated = ZlibDecoder::new(self.text.get(1..)?);
            inflated
                .take(MAX_TEXT_BYTES)
                .read_to_end(&mut digits)
                .ok()?;
        } else {
            digits.extend(self.text.iter().take(MAX_TEXT_BYTES as usize));
        }
        Some(digits)
    }
}

/// After a line break the name again, then how many bytes there are, then their digits in lines.
fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut parts = text
        .split(u8::is_ascii_whitespace)
        .filter(|part| !part.is_empty());
    let (_, count) = (parts.next()?, parts.next()?);
    let count: usize = std::str::from_utf8(count).ok()?.parse().ok()?;
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let digits: Option<Vec<u32>> = parts.flatten().map(digit).collect();
    let block: Vec<u8> = digits?
        .chunks_exact(2)
        .map(|pair| (pair[0] << 4 | pair[1]) as u8)
        .take(count)
        .collect();
    (block.len() == count).then_some(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(name: &str, text: &str) -> Vec<u8> {
        format!("Raw profile type {name}\0{text}").into_bytes()
    }

    fn orientation(kind: &[u8; 4], data: &[u8]) -> Option<u8> {
        Some(RawProfile::of(kind, data)?.exif()?.orientation)
    }

    /// A TIFF that says 6, in digits.
    const BLOCK: &str = "49492a0008000000010012010300010000000600000000000000";

    #[test]
    fn digits_become_the_bytes_that_they_count() {
        let digits = format!("\n{}\n{}", &BLOCK[..20], &BLOCK[20..]);
        for name in ["exif", "APP1"] {
            let data = chunk(name, &format!("\n{name}\n      26{digits}\n"));
            assert_eq!(orientation(b"tEXt", &data), Some(6));
        }
        let resources = format!("3842494d0422000000000 01a{BLOCK}").replace(' ', "");
        let count = resources.len() / 2;
        let data = chunk("8bim", &format!("\n8bim\n{count}\n{resources}\n"));
        assert_eq!(orientation(b"tEXt", &data), Some(6));
        for broken in [
            "",
            "\nexif\n",
            "\nexif\n5\n49492a00",
            "\nexif\n-1\n",
            "\nexif\n2\n4g00",
        ] {
            assert_eq!(
                orientation(b"tEXt", &chunk("exif", broken)),
                None,
                "{broken}"
            );
        }
        assert!(RawProfile::of(b"tEXt", &chunk("icc", "\nicc\n1\n00")).is_none());
        assert_eq!(orientation(b"zTXt", &chunk("exif", "not deflated")), None);
    }
}
