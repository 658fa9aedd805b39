//! From the samples of AV1 to RGB, by ITU-T H.273.

use moxcms::{
    CicpColorPrimaries, CicpProfile, ColorProfile, MatrixCoefficients, TransferCharacteristics,
};
use thumbforge_av1::Row;

use super::container::Nclx;
use crate::error::ImagingError;
use crate::formats::Format;

/// Numbers of H.273.
const UNSPECIFIED: u16 = 2;
const BT709: u16 = 1;
const SRGB_TRANSFER: u8 = 13;

/// The ICC profile of colours that are not sRGB's.
///
/// The curves of BT.601, BT.709 and BT.2020 count as that of sRGB, as in browsers.
pub(super) fn profile(nclx: Option<Nclx>) -> Option<Vec<u8>> {
    let Nclx {
        primaries,
        transfer,
        ..
    } = nclx?;
    // 4 and 5 are plain powers, 8 is linear.
    let transfer = match transfer {
        4 | 5 | 8 => u8::try_from(transfer).ok()?,
        _ => SRGB_TRANSFER,
    };
    let is_srgb = matches!(primaries, BT709 | UNSPECIFIED) && transfer == SRGB_TRANSFER;
    if is_srgb {
        return None;
    }
    let primaries = match primaries {
        UNSPECIFIED => BT709,
        other => other,
    };
    let primaries = CicpColorPrimaries::try_from(u8::try_from(primaries).ok()?).ok()?;
    let mut profile = ColorProfile::new_srgb();
    profile.update_rgb_colorimetry_from_cicp(CicpProfile {
        color_primaries: primaries,
        transfer_characteristics: TransferCharacteristics::try_from(transfer).ok()?,
        matrix_coefficients: MatrixCoefficients::Identity,
        full_range: true,
    });
    // It describes itself: a reader of the profile need not know H.273.
    profile.cicp = None;
    profile.description = None;
    profile.encode().ok()
}

/// How the samples of a frame become RGB of 8 bits.
pub(super) struct Conversion {
    luma_scale: f32,
    luma_offset: f32,
    /// What the middle of chroma is, and how far it reaches.
    chroma_middle: f32,
    kind: Kind,
}

enum Kind {
    /// Factors of Cr to red, Cb and Cr to green, Cb to blue.
    Matrix {
        red: f32,
        green: (f32, f32),
        blue: f32,
    },
    /// The planes are green, blue and red.
    Identity { chroma_offset: f32 },
}

impl Conversion {
    /// For samples of so many bits.
    pub(super) fn new(matrix: u16, full_range: bool, bits: u8) -> Result<Self, ImagingError> {
        let unit = f32::from(1_u16 << (bits - 8));
        let most = f32::from((1_u16 << (bits - 1)) - 1) * 2.0 + 1.0;
        let (luma_scale, luma_offset, chroma_scale) = if full_range {
            (255.0 / most, 0.0, 255.0 / most)
        } else {
            (255.0 / (219.0 * unit), 16.0 * unit, 255.0 / (224.0 * unit))
        };
        let weights = match matrix {
            0 => None,
            1 | 12 => Some((0.2126, 0.0722)),
            4 => Some((0.30, 0.11)),
            // The default of writers that say nothing.
            2 | 3 | 5 | 6 => Some((0.299, 0.114)),
            7 => Some((0.212, 0.087)),
            9 => Some((0.2627, 0.0593)),
            _ => {
                return Err(ImagingError::UnsupportedKind {
                    format: Format::Avif,
                    kind: "a picture in unusual colours",
                });
            }
        };
        let kind = match weights {
            None => Kind::Identity {
                chroma_offset: luma_offset,
            },
            Some((red, blue)) => {
                let green: f32 = 1.0 - red - blue;
                let (from_cr, from_cb) = (2.0 * (1.0 - red), 2.0 * (1.0 - blue));
                Kind::Matrix {
                    red: from_cr * chroma_scale,
                    green: (
                        from_cb * blue / green * chroma_scale,
                        from_cr * red / green * chroma_scale,
                    ),
                    blue: from_cb * chroma_scale,
                }
            }
        };
        Ok(Self {
            luma_scale,
            luma_offset,
            chroma_middle: 128.0 * unit,
            kind,
        })
    }

