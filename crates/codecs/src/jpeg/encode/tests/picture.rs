use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use crate::jpeg::encode::{GreyPlane, Planes, encode};
use crate::jpeg::{Scale, Scratch, decode_scaled, read_header};

/// A picture's planes; chroma is flat over each 2 × 2 pixels, so that both encoders halve it alike.
pub struct Picture {
    pub width: u16,
    pub height: u16,
    pub planes: [Vec<u8>; 3],
}

impl Picture {
    pub fn new(width: u16, height: u16, sample: impl Fn(usize, usize, usize) -> u8) -> Self {
        let (w, h) = (usize::from(width), usize::from(height));
        let plane = |index: usize, w: usize, h: usize| {
            (0..h)
                .flat_map(|y| (0..w).map(move |x| (x, y)))
                .map(|(x, y)| sample(index, x, y))
                .collect()
        };
        let (half_w, half_h) = (w.div_ceil(2), h.div_ceil(2));
        Self {
            width,
            height,
            planes: [
                plane(0, w, h),
                plane(1, half_w, half_h),
                plane(2, half_w, half_h),
            ],
        }
    }

    /// Slopes, waves and grain.
    pub fn photograph(width: u16, height: u16) -> Self {
        Self::new(width, height, Self::photograph_sample)
    }

    pub fn photograph_sample(plane: usize, x: usize, y: usize) -> u8 {
        let grain = (x * 7919 + y * 104_729 + plane * 31) % 23;
        let wave = ((x as f32 / 9.0).sin() + (y as f32 / 5.0).cos()) * 40.0;
        (90.0 + wave + (x / 3 + y / 2) as f32 % 60.0 + grain as f32) as u8
    }

    pub fn encoded(&self, quality: u8) -> Vec<u8> {
        encode(&self.planes(), quality)
    }

    pub fn planes(&self) -> Planes<'_> {
        let [y, cb, cr] = &self.planes;
        Planes {
            width: self.width,
            height: self.height,
            y,
            cb,
            cr,
        }
    }

    pub fn grey(&self) -> GreyPlane<'_> {
        GreyPlane {
            width: self.width,
            height: self.height,
            y: &self.planes[0],
        }
    }

    /// Three samples a pixel.
    fn pixels(&self) -> Vec<u8> {
        let (w, h) = (usize::from(self.width), usize::from(self.height));
        let chroma = |x: usize, y: usize| y / 2 * w.div_ceil(2) + x / 2;
        (0..h)
            .flat_map(|y| (0..w).map(move |x| (x, y)))
            .flat_map(|(x, y)| {
                let at = chroma(x, y);
                [
                    self.planes[0][y * w + x],
                    self.planes[1][at],
                    self.planes[2][at],
                ]
            })
            .collect()
    }

    pub fn encoded_by_other(&self, quality: u8) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = Encoder::new(&mut file, quality);
        encoder.set_sampling_factor(SamplingFactor::F_2_2);
        encoder
            .encode(&self.pixels(), self.width, self.height, ColorType::Ycbcr)
            .unwrap();
        file
    }

    /// Mean squared error of the luma that a file shows.
    pub fn luma_error(&self, file: &[u8]) -> f64 {
        let pixels = shown_by_other(file, ColorSpace::YCbCr);
        let shown: Vec<u8> = pixels.chunks_exact(3).map(|pixel| pixel[0]).collect();
        assert_eq!(shown.len(), self.planes[0].len());
        let squares = shown.iter().zip(&self.planes[0]).map(|(shown, sample)| {
            let difference = f64::from(*shown) - f64::from(*sample);
            difference * difference
        });
        squares.sum::<f64>() / shown.len() as f64
    }
}

/// What another decoder shows, which accepts nothing that is wrong.
pub fn shown_by_other(file: &[u8], colors: ColorSpace) -> Vec<u8> {
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(65_535)
        .set_max_height(65_535)
        .jpeg_set_out_colorspace(colors);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(file), options);
    decoder.decode().unwrap()
}

/// What our own decoder shows, plane by plane.
pub fn shown(file: &[u8]) -> Vec<Vec<u8>> {
    let (header, mut scratch) = (read_header(file).unwrap(), Scratch::default());
    let decoded = decode_scaled(file, &header, Scale::FULL, &mut scratch).unwrap();
    assert_eq!(
        (decoded.stopped, decoded.rows_decoded),
        (None, header.height)
    );
    let planes = decoded.planes.iter().map(|plane| {
        let rows = plane.data.chunks_exact(plane.stride).take(plane.height);
        rows.flat_map(|row| &row[..plane.width]).copied().collect()
    });
    planes.collect()
}
