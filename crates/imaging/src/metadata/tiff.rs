//! The fields of a TIFF directory (TIFF 6.0, section 2), found in place: nothing is copied, and
//! only requested fields are followed.

#[derive(Clone, Copy)]
pub(super) struct Tiff<'a> {
    bytes: &'a [u8],
    is_little_endian: bool,
}

/// The 12-byte entries of a directory, as far as they lie within the block.
#[derive(Clone, Copy)]
pub(super) struct Directory<'a> {
    tiff: Tiff<'a>,
    entries: &'a [u8],
}

const ENTRY_BYTES: usize = 12;
const BYTE: u16 = 1;
const ASCII: u16 = 2;
const SHORT: u16 = 3;
const LONG: u16 = 4;
const SIGNED_BYTE: u16 = 6;
const UNDEFINED: u16 = 7;
const SIGNED_SHORT: u16 = 8;
const SIGNED_LONG: u16 = 9;

impl<'a> Tiff<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let is_little_endian = match bytes.get(..4)? {
            b"II*\0" => true,
            b"MM\0*" => false,
            _ => return None,
        };
        Some(Self {
            bytes,
            is_little_endian,
        })
    }

    /// A camera RAW file of this structure, whatever number is in its header.
    pub(super) fn of_file(bytes: &'a [u8]) -> Option<Self> {
        let is_little_endian = match bytes.get(..2)? {
            b"II" => true,
            b"MM" => false,
            _ => return None,
        };
        Some(Self {
            bytes,
            is_little_endian,
        })
    }

    /// The directory of the image itself; those of its previews follow it.
    pub(super) fn first(self) -> Option<Directory<'a>> {
        self.directory(self.long(self.bytes.get(4..8)?)?)
    }

    fn directory(self, offset: u32) -> Option<Directory<'a>> {
        let rest = self.bytes.get(offset as usize..)?;
        let bytes = usize::from(self.short(rest.get(..2)?)?) * ENTRY_BYTES;
        let entries = &rest[2..];
        Some(Directory {
            tiff: self,
            entries: &entries[..entries.len().min(bytes)],
        })
    }

    fn short(self, bytes: &[u8]) -> Option<u16> {
        let bytes = bytes.try_into().ok()?;
        Some(if self.is_little_endian {
            u16::from_le_bytes(bytes)
        } else {
            u16::from_be_bytes(bytes)
        })
    }

    fn long(self, bytes: &[u8]) -> Option<u32> {
        let bytes = bytes.try_into().ok()?;
        Some(if self.is_little_endian {
            u32::from_le_bytes(bytes)
        } else {
            u32::from_be_bytes(bytes)
        })
    }
}

impl<'a> Directory<'a> {
    /// The directory that a field points at.
    pub(super) fn directory(self, tag: u16) -> Option<Self> {
        self.tiff.directory(self.number(tag)?)
    }

    /// The first number of a field, of any whole type; a negative one as its bits are.
    pub(super) fn number(self, tag: u16) -> Option<u32> {
        let (kind, count, value) = self.field(tag)?;
        match kind {
            _ if count == 0 => None,
            // Values that do not fit into the entry are elsewhere.
            BYTE | SIGNED_BYTE if count <= 4 => Some(value[0].into()),
            SHORT | SIGNED_SHORT if count <= 2 => self.tiff.short(&value[..2]).map(u32::from),
            LONG | SIGNED_LONG if count == 1 => self.tiff.long(value),
            _ => None,
        }
    }

    /// A text up to its first NUL, at most `max_bytes` of it. Some writers give it another type of
    /// bytes than that of texts.
    pub(super) fn text(self, tag: u16, max_bytes: usize) -> Option<&'a [u8]> {
        let (kind, count, value) = self.field(tag)?;
        if !matches!(kind, ASCII | BYTE | UNDEFINED) {
            return None;
        }
        let count = count as usize;
        let text = if count <= 4 {
            &value[..count]
        } else {
            let offset = self.tiff.long(value)? as usize;
            self.tiff.bytes.get(offset..offset.checked_add(count)?)?
        };
        let text = &text[..text.len().min(max_bytes)];
        text.split(|byte| *byte == 0).next()
    }

    /// Type, number of values, and the four bytes that hold them or their place.
    fn field(self, tag: u16) -> Option<(u16, u32, &'a [u8])> {
        let entry = self
            .entries
            .chunks_exact(ENTRY_BYTES)
            .find(|entry| self.tiff.short(&entry[..2]) == Some(tag))?;
        Some((
            self.tiff.short(&entry[2..4])?,
            self.tiff.long(&entry[4..8])?,
            &entry[8..],
        ))
    }
}
