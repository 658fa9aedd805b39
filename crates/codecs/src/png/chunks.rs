//! The chunks of a file (PNG, section 5).

const SIGNATURE_BYTES: usize = 8;
/// Length, type and checksum around a chunk's data.
const OVERHEAD_BYTES: usize = 12;

/// One chunk. The last one of a file may be cut off: its data is given as far as it goes.
#[derive(Clone, Copy)]
pub struct Chunk<'a> {
    pub kind: &'a [u8; 4],
    pub data: &'a [u8],
    /// None where the file ends before it.
    checksum: Option<u32>,
}

impl Chunk<'_> {
    /// Whether the checksum is there and fits type and data. Computed at each call.
    pub(super) fn is_sound(&self) -> bool {
        let mut crc = crc32fast::Hasher::new();
        crc.update(self.kind);
        crc.update(self.data);
        self.checksum == Some(crc.finalize())
    }

    pub(super) fn is_cut_off(&self) -> bool {
        self.checksum.is_none()
    }
}

/// Walks the chunks of a file.
#[derive(Clone)]
pub struct Chunks<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Chunks<'a> {
    /// Of a whole file; its signature is not looked at.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            position: SIGNATURE_BYTES,
        }
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Chunk<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (length, rest) = self.bytes.get(self.position..)?.split_first_chunk()?;
        let length = u32::from_be_bytes(*length) as usize;
        let (kind, rest) = rest.split_first_chunk()?;
        self.position = self
            .position
            .checked_add(OVERHEAD_BYTES)?
            .checked_add(length)?;
        let (data, rest) = rest.split_at(length.min(rest.len()));
        Some(Chunk {
            kind,
            data,
            checksum: rest.first_chunk().copied().map(u32::from_be_bytes),
        })
    }
}
