//! Embedded ICC profiles: their name, and the conversion of their colours to sRGB.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io::Read;
use std::rc::Rc;
use std::sync::Arc;

use moxcms::{
    ColorProfile, DataColorSpace, Layout as IccLayout, ParsingOptions, Transform8BitExecutor,
    TransformOptions,
};

use super::colorimetry::Colorimetry;
use super::icc_tags::IccTags;
use super::shown_text;
use crate::header::{EmbeddedProfile, declared_bytes};

/// Largest difference to sRGB, in 1/255, at which a profile counts as sRGB. Many files carry
/// one of a dozen renderings of it.
const SRGB_TOLERANCE: u8 = 1;

/// Profiles that a thread keeps prepared: most images carry one of very few, and the tables of
/// a conversion take longer to build than a thumbnail takes to convert.
const KEPT_PROFILES: usize = 4;
/// Larger ones, of printers mostly, are prepared each time.
const MAX_KEPT_BYTES: usize = 16 << 10;

thread_local! {
    /// The most recent last.
    static KEPT: RefCell<Vec<(Vec<u8>, Rc<IccProfile>)>> = const { RefCell::new(Vec::new()) };
}

/// A profile that could be read, or its description in numbers, with the conversion to sRGB.
pub struct IccProfile {
    /// Its description.
    pub name: Option<String>,
    conversion: Conversion,
    is_srgb: bool,
}

enum Conversion {
    Described(Colorimetry),
    Profile {
        color_space: DataColorSpace,
        /// `None` if the profile has no usable transform.
        to_srgb: Option<Arc<Transform8BitExecutor>>,
    },
}

impl IccProfile {
    /// Reads an embedded profile of at most `max_bytes`. What can't be read counts as none,
    /// as in browsers: the colours are then taken for sRGB.
    pub fn read(embedded: &EmbeddedProfile<'_>, max_bytes: usize) -> Option<Rc<Self>> {
        let bytes = match embedded {
            EmbeddedProfile::None => return None,
            EmbeddedProfile::Plain(bytes) if bytes.len() > max_bytes => return None,
            EmbeddedProfile::Plain(bytes) => Cow::Borrowed(&**bytes),
            EmbeddedProfile::Deflated(stream) => Cow::Owned(inflate(stream, max_bytes)?),
            EmbeddedProfile::Described(colorimetry) => {
                return Some(Rc::new(Self {
                    name: None,
                    conversion: Conversion::Described(*colorimetry),
                    is_srgb: colorimetry.is_srgb(),
                }));
            }
        };
        if bytes.len() > MAX_KEPT_BYTES {
            return Self::prepare(&bytes).map(Rc::new);
        }
        KEPT.with_borrow_mut(|kept| {
            if let Some(index) = kept.iter().position(|(known, _)| *known == *bytes) {
                kept[index..].rotate_left(1);
            } else {
                let profile = Rc::new(Self::prepare(&bytes)?);
                if kept.len() == KEPT_PROFILES {
                    kept.remove(0);
                }
                kept.push((bytes.into_owned(), profile));
            }
            kept.last().map(|(_, profile)| Rc::clone(profile))
        })
    }

    fn prepare(bytes: &[u8]) -> Option<Self> {
        let tags = IccTags::read(bytes)?;
        let needed = tags.for_conversion()?;
        let options = ParsingOptions {
            max_profile_size: needed.len() + 1,
            ..ParsingOptions::default()
        };
        let profile = ColorProfile::new_from_slice_with_options(&needed, options).ok()?;
        let to_srgb = transform(&profile);
        let is_srgb = profile.is_matrix_shaper() && to_srgb.as_ref().is_some_and(changes_nothing);
        Some(Self {
            name: tags.name().and_then(|name| shown_text(&name)),
            conversion: Conversion::Profile {
                color_space: profile.color_space,
                to_srgb,
            },
            is_srgb,
        })
    }

    /// Converts interleaved pixels of this many samples to sRGB. Inks count from 0 (none) to 255.
    /// `None` if the profile has no usable transform, or describes other channels; a profile of RGB
    /// describes grey too.
    pub fn to_srgb(&self, pixels: &[u8], channels: usize) -> Option<Vec<u8>> {
        let (described, to_srgb) = match &self.conversion {
            Conversion::Described(colorimetry) => {
                let is_light = matches!(channels, 1 | 3);
                return is_light.then(|| colorimetry.to_srgb(pixels, channels));
            }
            Conversion::Profile {
                color_space,
                to_srgb,
            } => (self::channels(*color_space), to_srgb.as_ref()?),
        };
        let pixels = match (channels, described) {
            (1, 3) => Cow::Owned(pixels.iter().flat_map(|grey| [*grey; 3]).collect()),
            _ if channels == described => Cow::Borrowed(pixels),
            _ => return None,
        };
        let mut rgb = vec![0; pixels.len() / described.max(1) * 3];
        to_srgb.transform(&pixels, &mut rgb).ok()?;
        Some(rgb)
    }

