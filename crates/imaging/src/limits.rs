//! The limits of one image.

use std::time::Instant;

use super::error::ImagingError;

/// Bounds that are checked before the work they bound.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Width × height as declared in the header (`MAX_SOURCE_PIXELS`).
    pub max_pixels: u64,
    /// Working memory of one decode, by estimate, without the source's own bytes.
    pub max_memory_bytes: usize,
    /// Size of an embedded ICC profile after inflation; larger ones are ignored.
    pub max_icc_bytes: usize,
    /// Scans of one JPEG; encoders make about ten.
    pub max_jpeg_scans: u32,
    /// Chunks, segments or blocks of one file.
    pub max_chunks: u32,
    /// Pixels of all outputs of a source together.
    pub max_output_pixels: u64,
    /// Pixels of one AVIF, whose encoder takes about half a microsecond for each.
    pub max_avif_pixels: u64,
    /// Frames of an animation that is made; those beyond are left out.
    pub max_animation_frames: u32,
    /// Pixels of all of its frames together.
    pub max_animation_pixels: u64,
    /// When to give up. Checked between rows, or between groups, tiles or slices, where the decoder
    /// lets us; else between the stages.
    pub deadline: Option<Instant>,
}

impl Default for Limits {
    /// 200 megapixels, 512 MiB, 4 MiB of ICC profile, 100 scans, 100,000 chunks,
    /// 50 megapixels of outputs, 4 of an AVIF, 500 frames and 20 megapixels of an animation, no deadline.
    fn default() -> Self {
        Self {
            max_pixels: 200_000_000,
            max_memory_bytes: 512 << 20,
            max_icc_bytes: 4 << 20,
            max_jpeg_scans: 100,
            max_chunks: 100_000,
            max_output_pixels: 50_000_000,
            max_avif_pixels: 4_000_000,
            max_animation_frames: 500,
            max_animation_pixels: 20_000_000,
            deadline: None,
        }
    }
}

impl Limits {
    pub(crate) fn check_deadline(&self) -> Result<(), ImagingError> {
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(ImagingError::Timeout),
            _ => Ok(()),
        }
    }

    /// `error`, unless the decoder met it because the deadline is over.
    pub(crate) fn timeout_or(&self, error: ImagingError) -> ImagingError {
        self.check_deadline().err().unwrap_or(error)
    }

    pub(crate) fn check_pixels(&self, width: u32, height: u32) -> Result<(), ImagingError> {
        if u64::from(width) * u64::from(height) > self.max_pixels {
            return Err(ImagingError::TooManyPixels {
                width,
                height,
                max_pixels: self.max_pixels,
            });
        }
        Ok(())
    }

    pub(crate) fn check_memory(&self, needed_bytes: usize) -> Result<(), ImagingError> {
        if needed_bytes > self.max_memory_bytes {
            return Err(ImagingError::TooMuchMemory {
                needed_bytes,
                max_bytes: self.max_memory_bytes,
            });
        }
        Ok(())
    }

    /// Refuses the `count`th chunk of a file if that is one too many.
    pub(crate) fn check_chunks(&self, count: u32) -> Result<(), ImagingError> {
        if count > self.max_chunks {
            return Err(ImagingError::TooMany {
                what: "chunks",
                max: self.max_chunks,
            });
        }
        Ok(())
    }
}
