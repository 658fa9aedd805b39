use super::error::JpegError;
use super::header::Header;

/// The size of the decoded picture in eighths: `Scale::new(2)` gives a quarter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scale(u8);

impl Scale {
    pub const FULL: Self = Self(8);

    /// `None` unless `eighths` is 1 to 6 or 8. (A 7-point transform takes longer than the 8-point
    /// one.)
    pub fn new(eighths: u8) -> Option<Self> {
        matches!(eighths, 1..=6 | 8).then_some(Self(eighths))
    }

    pub fn eighths(self) -> u8 {
        self.0
    }
}

/// How many times larger than the target a scaled picture has to be, at least, so that the filter
/// that brings it to size has samples to choose from. libvips asks for 2, sharp for 1 in powers of
/// two. 1.55 lets 1632 × 1224 go to 256 by 2/8 (408, 1.59 times) and 640 × 480 by 5/8 (400, 1.56
/// times). That is 17 and 24 % faster than at 1.9. The delivered file is still nearer to the whole
/// decode than sharp's, and within 0.1 dB of libvips (`docs/BENCHMARKS.md`).
pub const MIN_OVERSAMPLING: f64 = 1.55;

/// Pixels of the shorter side below which a picture is decoded whole. A scaled one loses up to a
/// sample at its edges ([`super::edges`]), which is much for a narrow picture.
const NARROW: u32 = 128;

impl Header {
    /// The smallest scale whose longest side is at least [`MIN_OVERSAMPLING`] times `max_side`
    /// samples, in the plane of the first component. A narrow picture keeps its full size.
    pub fn scale_for(&self, max_side: u32) -> Scale {
        if self.width.min(self.height) < NARROW {
            return Scale::FULL;
        }
        let first = self.components[0];
        let sampling = (f64::from(first.h) / f64::from(self.max_h()))
            .min(f64::from(first.v) / f64::from(self.max_v()));
        let longest = f64::from(self.width.max(self.height)) * sampling;
        let enough = |n: u8| longest * f64::from(n) / 8.0 >= MIN_OVERSAMPLING * f64::from(max_side);
        [1, 2, 3, 4, 5, 6]
            .into_iter()
            .find(|&n| enough(n))
            .map_or(Scale::FULL, Scale)
    }

    /// Bytes that [`super::decode_scaled`] holds at most for the picture itself, to be reserved
    /// before the call.
    pub fn memory_estimate(&self, scale: Scale) -> usize {
        let layout = Layout::new(self, scale);
        let blocks: usize = layout.components.iter().map(ComponentLayout::blocks).sum();
        let coefficients = if self.progressive {
            blocks * bytes_per_progressive_block(scale)
        } else {
            0
        };
        layout.samples + coefficients + FIXED_BYTES
    }
}

/// The bit reader's window and the look-up tables.
const FIXED_BYTES: usize = 512 * 1024;

fn bytes_per_progressive_block(scale: Scale) -> usize {
    let n = usize::from(scale.0);
    let significance = if n == 1 { 0 } else { size_of::<u64>() };
    n * n * size_of::<i16>() + significance
}

/// Where a component's blocks and samples lie.
#[derive(Debug, Clone, PartialEq)]
pub struct ComponentLayout {
    pub h: usize,
    pub v: usize,
    /// The blocks for the component's own size: what a scan of this component alone holds.
    pub blocks_w: usize,
    pub blocks_h: usize,
    /// These blocks and those that fill up the last MCUs.
    pub padded_w: usize,
    pub padded_h: usize,
    /// Side of a decoded block, 1 to 8 samples.
    pub n: usize,
    /// First sample in the buffer that all planes share.
    pub start: usize,
    /// Visible samples, including those that lie partly outside the picture.
    pub width: usize,
    pub height: usize,
    /// Samples that lie wholly within the picture.
    pub whole_width: usize,
    pub whole_height: usize,
    /// Size of the whole picture in samples of this plane, without rounding.
    pub exact_width: f64,
    pub exact_height: f64,
}

impl ComponentLayout {
    pub fn blocks(&self) -> usize {
        self.padded_w * self.padded_h
    }

    /// Samples from one row to the next.
    pub fn stride(&self) -> usize {
        self.padded_w * self.n
    }

    pub fn samples(&self) -> usize {
        self.blocks() * self.n * self.n
    }
}

/// The geometry of a scaled picture (ITU-T T.81, A.1.1 and A.2).
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    pub components: Vec<ComponentLayout>,
    pub mcus_w: usize,
    pub mcus_h: usize,
    /// Pixel rows of the full picture that one row of MCUs holds.
    pub mcu_rows: usize,
    /// Samples of the planes together, with their padding.
    pub samples: usize,
}

impl Layout {
    pub fn new(header: &Header, scale: Scale) -> Self {
        let (width, height) = (header.width as usize, header.height as usize);
        let (max_h, max_v) = (usize::from(header.max_h()), usize::from(header.max_v()));
        let (mcus_w, mcus_h) = (width.div_ceil(8 * max_h), height.div_ceil(8 * max_v));
        let mut samples = 0;
        let components = header
            .components
            .iter()
            .map(|c| {
                let (h, v, n) = (usize::from(c.h), usize::from(c.v), usize::from(scale.0));
                let (own_w, own_h) = ((width * h).div_ceil(max_h), (height * v).div_ceil(max_v));
                let layout = ComponentLayout {
                    h,
                    v,
                    blocks_w: own_w.div_ceil(8),
                    blocks_h: own_h.div_ceil(8),
                    padded_w: mcus_w * h,
                    padded_h: mcus_h * v,
                    n,
                    start: samples,
                    width: (own_w * n).div_ceil(8),
                    height: (own_h * n).div_ceil(8),
                    whole_width: own_w * n / 8,
                    whole_height: own_h * n / 8,
                    exact_width: (width * h * n) as f64 / (8 * max_h) as f64,
                    exact_height: (height * v * n) as f64 / (8 * max_v) as f64,
                };
                samples += layout.samples();
                layout
            })
            .collect();
        Self {
            components,
            mcus_w,
            mcus_h,
            mcu_rows: 8 * max_v,
            samples,
        }
    }
}

/// One colour component of a decoded picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plane<'a> {
    /// Rows of `stride` samples, the first `width` of each visible. At least `height` rows.
    pub data: &'a [u8],
    pub stride: usize,
    pub width: usize,
    pub height: usize,
    /// The size of the whole picture in samples of this plane, without rounding: the crop box for
    /// resizing. At most `width` and `height`, and less when the last samples lie partly outside
    /// the picture.
    pub exact_width: f64,
    pub exact_height: f64,
}

pub(super) fn check_size(layout: &Layout) -> Result<(), JpegError> {
    // 65535 × 65535 at full scale is 12 GiB: fits only where usize has 64 bits.
    if layout.samples > isize::MAX as usize / 8 {
        Err(JpegError::Unsupported("picture size"))
    } else {
        Ok(())
    }
}
