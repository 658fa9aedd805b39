//! All variants of a source at once, for callers that have nothing to do in between.

use std::cell::RefCell;

use super::error::ImagingError;
use super::limits::Limits;
use super::picture::Scratch;
use super::render::Rendition;
use super::source::Source;
use super::source_image::SourceImage;
use super::summary::Summary;
use super::variant::Variant;

/// The facts of a source, and its renditions.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    pub source: SourceImage,
    pub summary: Summary,
    /// One for each variant, in their order.
    pub renditions: Vec<Rendition>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Opens, plans, decodes and renders, with buffers that the thread keeps.
///
/// # Errors
/// The first that any of these steps meets.
pub fn make(bytes: &[u8], variants: &[Variant], limits: &Limits) -> Result<Made, ImagingError> {
    let source = Source::open(bytes, limits)?;
    let plan = source
        .plan(variants, limits)
        .map_err(|refused| refused.error)?;
    SCRATCH.with_borrow_mut(|scratch| {
        let picture = source.decode(&plan, limits, scratch)?;
        let renditions = variants
            .iter()
            .map(|variant| source.render(&picture, variant, limits))
            .collect::<Result<_, _>>()?;
        Ok(Made {
            source: picture.source().clone(),
            summary: picture.summary()?,
            renditions,
        })
    })
}
