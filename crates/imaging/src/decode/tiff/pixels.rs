//! Rows of a strip or tile to pixels of the engine.

use super::facts::{Colors, TiffFacts, tag};
use crate::decode::lab::lab_to_rgb;
use crate::ifd::Ifd;

/// Turns the bytes of rows into pixels.
pub(super) struct Painter<'f> {
    facts: &'f TiffFacts,
    palette: Vec<[u8; 3]>,
    ycc: YccTables,
    /// Samples as bytes: interleaved, or one plane after another.
    samples: Vec<u8>,
}

impl<'f> Painter<'f> {
    pub(super) fn new(facts: &'f TiffFacts, ifd: Ifd<'_>) -> Self {
        Self {
            facts,
            palette: palette(facts, ifd),
            ycc: YccTables::read(ifd),
            samples: Vec::new(),
        }
    }

    /// Fills the pixels of `out` from the rows of all planes. `line` is the row of pixels among
    /// those that share their chroma.
    pub(super) fn paint(&mut self, planes: &[&[u8]], line: usize, out: &mut [u8]) {
        let facts = self.facts;
        let channels = facts.layout().channels();
        let columns = out.len() / channels;
        if let Colors::Ycc { shared } = facts.colors
            && shared != (1, 1)
        {
            return self.paint_shared(planes[0], shared, line, out);
        }
        let scale = !matches!(facts.colors, Colors::Palette);
        let is_direct = planes.len() == 1 && facts.samples == channels;
        if is_direct && !matches!(facts.colors, Colors::Lab { .. } | Colors::Ycc { .. }) && scale {
            facts.depth.unpack(planes[0], true, out);
            let inverts = match facts.colors {
                Colors::Grey { white_is_zero } => white_is_zero,
                Colors::Cmyk => true,
                _ => false,
            };
            if inverts {
                for pixel in out.chunks_exact_mut(channels) {
                    let colours = if facts.alpha.is_some() {
                        channels - 1
                    } else {
                        channels
                    };
                    pixel[..colours]
                        .iter_mut()
                        .for_each(|sample| *sample = !*sample);
                }
            }
            return;
        }
        let count = columns * facts.samples_in_chunk();
        self.samples.resize(count * planes.len(), 0);
        for (samples, plane) in self.samples.chunks_exact_mut(count).zip(planes) {
            facts.depth.unpack(plane, scale, samples);
        }
        let (step, apart) = if facts.is_planar {
            (1, columns)
        } else {
            (facts.samples, 1)
        };
        for (column, pixel) in out.chunks_exact_mut(channels).enumerate() {
            let at = |sample: usize| self.samples[column * step + sample * apart];
            let colours = match facts.colors {
                Colors::Grey { white_is_zero } => {
                    [if white_is_zero { !at(0) } else { at(0) }, 0, 0, 0]
                }
                Colors::Rgb => [at(0), at(1), at(2), 0],
                Colors::Palette => with_zero(self.palette[usize::from(at(0))]),
                Colors::Cmyk => [!at(0), !at(1), !at(2), !at(3)],
                Colors::Ycc { .. } => with_zero(self.ycc.rgb(at(0), at(1), at(2))),
                Colors::Lab { is_signed } => {
                    let sign = if is_signed { 0x80 } else { 0 };
                    with_zero(lab_to_rgb(at(0), at(1) ^ sign, at(2) ^ sign))
                }
            };
            match facts.alpha {
                Some((index, _)) => {
                    pixel[..channels - 1].copy_from_slice(&colours[..channels - 1]);
                    pixel[channels - 1] = at(index);
                }
                None => pixel.copy_from_slice(&colours[..channels]),
            }
        }
    }

    /// TIFF 6.0, section 21: blocks of luma, and the chroma that they share.
    fn paint_shared(&self, row: &[u8], (h, v): (u8, u8), line: usize, out: &mut [u8]) {
        let (h, v) = (usize::from(h), usize::from(v));
        for (block, pixels) in row.chunks_exact(h * v + 2).zip(out.chunks_mut(3 * h)) {
            let luma = &block[line * h..][..h];
            let (cb, cr) = (block[h * v], block[h * v + 1]);
            for (pixel, y) in pixels.chunks_exact_mut(3).zip(luma) {
                pixel.copy_from_slice(&self.ycc.rgb(*y, cb, cr));
            }
        }
    }
}

const fn with_zero([r, g, b]: [u8; 3]) -> [u8; 4] {
    [r, g, b, 0]
}

/// TIFF 6.0, section 5: all reds, all greens, all blues, of 16 bits each. Some writers use only
/// eight of them.
fn palette(facts: &TiffFacts, ifd: Ifd<'_>) -> Vec<[u8; 3]> {
    let mut palette = vec![[0; 3]; 256];
    let Some(field) = ifd.field(tag::COLOUR_MAP) else {
        return palette;
    };
    let colours = 1_usize << facts.depth.bits.min(8);
    let values: Vec<u16> = field
        .numbers()
        .take(3 * colours)
        .map(|value| value as u16)
        .collect();
    let is_narrow = values.iter().all(|value| *value < 256);
    let byte = |value: u16| {
        if is_narrow {
            value as u8
        } else {
            crate::decode::samples::rounded(value)
        }
    };
    for (index, colour) in palette.iter_mut().take(colours).enumerate() {
        for (channel, sample) in colour.iter_mut().enumerate() {
            *sample = values
                .get(channel * colours + index)
                .map_or(0, |value| byte(*value));
        }
    }
    palette
}

/// TIFF 6.0, sections 20 and 21: luma by the weights of red, green and blue; what is black and
/// white.
struct YccTables {
    weights: [f32; 3],
    /// Offset and factor of each channel.
    ranges: [(f32, f32); 3],
}

impl YccTables {
    fn read(ifd: Ifd<'_>) -> Self {
        let reals = |tag, defaults: &[f64]| -> Vec<f32> {
            let field = ifd.field(tag);
            let real = |(index, default): (usize, &f64)| {
                let real = field
                    .and_then(|field| field.real(index))
                    .unwrap_or(*default);
                real as f32
            };
            defaults.iter().enumerate().map(real).collect()
        };
        let weights = reals(tag::YCC_COEFFICIENTS, &[0.299, 0.587, 0.114]);
        let references = reals(
            tag::REFERENCE_BLACK_WHITE,
            &[0.0, 255.0, 128.0, 255.0, 128.0, 255.0],
        );
        let range = |channel: usize, steps: f32| {
            let (black, white) = (references[2 * channel], references[2 * channel + 1]);
            let factor = steps / (white - black);
            (black, if factor.is_finite() { factor } else { 1.0 })
        };
        Self {
            weights: [weights[0], weights[1], weights[2]],
            ranges: [range(0, 255.0), range(1, 127.0), range(2, 127.0)],
        }
    }

    fn rgb(&self, y: u8, cb: u8, cr: u8) -> [u8; 3] {
        let [y, cb, cr] = [(y, 0), (cb, 1), (cr, 2)].map(|(sample, channel)| {
            let (black, factor) = self.ranges[channel];
            (f32::from(sample) - black) * factor
        });
        let [red, green, blue] = self.weights;
        let r = y + (2.0 - 2.0 * red) * cr;
        let b = y + (2.0 - 2.0 * blue) * cb;
        let g = (y - red * r - blue * b) / green;
        [r, g, b].map(|sample| (sample + 0.5) as u8)
    }
}
