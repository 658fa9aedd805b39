//! Rows of pixels as a BMP stores them, to RGB or RGBA.

/// How the pixels of a row are stored.
#[derive(Debug)]
pub(super) enum Pixels {
    /// Bits a pixel, the first in the highest ones.
    Indexed(u8, Palette),
    /// Blue, green and red in the first of so many bytes.
    Bgr(usize),
    /// Bytes a pixel, and where in them its channels are.
    Masked(usize, Masks),
}

impl Pixels {
    pub(super) fn has_alpha(&self) -> bool {
        matches!(self, Self::Masked(_, masks) if masks.alpha.mask > 0)
    }

    /// Bytes of a row with its padding to four bytes, and without.
    pub(super) fn row_bytes(&self, width: u32) -> (usize, usize) {
        let bits = match self {
            Self::Indexed(bits, _) => usize::from(*bits),
            Self::Bgr(bytes) | Self::Masked(bytes, _) => 8 * bytes,
        };
        let used = (width as usize * bits).div_ceil(8);
        (used.next_multiple_of(4), used)
    }

    pub(super) fn read_row(&self, stored: &[u8], out: &mut [u8]) {
        match self {
            Self::Indexed(bits, palette) => {
                let in_a_byte = usize::from(8 / bits);
                let mask = ((1_u16 << bits) - 1) as u8;
                for (byte, out) in stored.iter().zip(out.chunks_mut(3 * in_a_byte)) {
                    for (place, out) in (1..).zip(out.chunks_exact_mut(3)) {
                        let index = byte.unbounded_shr(8 - u32::from(*bits) * place) & mask;
                        out.copy_from_slice(&palette.colour(index));
                    }
                }
            }
            Self::Bgr(bytes) => {
                for (pixel, out) in stored.chunks_exact(*bytes).zip(out.chunks_exact_mut(3)) {
                    out.copy_from_slice(&[pixel[2], pixel[1], pixel[0]]);
                }
            }
            Self::Masked(bytes, masks) => {
                let channels = if self.has_alpha() { 4 } else { 3 };
                for (pixel, out) in stored
                    .chunks_exact(*bytes)
                    .zip(out.chunks_exact_mut(channels))
                {
                    let word = word(pixel);
                    let [r, g, b] = &masks.colours;
                    out[..3].copy_from_slice(&[r.value(word), g.value(word), b.value(word)]);
                    if let Some(alpha) = out.get_mut(3) {
                        *alpha = masks.alpha.value(word);
                    }
                }
            }
        }
    }

    /// Whether there is an alpha channel that is zero in all rows: its writer meant nothing by it.
    pub(super) fn is_clear_everywhere<'r>(
        &self,
        mut rows: impl Iterator<Item = &'r [u8]>,
        used: usize,
    ) -> bool {
        let Self::Masked(bytes, masks) = self else {
            return false;
        };
        let is_clear = |pixel: &[u8]| word(pixel) & masks.alpha.mask == 0;
        self.has_alpha()
            && rows.all(|row| {
                row[..used.min(row.len())]
                    .chunks_exact(*bytes)
                    .all(is_clear)
            })
    }
}

fn word(pixel: &[u8]) -> u32 {
    pixel
        .iter()
        .rev()
        .fold(0, |word, byte| word << 8 | u32::from(*byte))
}

/// The colours of indices, as RGB.
#[derive(Debug, Clone)]
pub(super) struct Palette(Box<[[u8; 3]; 256]>);

impl Palette {
    /// Of at most `count` entries, which begin with blue. An index beyond them is black.
    pub(super) fn new(bytes: &[u8], entry_bytes: usize, count: usize) -> Self {
        let mut colours = Box::new([[0; 3]; 256]);
        let entries = bytes.chunks_exact(entry_bytes).take(count);
        for (colour, entry) in colours.iter_mut().zip(entries) {
            *colour = [entry[2], entry[1], entry[0]];
        }
        Self(colours)
    }

