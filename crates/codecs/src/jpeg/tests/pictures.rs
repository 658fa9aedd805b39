//! Pictures to encode: smooth, detailed and noisy parts, away from black and white so that nothing
//! is clipped.

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

#[derive(Debug, Clone, Copy)]
pub struct Recipe {
    pub width: u16,
    pub height: u16,
    pub grey: bool,
    pub sampling: SamplingFactor,
    pub progressive: bool,
    pub optimized: bool,
    pub restart_interval: u16,
    pub quality: u8,
}

pub const PLAIN: Recipe = Recipe {
    width: 97,
    height: 61,
    grey: false,
    sampling: SamplingFactor::F_2_2,
    progressive: false,
    optimized: false,
    restart_interval: 0,
    quality: 85,
};

/// A small generator (SplitMix64), so that every run sees the same pictures.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

fn pixels(width: u16, height: u16, channels: usize) -> Vec<u8> {
    let mut random = Random(7);
    let mut out = Vec::with_capacity(usize::from(width) * usize::from(height) * channels);
    for y in 0..height {
        for x in 0..width {
            let (x, y) = (f64::from(x), f64::from(y));
            let noise = random.below(17) as f64 - 8.0;
            for channel in 0..channels {
                let phase = channel as f64;
                let wave = 35.0 * (x / 19.0 + phase).sin() + 30.0 * (y / 13.0 - phase).cos();
                let edge = if (x / 24.0).floor() as i64 % 3 == channel as i64 {
                    15.0
                } else {
                    0.0
                };
                out.push((120.0 + wave + edge + noise) as u8);
            }
        }
    }
    out
}

impl Recipe {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut encoder = Encoder::new(&mut out, self.quality);
        encoder.set_sampling_factor(self.sampling);
        encoder.set_progressive(self.progressive);
        encoder.set_optimized_huffman_tables(self.optimized);
        encoder.set_restart_interval(self.restart_interval);
        let (channels, color) = if self.grey {
            (1, ColorType::Luma)
        } else {
            (3, ColorType::Rgb)
        };
        encoder
            .encode(
                &pixels(self.width, self.height, channels),
                self.width,
                self.height,
                color,
            )
            .unwrap();
        out
    }
}
