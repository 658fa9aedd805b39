//! The chunks that tell what a PNG's colours are (PNG, third edition, section 4.3): `cICP` comes
//! before `iCCP`, that before `sRGB`, and that before `gAMA` and `cHRM`.

use std::borrow::Cow;

use crate::decode::be_u32;
use crate::header::EmbeddedProfile;
use crate::metadata::Colorimetry;

/// What was found of each; of several of a kind the first.
#[derive(Default)]
pub(super) struct Colours<'a> {
    cicp: Option<&'a [u8]>,
    /// The zlib stream.
    iccp: Option<&'a [u8]>,
    is_srgb: bool,
    gama: Option<&'a [u8]>,
    chrm: Option<&'a [u8]>,
}

/// In `gAMA` and `cHRM`.
const ONE: f64 = 100_000.0;

impl<'a> Colours<'a> {
    pub(super) fn add(&mut self, kind: &[u8; 4], data: &'a [u8]) {
        match kind {
            b"cICP" => _ = self.cicp.get_or_insert(data),
            b"iCCP" if self.iccp.is_none() => self.iccp = deflated_profile(data),
            b"sRGB" => self.is_srgb = true,
            b"gAMA" => _ = self.gama.get_or_insert(data),
            b"cHRM" => _ = self.chrm.get_or_insert(data),
            _ => {}
        }
    }

    pub(super) fn profile(&self) -> EmbeddedProfile<'a> {
        if let Some(colorimetry) = self.cicp.and_then(code_points) {
            return EmbeddedProfile::Described(colorimetry);
        }
        if let Some(stream) = self.iccp {
            return EmbeddedProfile::Deflated(Cow::Borrowed(stream));
        }
        if self.is_srgb {
            return EmbeddedProfile::None;
        }
        let exponent = self.gama.and_then(|data| be_u32(data, 0));
        let exponent = exponent.map(|exponent| f64::from(exponent) / ONE);
        let primaries = self.chrm.and_then(chromaticities);
        Colorimetry::of_light(exponent, primaries)
            .filter(|colorimetry| !colorimetry.is_srgb())
            .map_or(EmbeddedProfile::None, EmbeddedProfile::Described)
    }
}

/// `None` for what is unknown, or coded as luma and chroma, which no PNG is.
fn code_points(data: &[u8]) -> Option<Colorimetry> {
    match *data {
        [primaries, transfer, 0, range @ (0 | 1)] => {
            Colorimetry::of_code_points(primaries, transfer, range == 1)
        }
        _ => None,
    }
}

fn chromaticities(data: &[u8]) -> Option<[[f64; 2]; 4]> {
    let mut pairs = [[0.0; 2]; 4];
    for (index, value) in pairs.iter_mut().flatten().enumerate() {
        *value = f64::from(be_u32(data, 4 * index)?) / ONE;
    }
    Some(pairs)
}

/// The zlib stream of an `iCCP` chunk: after a name, its NUL and the compression method.
fn deflated_profile(data: &[u8]) -> Option<&[u8]> {
    let name_end = data.iter().take(80).position(|byte| *byte == 0)?;
    data.get(name_end + 2..)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(chunks: &[(&[u8; 4], &'static [u8])]) -> EmbeddedProfile<'static> {
        let mut colours = Colours::default();
        for (kind, data) in chunks {
            colours.add(kind, data);
        }
        colours.profile()
    }

    #[test]
    fn the_more_exact_chunk_comes_first() {
        const CICP: (&[u8; 4], &[u8]) = (b"cICP", &[12, 13, 0, 1]);
        const ICCP: (&[u8; 4], &[u8]) = (b"iCCP", b"name\0\0stream");
        const SRGB: (&[u8; 4], &[u8]) = (b"sRGB", &[0]);
        // 1.0: light itself.
        const GAMA: (&[u8; 4], &[u8]) = (b"gAMA", &[0, 1, 0x86, 0xa0]);
        let is_described = |found: EmbeddedProfile<'_>, expected: Option<Colorimetry>| matches!(found, EmbeddedProfile::Described(found) if Some(found) == expected);
        let p3 = Colorimetry::of_code_points(12, 13, true);
        assert!(is_described(profile(&[GAMA, SRGB, ICCP, CICP]), p3));
        assert!(matches!(
            profile(&[GAMA, SRGB, ICCP]),
            EmbeddedProfile::Deflated(_)
        ));
        assert!(matches!(profile(&[GAMA, SRGB]), EmbeddedProfile::None));
        assert!(is_described(
            profile(&[GAMA]),
            Colorimetry::of_light(Some(1.0), None)
        ));
        assert!(matches!(profile(&[]), EmbeddedProfile::None));
        // YCbCr, reserved, short.
        for unusable in [&[12, 13, 1, 1][..], &[12, 3, 0, 1], &[12, 13, 0]] {
            let found = profile(&[(b"cICP", unusable), ICCP]);
            assert!(
                matches!(found, EmbeddedProfile::Deflated(_)),
                "{unusable:?}"
            );
        }
    }
}
