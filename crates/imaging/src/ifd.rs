//! The directories of files that are built as TIFF is (TIFF 6.0, section 2; BigTIFF): found in
//! place, nothing is copied. Camera RAW files have other magic numbers and the same structure.

/// The most entries of a directory that are looked at; real ones have about 60.
const MAX_ENTRIES: u64 = 4096;

/// The whole file.
#[derive(Clone, Copy)]
pub(crate) struct Ifds<'a> {
    pub bytes: &'a [u8],
    pub is_little_endian: bool,
    /// Offsets and counts have eight bytes.
    pub is_big: bool,
}

/// One directory, and where the next one is.
#[derive(Clone, Copy)]
pub(crate) struct Ifd<'a> {
    file: Ifds<'a>,
    entries: &'a [u8],
    next: u64,
}

/// The values of a field, as far as the file holds them.
#[derive(Clone, Copy)]
pub(crate) struct Field<'a> {
    file: Ifds<'a>,
    kind: u16,
    /// Where its data lies, if it is not within the entry.
    at: Option<usize>,
    /// As declared.
    pub count: u64,
    pub data: &'a [u8],
}

impl<'a> Ifds<'a> {
    /// TIFF, BigTIFF, and what Olympus (`RO`, `RS`) and Panasonic (`U`) made of TIFF.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let is_little_endian = match bytes.get(..2)? {
            b"II" => true,
            b"MM" => false,
            _ => return None,
        };
        let mut file = Self {
            bytes,
            is_little_endian,
            is_big: false,
        };
        file.is_big = match file.number(bytes.get(2..4)?) {
            42 | 0x4f52 | 0x5352 | 0x55 => false,
            43 => true,
            _ => return None,
        };
        Some(file)
    }

    /// The directory of the first picture.
    pub(crate) fn first(self) -> Option<Ifd<'a>> {
        let at = if self.is_big { 8..16 } else { 4..8 };
        self.at(self.number(self.bytes.get(at)?))
    }

    /// A part of the file whose offsets count from its beginning, to the end of the file.
    pub(crate) fn from(self, start: usize) -> Option<Self> {
        let bytes = self.bytes.get(start..)?;
        Some(Self { bytes, ..self })
    }

    pub(crate) fn at(self, offset: u64) -> Option<Ifd<'a>> {
        let rest = self.bytes.get(usize::try_from(offset).ok()?..)?;
        let count_bytes = if self.is_big { 8 } else { 2 };
        let count = self.number(rest.get(..count_bytes)?);
        if count > MAX_ENTRIES {
            return None;
        }
        let rest = &rest[count_bytes..];
        let end = (count as usize * self.entry_bytes()).min(rest.len());
        let (entries, rest) = rest.split_at(end);
        let next = rest.get(..self.offset_bytes());
        Some(Ifd {
            file: self,
            entries,
            next: next.map_or(0, |next| self.number(next)),
        })
    }

    const fn entry_bytes(self) -> usize {
        if self.is_big { 20 } else { 12 }
    }

    const fn offset_bytes(self) -> usize {
        if self.is_big { 8 } else { 4 }
    }

    /// Of up to eight bytes, in the file's order.
    fn number(self, bytes: &[u8]) -> u64 {
        let shift_in = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        if self.is_little_endian {
            bytes.iter().rev().fold(0, shift_in)
        } else {
            bytes.iter().fold(0, shift_in)
        }
    }
}

impl<'a> Ifd<'a> {
    /// The directory after this one.
    pub(crate) fn next(self) -> Option<Self> {
        (self.next != 0).then(|| self.file.at(self.next)).flatten()
    }

    /// The structure that it is a part of.
    pub(crate) fn file(self) -> Ifds<'a> {
        self.file
    }

    pub(crate) fn field(self, tag: u16) -> Option<Field<'a>> {
        let file = self.file;
        let entry = self
            .entries
            .chunks_exact(file.entry_bytes())
            .find(|entry| file.number(&entry[..2]) == u64::from(tag))?;
        let kind = file.number(&entry[2..4]) as u16;
        let (count, value) = entry[4..].split_at(file.offset_bytes());
        let count = file.number(count);
        let bytes = count.checked_mul(value_bytes(kind)? as u64)?;
        let (at, data) = if bytes <= value.len() as u64 {
            (None, &value[..bytes as usize])
        } else {
            let place = usize::try_from(file.number(value)).ok()?;
            let rest = file.bytes.get(place..)?;
            let data = &rest[..rest.len().min(usize::try_from(bytes).ok()?)];
            (Some(place), data)
        };
        Some(Field {
            file,
            kind,
            at,
            count,
            data,
        })
    }

    /// The first number of a field.
    pub(crate) fn number(self, tag: u16) -> Option<u64> {
        self.field(tag)?.get(0)
    }

    /// The directories that a field points at, at most `max`.
    pub(crate) fn children(self, tag: u16, max: usize) -> impl Iterator<Item = Self> {
        let field = self.field(tag);
        let numbers = field.into_iter().flat_map(Field::numbers).take(max);
        numbers.filter_map(move |offset| self.file.at(offset))
    }
}