    pub(super) fn colour(&self, index: u8) -> [u8; 3] {
        self.0[usize::from(index)]
    }
}

/// Which bits of a pixel are its channels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Masks {
    colours: [Channel; 3],
    alpha: Channel,
}

impl Masks {
    pub(super) const FIVE_BITS: Self = Self::new([0x7C00, 0x3E0, 0x1F, 0]);
    pub(super) const BYTES: Self = Self::new([0xFF_0000, 0xFF00, 0xFF, 0]);

    pub(super) const fn new([r, g, b, a]: [u32; 4]) -> Self {
        Self {
            colours: [Channel::new(r), Channel::new(g), Channel::new(b)],
            alpha: Channel::new(a),
        }
    }

    /// `default`, where no colour has a mask.
    pub(super) fn or(self, default: Self) -> Self {
        if self.colours.iter().all(|channel| channel.mask == 0) {
            default
        } else {
            self
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Channel {
    mask: u32,
    /// Down to at most eight bits.
    shift: u32,
    /// Of what is left.
    largest: u32,
}

impl Channel {
    const fn new(mask: u32) -> Self {
        if mask == 0 {
            return Self {
                mask,
                shift: 0,
                largest: 255,
            };
        }
        let (low, high) = (mask.trailing_zeros(), 32 - mask.leading_zeros());
        let shift = if high - low > 8 { high - 8 } else { low };
        Self {
            mask,
            shift,
            largest: mask >> shift,
        }
    }

    fn value(&self, word: u32) -> u8 {
        let value = (word & self.mask) >> self.shift;
        if self.largest == 255 {
            value as u8
        } else {
            ((value * 255 + self.largest / 2) / self.largest) as u8
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rgb(pixels: &Pixels, stored: &[u8], channels: usize, width: usize) -> Vec<u8> {
        let mut out = vec![0; width * channels];
        pixels.read_row(stored, &mut out);
        out
    }

    #[test]
    fn indices_of_any_width_find_their_colour() {
        let entries: Vec<u8> = (0..=255).flat_map(|index| [index, 0, index, 0]).collect();
        for (bits, stored, expected) in [
            (1, &[0b1010_0000_u8][..], &[1, 0, 1][..]),
            (2, &[0b1101_1000], &[3, 1, 2]),
            (4, &[0xA5, 0x30], &[10, 5, 3]),
            (8, &[7, 8, 255], &[7, 8, 255]),
        ] {
            let pixels = Pixels::Indexed(bits, Palette::new(&entries, 4, 256));
            let expected: Vec<u8> = expected
                .iter()
                .flat_map(|index| [*index, 0, *index])
                .collect();
            assert_eq!(rgb(&pixels, stored, 3, 3), expected, "{bits} bits");
        }
        let short = Pixels::Indexed(8, Palette::new(&entries, 4, 7));
        assert_eq!(rgb(&short, &[6, 7], 3, 2), [6, 0, 6, 0, 0, 0]);
    }

    #[test]
    fn masks_of_any_width_give_bytes() {
        let masked = |bytes, masks| Pixels::Masked(bytes, Masks::new(masks));
        let five_six = masked(2, [0xF800, 0x7E0, 0x1F, 0]);
        assert_eq!(rgb(&five_six, &[0xFF, 0xFF], 3, 1), [255; 3]);
        assert_eq!(rgb(&five_six, &0x0861_u16.to_le_bytes(), 3, 1), [8, 12, 8]);
        let ten = masked(4, [0x3FF, 0xF_FC00, 0x3FF0_0000, 0xC000_0000]);
        let word = 0x3FF_u32 | 0x200 << 10 | 0x001 << 20 | 1 << 30;
        assert_eq!(rgb(&ten, &word.to_le_bytes(), 4, 1), [255, 128, 0, 85]);
        assert!(ten.is_clear_everywhere([&[255, 255, 255, 0x3F][..]].into_iter(), 4));
        assert!(!ten.is_clear_everywhere([&[0, 0, 0, 0x40][..]].into_iter(), 4));
    }
}
