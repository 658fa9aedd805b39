//! Writes TIFF files of any kind, good and bad.

/// The values of a field.
#[derive(Debug, Clone)]
pub enum Values {
    Bytes(Vec<u8>),
    Shorts(Vec<u16>),
    Longs(Vec<u32>),
    Fractions(Vec<(u32, u32)>),
}

/// A directory: its fields, which are written in order of their numbers, and its pixels.
#[derive(Clone, Default)]
pub struct Directory {
    pub fields: Vec<(u16, Values)>,
    /// Strips or tiles; the fields for their places and lengths are added.
    pub chunks: Vec<Vec<u8>>,
    pub is_tiled: bool,
    /// Directories that tag 330 points at.
    pub children: Vec<Directory>,
}

impl Directory {
    pub fn with(mut self, tag: u16, values: impl Into<Values>) -> Self {
        self.fields.retain(|(other, _)| *other != tag);
        self.fields.push((tag, values.into()));
        self
    }

    pub fn without(mut self, tag: u16) -> Self {
        self.fields.retain(|(other, _)| *other != tag);
        self
    }

    pub fn chunk(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.chunks.push(bytes.into());
        self
    }
}

impl From<u16> for Values {
    fn from(short: u16) -> Self {
        Self::Shorts(vec![short])
    }
}

impl From<&[u16]> for Values {
    fn from(shorts: &[u16]) -> Self {
        Self::Shorts(shorts.to_vec())
    }
}

impl From<u32> for Values {
    fn from(long: u32) -> Self {
        Self::Longs(vec![long])
    }
}

impl From<&[u8]> for Values {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

/// The file of a chain of directories. The order of bytes is that of `start`: `II*\0`, `MM\0*`, or
/// any other four bytes that begin so.
pub fn file(start: &[u8; 4], directories: &[Directory]) -> Vec<u8> {
    let mut writer = Writer {
        bytes: [&start[..], &[0; 4]].concat(),
        is_little_endian: start[0] == b'I',
    };
    let mut link = 4;
    for directory in directories {
        let at = writer.directory(directory);
        writer.patch(link, at.0);
        link = at.1;
    }
    writer.bytes
}

struct Writer {
    bytes: Vec<u8>,
    is_little_endian: bool,
}

impl Writer {
    fn short(&self, short: u16) -> [u8; 2] {
        if self.is_little_endian {
            short.to_le_bytes()
        } else {
            short.to_be_bytes()
        }
    }

    fn long(&self, long: u32) -> [u8; 4] {
        if self.is_little_endian {
            long.to_le_bytes()
        } else {
            long.to_be_bytes()
        }
    }

    fn patch(&mut self, at: usize, long: usize) {
        let long = self.long(long as u32);
        self.bytes[at..at + 4].copy_from_slice(&long);
    }

    /// Where it is, and where the place of the next one belongs.
    fn directory(&mut self, directory: &Directory) -> (usize, usize) {
        let mut fields = directory.fields.clone();
        if !directory.chunks.is_empty() {
            let mut places = Vec::new();
            for chunk in &directory.chunks {
                places.push(self.bytes.len() as u32);
                self.bytes.extend(chunk);
                self.bytes.resize(self.bytes.len().next_multiple_of(2), 0);
            }
            let lengths = directory
                .chunks
                .iter()
                .map(|chunk| chunk.len() as u32)
                .collect();
            let (at, length) = if directory.is_tiled {
                (324, 325)
            } else {
                (273, 279)
            };
            fields.push((at, Values::Longs(places)));
            fields.push((length, Values::Longs(lengths)));
        }
        let children = directory.children.iter();
        let children: Vec<u32> = children
            .map(|child| self.directory(child).0 as u32)
            .collect();
        if !children.is_empty() {
            fields.push((330, Values::Longs(children)));
        }
        fields.sort_by_key(|(tag, _)| *tag);
        let entries: Vec<Vec<u8>> = fields
            .iter()
            .map(|(tag, values)| self.entry(*tag, values))
            .collect();
        let at = self.bytes.len();
        self.bytes.extend(self.short(entries.len() as u16));
        self.bytes.extend(entries.concat());
        self.bytes.extend([0; 4]);
        (at, self.bytes.len() - 4)
    }

    fn entry(&mut self, tag: u16, values: &Values) -> Vec<u8> {
        let (kind, count, mut data) = match values {
            Values::Bytes(bytes) => (
                if bytes.ends_with(&[0]) { 2 } else { 7 },
                bytes.len(),
                bytes.clone(),
            ),
            Values::Shorts(shorts) => {
                let data = shorts.iter().flat_map(|short| self.short(*short)).collect();
                (3, shorts.len(), data)
            }
            Values::Longs(longs) => {
                let data = longs.iter().flat_map(|long| self.long(*long)).collect();
                (4, longs.len(), data)
            }
            Values::Fractions(fractions) => {
                let data = fractions
                    .iter()
                    .flat_map(|(a, b)| [self.long(*a), self.long(*b)].concat())
                    .collect();
                (5, fractions.len(), data)
            }
        };
        if data.len() > 4 {
            let at = self.bytes.len() as u32;
            self.bytes.extend(&data);
            self.bytes.resize(self.bytes.len().next_multiple_of(2), 0);
            data = self.long(at).to_vec();
        }
        data.resize(4, 0);
        [
            &self.short(tag)[..],
            &self.short(kind),
            &self.long(count as u32),
            &data,
        ]
        .concat()
    }
}
