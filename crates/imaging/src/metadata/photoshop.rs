//! Photoshop's image resources ("8BIM"), in which EXIF may be.

/// "EXIF data 1" (Adobe Photoshop File Formats Specification, image resource IDs).
const EXIF: u16 = 0x0422;

/// The EXIF block among resources.
pub(crate) fn exif(mut resources: &[u8]) -> Option<&[u8]> {
    loop {
        let rest = resources.strip_prefix(b"8BIM")?;
        let (id, rest) = rest.split_first_chunk()?;
        // A name with its length before it, both padded to an even number of bytes.
        let name_bytes = (1 + usize::from(*rest.first()?)).next_multiple_of(2);
        let (size, rest) = rest.get(name_bytes..)?.split_first_chunk()?;
        let size = u32::from_be_bytes(*size) as usize;
        let data = rest.get(..size)?;
        if u16::from_be_bytes(*id) == EXIF {
            return Some(data);
        }
        resources = rest.get(size.checked_next_multiple_of(2)?..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exif_is_found_behind_other_resources() {
        let first = b"8BIM\x04\x04\x03abc\0\0\0\x03xyz\0";
        let second = b"8BIM\x04\x22\0\0\0\0\0\x04II*\0";
        assert_eq!(exif(&[&first[..], second].concat()), Some(&b"II*\0"[..]));
        assert_eq!(exif(first), None);
        assert_eq!(exif(&second[..second.len() - 1]), None);
        assert_eq!(exif(b"8BIM\x04\x04\0\0\xff\xff\xff\xff"), None);
    }
}