    /// True if the profile gives what sRGB gives, so that nothing need be converted.
    pub fn is_srgb(&self) -> bool {
        self.is_srgb
    }
}

fn channels(space: DataColorSpace) -> usize {
    match space {
        DataColorSpace::Gray => 1,
        DataColorSpace::Rgb => 3,
        DataColorSpace::Cmyk => 4,
        _ => 0,
    }
}

fn transform(profile: &ColorProfile) -> Option<Arc<Transform8BitExecutor>> {
    let source_layout = match channels(profile.color_space) {
        1 => IccLayout::Gray,
        3 => IccLayout::Rgb,
        // moxcms takes four inks in the layout of RGBA.
        4 => IccLayout::Rgba,
        _ => return None,
    };
    let options = TransformOptions {
        rendering_intent: profile.rendering_intent,
        ..TransformOptions::default()
    };
    let srgb = ColorProfile::new_srgb();
    profile
        .create_transform_8bit(source_layout, &srgb, IccLayout::Rgb, options)
        .ok()
}

/// Tries a conversion of RGB on a grid of colours.
fn changes_nothing(transform: &Arc<Transform8BitExecutor>) -> bool {
    let samples = [0_u8, 10, 30, 60, 100, 140, 180, 220, 255];
    let colours: Vec<u8> = samples
        .iter()
        .flat_map(|r| samples.iter().map(move |g| (r, g)))
        .flat_map(|(r, g)| samples.iter().flat_map(move |b| [*r, *g, *b]))
        .collect();
    let mut converted = vec![0; colours.len()];
    transform.transform(&colours, &mut converted).is_ok()
        && colours
            .iter()
            .zip(converted)
            .all(|(before, after)| before.abs_diff(after) <= SRGB_TOLERANCE)
}

