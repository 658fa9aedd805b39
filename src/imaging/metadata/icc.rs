//! Embedded ICC profiles: their name, and the way from their colours to sRGB.

use std::borrow::Cow;
use std::io::Read;

use moxcms::{
    ColorProfile, DataColorSpace, Layout as IccLayout, ParsingOptions, ProfileText,
    TransformOptions,
};

use super::shown_text;
use crate::imaging::header::EmbeddedProfile;

/// Largest difference to sRGB, in 1/255, at which a profile counts as sRGB. Many files carry
/// one of a dozen renderings of it.
const SRGB_TOLERANCE: u8 = 1;

/// A profile that could be read.
pub(crate) struct IccProfile {
    pub name: Option<String>,
    profile: ColorProfile,
}

impl IccProfile {
    /// Reads an embedded profile of at most `max_bytes`. What can't be read counts as none,
    /// as in browsers: the colours are then taken for sRGB.
    pub(crate) fn read(embedded: &EmbeddedProfile<'_>, max_bytes: usize) -> Option<Self> {
        let bytes = match embedded {
            EmbeddedProfile::None => return None,
            EmbeddedProfile::Plain(bytes) if bytes.len() > max_bytes => return None,
            EmbeddedProfile::Plain(bytes) => Cow::Borrowed(&**bytes),
            EmbeddedProfile::Deflated(stream) => Cow::Owned(inflate(stream, max_bytes)?),
        };
        let options = ParsingOptions {
            max_profile_size: max_bytes + 1,
            ..ParsingOptions::default()
        };
        let profile = ColorProfile::new_from_slice_with_options(&bytes, options).ok()?;
        Some(Self {
            name: profile.description.as_ref().and_then(name),
            profile,
        })
    }

    /// The number of channels of the colours that the profile describes; 0 for spaces that no
    /// image here uses.
    pub(crate) fn channels(&self) -> usize {
        match self.profile.color_space {
            DataColorSpace::Gray => 1,
            DataColorSpace::Rgb => 3,
            DataColorSpace::Cmyk => 4,
            _ => 0,
        }
    }

    /// Converts interleaved pixels of [`channels`](Self::channels) samples to sRGB. Inks count
    /// from 0 (none) to 255. `None` if the profile has no usable transform.
    pub(crate) fn to_srgb(&self, pixels: &[u8]) -> Option<Vec<u8>> {
        let source_layout = match self.channels() {
            1 => IccLayout::Gray,
            3 => IccLayout::Rgb,
            // moxcms takes four inks in the layout of RGBA.
            4 => IccLayout::Rgba,
            _ => return None,
        };
        let options = TransformOptions {
            rendering_intent: self.profile.rendering_intent,
            ..TransformOptions::default()
        };
        let transform = self
            .profile
            .create_transform_8bit(
                source_layout,
                &ColorProfile::new_srgb(),
                IccLayout::Rgb,
                options,
            )
            .ok()?;
        let mut rgb = vec![0; pixels.len() / self.channels() * 3];
        transform.transform(pixels, &mut rgb).ok()?;
        Some(rgb)
    }

    /// True if the profile gives what sRGB gives, so that nothing need be converted.
    pub(crate) fn is_srgb(&self) -> bool {
        if self.profile.color_space != DataColorSpace::Rgb || !self.profile.is_matrix_shaper() {
            return false;
        }
        let samples = [0_u8, 10, 30, 60, 100, 140, 180, 220, 255];
        let colours: Vec<u8> = samples
            .iter()
            .flat_map(|r| samples.iter().map(move |g| (r, g)))
            .flat_map(|(r, g)| samples.iter().flat_map(move |b| [*r, *g, *b]))
            .collect();
        self.to_srgb(&colours).is_some_and(|converted| {
            colours
                .iter()
                .zip(converted)
                .all(|(before, after)| before.abs_diff(after) <= SRGB_TOLERANCE)
        })
    }
}

fn inflate(stream: &[u8], max_bytes: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = max_bytes as u64 + 1;
    flate2::read::ZlibDecoder::new(stream)
        .take(limit)
        .read_to_end(&mut bytes)
        .ok()?;
    (bytes.len() <= max_bytes).then_some(bytes)
}

fn name(description: &ProfileText) -> Option<String> {
    match description {
        ProfileText::PlainString(text) => shown_text(text),
        ProfileText::Localizable(texts) => texts
            .iter()
            .find(|text| text.language == "en")
            .or(texts.first())
            .and_then(|text| shown_text(&text.value)),
        ProfileText::Description(text) => {
            shown_text(&text.ascii_string).or_else(|| shown_text(&text.unicode_string))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn embedded(profile: &ColorProfile) -> EmbeddedProfile<'static> {
        EmbeddedProfile::Plain(Cow::Owned(profile.encode().unwrap()))
    }

    #[test]
    fn srgb_is_known_and_named() {
        let profile = IccProfile::read(&embedded(&ColorProfile::new_srgb()), 4 << 20).unwrap();
        assert_eq!(profile.name.as_deref(), Some("sRGB IEC61966-2.1"));
        assert!(profile.is_srgb());
    }

    #[test]
    fn a_wider_gamut_is_not_taken_for_srgb() {
        for profile in [
            ColorProfile::new_display_p3(),
            ColorProfile::new_adobe_rgb(),
        ] {
            let profile = IccProfile::read(&embedded(&profile), 4 << 20).unwrap();
            assert!(!profile.is_srgb(), "{:?}", profile.name);
            let white = profile.to_srgb(&[255, 255, 255]).unwrap();
            assert!(white.iter().all(|sample| *sample >= 254), "{white:?}");
        }
    }

    #[test]
    fn a_deflated_profile_is_inflated_up_to_the_limit() {
        let bytes = ColorProfile::new_display_p3().encode().unwrap();
        let mut deflater = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        deflater.write_all(&bytes).unwrap();
        let deflated = deflater.finish().unwrap();
        assert!(IccProfile::read(&EmbeddedProfile::Deflated(&deflated), bytes.len()).is_some());
        assert!(IccProfile::read(&EmbeddedProfile::Deflated(&deflated), bytes.len() - 1).is_none());
    }

    #[test]
    fn what_is_no_profile_counts_as_none() {
        for bytes in [&b""[..], b"not a profile", &[0; 200]] {
            let embedded = EmbeddedProfile::Plain(Cow::Borrowed(bytes));
            assert!(IccProfile::read(&embedded, 4 << 20).is_none());
        }
    }
}
