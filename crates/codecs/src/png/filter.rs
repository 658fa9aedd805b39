//! The filters of PNG (section 9), a row at a time.

/// How the bytes of a row are predicted from those to the left and above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    None,
    Sub,
    Up,
    Average,
    Paeth,
}

impl Filter {
    /// The filter that stands as `byte` before a row.
    pub fn from_byte(byte: u8) -> Option<Self> {
        [Self::None, Self::Sub, Self::Up, Self::Average, Self::Paeth]
            .get(usize::from(byte))
            .copied()
    }

    /// Whether a byte of a row waits for the one before it.
    pub(super) fn uses_left(self) -> bool {
        !matches!(self, Self::None | Self::Up)
    }

    /// Turns the filtered bytes of one row into samples, `bpp` bytes a pixel.
    pub(super) fn unfilter(self, bpp: usize, above: &[u8], raw: &[u8], out: &mut [u8]) {
        match self {
            Self::None => out.copy_from_slice(raw),
            Self::Up => {
                for ((out, raw), up) in out.iter_mut().zip(raw).zip(above) {
                    *out = raw.wrapping_add(*up);
                }
            }
            Self::Sub => predict(bpp, above, raw, out, |left, _, _| left),
            Self::Average => predict(bpp, above, raw, out, |left, up, _| {
                ((u16::from(left) + u16::from(up)) >> 1) as u8
            }),
            Self::Paeth => predict(bpp, above, raw, out, paeth),
        }
    }
}

fn predict(
    bpp: usize,
    above: &[u8],
    raw: &[u8],
    out: &mut [u8],
    predicted: impl Fn(u8, u8, u8) -> u8,
) {
    for at in 0..raw.len() {
        let (left, upper_left) = match at.checked_sub(bpp) {
            Some(before) => (out[before], above[before]),
            None => (0, 0),
        };
        out[at] = raw[at].wrapping_add(predicted(left, above[at], upper_left));
    }
}

/// As the specification has it (section 9.4).
fn paeth(left: u8, up: u8, upper_left: u8) -> u8 {
    let [a, b, c] = [left, up, upper_left].map(i16::from);
    let estimate = a + b - c;
    let [to_a, to_b, to_c] = [a, b, c].map(|sample| (estimate - sample).abs());
    if to_a <= to_b && to_a <= to_c {
        left
    } else if to_b <= to_c {
        up
    } else {
        upper_left
    }
}