    /// A sample of a plane without chroma.
    pub(super) fn grey(&self, sample: f32) -> u8 {
        to_byte((sample - self.luma_offset) * self.luma_scale)
    }

    /// Red, green and blue.
    #[inline]
    pub(super) fn rgb(&self, y: f32, cb: f32, cr: f32) -> [u8; 3] {
        let luma = (y - self.luma_offset) * self.luma_scale;
        match self.kind {
            Kind::Matrix { red, green, blue } => {
                let (cb, cr) = (cb - self.chroma_middle, cr - self.chroma_middle);
                [
                    to_byte(luma + red * cr),
                    to_byte(luma - green.0 * cb - green.1 * cr),
                    to_byte(luma + blue * cb),
                ]
            }
            Kind::Identity { chroma_offset } => {
                let other = |sample: f32| to_byte((sample - chroma_offset) * self.luma_scale);
                [other(cr), to_byte(luma), other(cb)]
            }
        }
    }
}

#[inline]
fn to_byte(value: f32) -> u8 {
    // A cast saturates.
    (value + 0.5) as u8
}

/// Copies a row into floats.
pub(super) fn floats(row: Row<'_>, out: &mut Vec<f32>) {
    out.clear();
    match row {
        Row::Bytes(samples) => out.extend(samples.iter().map(|sample| f32::from(*sample))),
        Row::Words(samples) => out.extend(samples.iter().map(|sample| f32::from(*sample))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn black_white_and_red_come_out_in_every_depth_and_range() {
        for bits in [8, 10, 12] {
            let unit = f32::from(1_u16 << (bits - 8));
            let most = 256.0 * unit - 1.0;
            for matrix in [1, 5, 6, 9] {
                let full = Conversion::new(matrix, true, bits).unwrap();
                let middle = 128.0 * unit;
                assert_eq!(full.rgb(0.0, middle, middle), [0; 3]);
                assert_eq!(full.rgb(most, middle, middle), [255; 3]);
                let limited = Conversion::new(matrix, false, bits).unwrap();
                assert_eq!(limited.rgb(16.0 * unit, middle, middle), [0; 3]);
                assert_eq!(limited.rgb(235.0 * unit, middle, middle), [255; 3]);
                assert_eq!(limited.grey(235.0 * unit), 255);
            }
            // Red of BT.601 in limited range: 81, 90, 240.
            let limited = Conversion::new(6, false, bits).unwrap();
            let [red, green, blue] = limited.rgb(81.0 * unit, 90.0 * unit, 240.0 * unit);
            assert!(
                red >= 253 && green <= 2 && blue <= 2,
                "{red} {green} {blue}"
            );
            let identity = Conversion::new(0, true, bits).unwrap();
            assert_eq!(identity.rgb(0.0, most, 0.0), [0, 0, 255]);
        }
        assert!(Conversion::new(14, true, 8).is_err());
    }

    #[test]
    fn only_colours_other_than_srgbs_have_a_profile() {
        let of = |primaries, transfer| {
            profile(Some(Nclx {
                primaries,
                transfer,
                matrix: 6,
                full_range: true,
            }))
        };
        for (primaries, transfer) in [(1, 13), (2, 2), (1, 1), (1, 16)] {
            assert!(of(primaries, transfer).is_none(), "{primaries} {transfer}");
        }
        for (primaries, transfer) in [(12, 13), (9, 14), (9, 16), (1, 8)] {
            assert!(of(primaries, transfer).is_some(), "{primaries} {transfer}");
        }
        assert!(profile(None).is_none());
    }
}