impl Field<'_> {
    /// Where its bytes lie in the file and how many there are; `None` if they are within the entry,
    /// or numbers.
    pub(crate) fn place(self) -> Option<(u64, u64)> {
        let is_bytes = value_bytes(self.kind) == Some(1);
        let at = self.at.filter(|_| is_bytes)?;
        Some((at as u64, self.count))
    }

    /// The number at `index`; the numerator of a fraction, not of a float.
    pub(crate) fn get(self, index: usize) -> Option<u64> {
        let bytes = value_bytes(self.kind)?;
        let value = self.data.get(index.checked_mul(bytes)?..)?.get(..bytes)?;
        match self.kind {
            RATIONAL | SIGNED_RATIONAL => Some(self.file.number(&value[..4])),
            FLOAT | DOUBLE => None,
            _ => Some(self.file.number(value)),
        }
    }

    pub(crate) fn numbers(self) -> impl Iterator<Item = u64> {
        (0..).map_while(move |index| self.get(index))
    }

    /// As [`get`](Self::get), with fractions and floats.
    pub(crate) fn real(self, index: usize) -> Option<f64> {
        let bytes = value_bytes(self.kind)?;
        let value = self.data.get(index.checked_mul(bytes)?..)?.get(..bytes)?;
        let number = self.file.number(value);
        Some(match self.kind {
            RATIONAL => {
                let (numerator, denominator) = value.split_at(4);
                self.file.number(numerator) as f64 / self.file.number(denominator) as f64
            }
            FLOAT => f32::from_bits(number as u32).into(),
            DOUBLE => f64::from_bits(number),
            SIGNED_RATIONAL => return None,
            _ => number as f64,
        })
    }
}

const RATIONAL: u16 = 5;
const SIGNED_RATIONAL: u16 = 10;
const FLOAT: u16 = 11;
const DOUBLE: u16 = 12;

/// By type; 13, 16, 17 and 18 are those of directories and BigTIFF.
const fn value_bytes(kind: u16) -> Option<usize> {
    Some(match kind {
        1 | 2 | 6 | 7 => 1,
        3 | 8 => 2,
        4 | 9 | FLOAT | 13 => 4,
        RATIONAL | SIGNED_RATIONAL | DOUBLE | 16..=18 => 8,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_in_either_byte_order_and_size() {
        let little = b"II*\0\x08\0\0\0\x01\0\x00\x01\x03\0\x02\0\0\0\x07\0\x09\0\0\0\0\0";
        let big = b"MM\0+\0\x08\0\0\0\0\0\0\0\0\0\x10\0\0\0\0\0\0\0\x01\
            \x01\0\0\x03\0\0\0\0\0\0\0\x02\0\x07\0\x09\0\0\0\0\0\0\0\0\0\0\0\0";
        for bytes in [&little[..], big] {
            let first = Ifds::read(bytes).unwrap().first().unwrap();
            let field = first.field(0x100).unwrap();
            assert_eq!(field.numbers().collect::<Vec<_>>(), [7, 9]);
            assert_eq!(first.number(0x101), None);
            assert!(first.next().is_none());
        }
    }

    #[test]
    fn what_lies_beyond_the_file_is_not_there() {
        let outside = b"II*\0\x08\0\0\0\x01\0\x00\x01\x04\0\x09\0\0\0\xff\xff\0\0\0\0\0\0";
        let first = Ifds::read(outside).unwrap().first().unwrap();
        assert_eq!(first.number(0x100), None);
        for cut in 0..outside.len() {
            if let Some(first) = Ifds::read(&outside[..cut]).and_then(Ifds::first) {
                assert_eq!(first.number(0x100), None);
            }
        }
    }
}
