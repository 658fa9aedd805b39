//! A source whose header was read: its facts, the needs of its variants, and its pixels.

use std::rc::Rc;

use super::decode::{self, Decoded};
use super::error::ImagingError;
use super::header::Header;
use super::limits::Limits;
use super::metadata::IccProfile;
use super::picture::Scratch;
use super::plan::{Plan, PlanError};
use super::render::{Picture, orient};
use super::source_image::SourceImage;
use super::variant::Variant;

/// The bytes of an image, and what their header declares.
pub struct Source<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) header: Header<'a>,
}

/// The contents of a header, apart from the bytes: for a source that waits.
pub struct Inspected(Header<'static>);

impl<'a> Source<'a> {
    /// Reads the header of an image. Cheap: no pixel is decoded, no profile is inflated.
    ///
    /// # Errors
    /// Not an image, a broken header, or an image beyond `limits`. [`ImagingError::NeedsLockdown`]:
    /// another process has to measure it, see [`Unmeasured`](crate::confined::Unmeasured).
    pub fn open(bytes: &'a [u8], limits: &Limits) -> Result<Self, ImagingError> {
        Ok(Self {
            bytes,
            header: decode::inspect(bytes, limits)?,
        })
    }

    /// Puts the source aside, without reading its header again later.
    pub fn into_inspected(self) -> Inspected {
        Inspected(self.header.into_owned())
    }

    /// Takes up a source that was put aside. `bytes` must be those with which it was opened.
    pub fn resume(bytes: &'a [u8], inspected: Inspected) -> Self {
        Self {
            bytes,
            header: inspected.0,
        }
    }

    /// The bytes that it was opened with.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The facts in the header; whether the file is truncated shows only when it is decoded.
    pub fn facts(&self) -> SourceImage {
        self.describe(None, false)
    }

    /// What decoding for all of these variants takes.
    ///
    /// # Errors
    /// Outputs beyond `limits` or beyond what their format holds, with the number of the variant.
    pub fn plan(&self, variants: &[Variant], limits: &Limits) -> Result<Plan, PlanError> {
        Plan::new(&self.header, variants, limits)
    }

    /// Decodes the (first) picture, once for all variants of the plan.
    ///
    /// # Errors
    /// A corrupt file, one of which fewer than half of the rows could be decoded, the deadline, or a
    /// format that only a locked-down process may decode.
    pub fn decode<'s>(
        &self,
        plan: &Plan,
        limits: &Limits,
        scratch: &'s mut Scratch,
    ) -> Result<Picture<'s>, ImagingError> {
        if self.format().needs_lockdown() {
            return Err(ImagingError::NeedsLockdown {
                format: self.format(),
            });
        }
        let decoded = decode::decode(self.bytes, &self.header, plan.target, limits, scratch)?;
        Ok(self.picture_of(decoded, limits))
    }

    pub(crate) fn picture_of<'s>(&self, decoded: Decoded<'s>, limits: &Limits) -> Picture<'s> {
        let profile = self.profile(limits);
        let name = profile.as_ref().and_then(|profile| profile.name.clone());
        let source = self.describe(name, decoded.truncated);
        let profile = profile.filter(|profile| !profile.is_srgb());
        Picture::new(&self.header, decoded, profile, source)
    }

    fn profile(&self, limits: &Limits) -> Option<Rc<IccProfile>> {
        IccProfile::read(&self.header.icc, limits.max_icc_bytes)
    }

    fn describe(&self, icc_profile: Option<String>, truncated: bool) -> SourceImage {
        let header = &self.header;
        let seen = orient::seen_size(header.size, header.exif.orientation);
        SourceImage {
            format: header.format(),
            width: seen.width,
            height: seen.height,
            has_alpha: header.has_alpha,
            frames: header.frames,
            orientation: header.exif.orientation,
            icc_profile,
            exif: header.exif.summary.clone(),
            truncated,
        }
    }
}
