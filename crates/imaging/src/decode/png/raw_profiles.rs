//! EXIF as ImageMagick writes it into PNG: a text of hexadecimal digits under a keyword.

use std::io::Read;

use flate2::read::ZlibDecoder;

use crate::metadata::photoshop;

/// Of the text: more than EXIF takes in a JPEG, whose segments have 64 KiB.
const MAX_TEXT_BYTES: u64 = 160 << 10;

/// The EXIF block in a text chunk (`tEXt` or `zTXt`), if there is one.
pub(super) fn exif(kind: &[u8; 4], data: &[u8]) -> Option<Vec<u8>> {
    let rest = data.strip_prefix(b"Raw profile type ")?;
    let end = rest.iter().take(80).position(|byte| *byte == 0)?;
    let (name, text) = (&rest[..end], &rest[end + 1..]);
    let is_photoshop = name == b"8bim";
    if !(is_photoshop || name == b"exif" || name == b"APP1") {
        return None;
    }
    let mut digits = Vec::new();
    if kind == b"zTXt" {
        // After the method of compression, of which there is one.
        let inflated = ZlibDecoder::new(text.get(1..)?);
        inflated
            .take(MAX_TEXT_BYTES)
            .read_to_end(&mut digits)
            .ok()?;
    } else {
        digits.extend(text.iter().take(MAX_TEXT_BYTES as usize));
    }
    let block = decoded(&digits)?;
    if is_photoshop {
        return photoshop::exif(&block).map(<[u8]>::to_vec);
    }
    Some(block)
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

    #[test]
    fn digits_become_the_bytes_that_they_count() {
        let chunk =
            |name: &str, text: &str| format!("Raw profile type {name}\0{text}").into_bytes();
        for name in ["exif", "APP1"] {
            let data = chunk(name, "\nexif\n       4\n49492a\n00\n");
            assert_eq!(exif(b"tEXt", &data), Some(b"II*\0".to_vec()));
        }
        let resources = "3842494d042200000000000449492a00";
        let data = chunk("8bim", &format!("\n8bim\n      16\n{resources}\n"));
        assert_eq!(exif(b"tEXt", &data), Some(b"II*\0".to_vec()));
        for broken in [
            "",
            "\nexif\n",
            "\nexif\n5\n49492a00",
            "\nexif\n-1\n",
            "\nexif\n2\n4g00",
        ] {
            assert_eq!(exif(b"tEXt", &chunk("exif", broken)), None, "{broken}");
        }
        assert_eq!(exif(b"tEXt", &chunk("icc", "\nicc\n1\n00")), None);
        assert_eq!(exif(b"zTXt", &chunk("exif", "not deflated")), None);
    }
}