/// The number of bytes that the profile declares; `None` if there are fewer, or `max_bytes` are too
/// few.
fn inflate(stream: &[u8], max_bytes: usize) -> Option<Vec<u8>> {
    let mut inflated = flate2::read::ZlibDecoder::new(stream);
    let length = declared_bytes(&mut inflated)?;
    if length > max_bytes {
        return None;
    }
    let mut bytes = Vec::with_capacity(length);
    bytes.extend((length as u32).to_be_bytes());
    let rest = length.checked_sub(bytes.len())?;
    inflated.take(rest as u64).read_to_end(&mut bytes).ok()?;
    (bytes.len() == length).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use moxcms::ToneReprCurve;
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
            let white = profile.to_srgb(&[255, 255, 255], 3).unwrap();
            assert!(white.iter().all(|sample| *sample >= 254), "{white:?}");
        }
    }

    #[test]
    fn a_deflated_profile_is_inflated_up_to_the_limit() {
        let bytes = ColorProfile::new_display_p3().encode().unwrap();
        let mut deflater = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        deflater.write_all(&bytes).unwrap();
        let deflated = deflater.finish().unwrap();
        assert!(
            IccProfile::read(
                &EmbeddedProfile::Deflated(deflated.as_slice().into()),
                bytes.len()
            )
            .is_some()
        );
        assert!(
            IccProfile::read(
                &EmbeddedProfile::Deflated(deflated.as_slice().into()),
                bytes.len() - 1
            )
            .is_none()
        );
    }

    #[test]
    fn a_plain_profile_beyond_the_limit_is_not_read() {
        let bytes = ColorProfile::new_display_p3().encode().unwrap();
        let plain = EmbeddedProfile::Plain(Cow::Borrowed(&bytes));
        assert!(IccProfile::read(&plain, bytes.len()).is_some());
        assert!(IccProfile::read(&plain, bytes.len() - 1).is_none());
    }

    #[test]
    fn a_thread_keeps_the_latest_profiles() {
        let gammas: Vec<_> = (0..=KEPT_PROFILES)
            .map(|step| {
                let mut profile = ColorProfile::new_srgb();
                let gamma = ToneReprCurve::Lut(vec![256 + 16 * step as u16]);
                profile.red_trc = Some(gamma.clone());
                profile.green_trc = Some(gamma.clone());
                profile.blue_trc = Some(gamma);
                embedded(&profile)
            })
            .collect();
        let read = |index: usize| IccProfile::read(&gammas[index], 4 << 20).unwrap();
        let first = read(0);
        for index in 1..=KEPT_PROFILES {
            read(index);
            assert!(Rc::ptr_eq(&first, &read(0)), "{index}");
        }
        let oldest = read(1);
        assert!(KEPT.with_borrow(|kept| kept.len() == KEPT_PROFILES));
        assert!(Rc::ptr_eq(&oldest, &read(1)));
    }

    #[test]
    fn what_is_no_profile_counts_as_none() {
        for bytes in [&b""[..], b"not a profile", &[0; 200]] {
            let embedded = EmbeddedProfile::Plain(Cow::Borrowed(bytes));
            assert!(IccProfile::read(&embedded, 4 << 20).is_none());
        }
    }

    /// A profile of sRGB with these tags before its own.
    fn with_tags(names: &[&[u8; 4]], data: &[u8]) -> Vec<u8> {
        let own = ColorProfile::new_srgb().encode().unwrap();
        let own_count = u32::from_be_bytes(own[128..132].try_into().unwrap()) as usize;
        let added = names.len() * 12;
        let mut profile = own[..128].to_vec();
        profile.extend(((own_count + names.len()) as u32).to_be_bytes());
        for name in names {
            profile.extend_from_slice(*name);
            profile.extend(((own.len() + added) as u32).to_be_bytes());
            profile.extend((data.len() as u32).to_be_bytes());
        }
        for entry in own[132..132 + own_count * 12].chunks_exact(12) {
            let offset = u32::from_be_bytes(entry[4..8].try_into().unwrap()) + added as u32;
            profile.extend_from_slice(&entry[..4]);
            profile.extend(offset.to_be_bytes());
            profile.extend_from_slice(&entry[8..]);
        }
        profile.extend_from_slice(&own[132 + own_count * 12..]);
        profile.extend_from_slice(data);
        profile
    }

    fn read_in_time(profile: Vec<u8>) -> Option<Rc<IccProfile>> {
        let begun = std::time::Instant::now();
        let read = IccProfile::read(&EmbeddedProfile::Plain(Cow::Owned(profile)), 4 << 20);
        assert!(begun.elapsed().as_millis() < 2_000, "{:?}", begun.elapsed());
        read
    }

    #[test]
    fn the_perceptual_table_stands_in_for_that_of_the_profiles_own_intent() {
        let needed = |mut profile: Vec<u8>, intent: u8| {
            profile[64..68].copy_from_slice(&[0, 0, 0, intent]);
            IccTags::read(&profile).unwrap().for_conversion().unwrap()
        };
        let holds = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|at| at == part);
        for (intent, name) in [(0, b"A2B0"), (1, b"A2B1"), (2, b"A2B2"), (3, b"A2B1")] {
            let alone = needed(with_tags(&[b"A2B0"], b"mft1 a table"), intent);
            assert!(holds(&alone, name) && holds(&alone, b"mft1 a table"));
        }
        let both = needed(with_tags(&[b"A2B0", b"A2B1"], b"mft1 a table"), 1);
        assert!(holds(&both, b"A2B1") && !holds(&both, b"A2B0"));
    }

    #[test]
    fn records_of_a_name_that_share_their_bytes_are_not_copied_each() {
        // Copies of each would take 100 GB.
        let (records, bytes) = (100_000_u32, 1_000_000_u32);
        let mut name = b"mluc\0\0\0\0".to_vec();
        name.extend(records.to_be_bytes());
        name.extend(12_u32.to_be_bytes());
        for _ in 0..records {
            name.extend_from_slice(b"enUS");
            name.extend(bytes.to_be_bytes());
            name.extend((16 + 12 * records).to_be_bytes());
        }
        name.extend(b"\0a".repeat(bytes as usize / 2));
        let profile = read_in_time(with_tags(&[b"desc"], &name)).unwrap();
        assert_eq!(profile.name.as_deref(), Some(&*"a".repeat(200)));
        assert!(profile.is_srgb());
    }

    #[test]
    fn texts_that_share_their_bytes_are_not_copied_each() {
        let mut text = b"text\0\0\0\0".to_vec();
        text.resize(2 << 20, 0x80);
        let profile = read_in_time(with_tags(&[b"cprt"; 80], &text)).unwrap();
        assert!(profile.is_srgb());
        // Copies of each would take 40 GB of work.
        assert!(read_in_time(with_tags(&[b"cprt"; 20_000], &text)).is_none());
    }
}
