//! Files whose filters and chunks are chosen.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use crate::png::Shape;

/// A picture with the number of the filter of each row.
pub struct File {
    pub shape: Shape,
    pub filters: Vec<u8>,
    pub samples: Vec<u8>,
}

impl File {
    /// Gradients with grain that repeats at a distance, so that deflate finds it.
    pub fn new(width: usize, height: usize, bytes_per_pixel: usize, filters: Vec<u8>) -> Self {
        let mut random = Random::new((width * 31 + height * 7 + bytes_per_pixel) as u32);
        let row_bytes = width * bytes_per_pixel;
        let grain: Vec<u8> = (0..row_bytes).map(|_| random.below(40) as u8).collect();
        let samples = (0..height * row_bytes)
            .map(|index| {
                let (x, y) = (index % row_bytes, index / row_bytes);
                let shade = (x * 3 + y * 5 + x * y / 7) as u8;
                // Also jumps between the darkest and the lightest value, where predictions wrap.
                match random.below(12) {
                    0 => 255 * (random.below(2) as u8),
                    1..6 => shade.wrapping_add(random.below(9) as u8),
                    _ => shade.wrapping_add(grain[(x + y * 3) % row_bytes]),
                }
            })
            .collect();
        assert_eq!(filters.len(), height);
        Self {
            shape: Shape {
                width,
                height,
                bytes_per_pixel,
            },
            filters,
            samples,
        }
    }

    pub fn rows(&self) -> Vec<Vec<u8>> {
        let rows = self.samples.chunks_exact(self.shape.row_bytes());
        rows.map(<[u8]>::to_vec).collect()
    }

    /// The rows as the filters make them (PNG, section 9.2).
    pub fn filtered(&self) -> Vec<u8> {
        let (bpp, row_bytes) = (self.shape.bytes_per_pixel, self.shape.row_bytes());
        let mut bytes = Vec::new();
        for (y, filter) in self.filters.iter().enumerate() {
            bytes.push(*filter);
            for x in 0..row_bytes {
                let sample = |left: usize, up: usize| {
                    let inside = x >= left && y >= up;
                    inside.then(|| self.samples[(y - up) * row_bytes + x - left])
                };
                let [a, b, c] = [(bpp, 0), (0, 1), (bpp, 1)]
                    .map(|(left, up)| i32::from(sample(left, up).unwrap_or(0)));
                let predicted = match filter {
                    1 => a,
                    2 => b,
                    3 => (a + b) / 2,
                    // The first of the smallest wins, as it must.
                    4 => [a, b, c]
                        .into_iter()
                        .min_by_key(|near| (a + b - c - near).abs())
                        .unwrap_or(0),
                    _ => 0,
                };
                bytes.push(self.samples[y * row_bytes + x].wrapping_sub(predicted as u8));
            }
        }
        bytes
    }

    pub fn deflated(&self) -> Vec<u8> {
        deflate(&self.filtered())
    }

    /// The file with this stream in chunks of these lengths, over and over.
    pub fn with_stream(&self, stream: &[u8], lengths: &[usize]) -> Vec<u8> {
        let mut bytes = self.head();
        let mut rest = stream;
        for length in lengths.iter().cycle() {
            let (part, after) = rest.split_at((*length).min(rest.len()));
            push_chunk(&mut bytes, b"IDAT", part);
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        push_chunk(&mut bytes, b"IEND", &[]);
        bytes
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.with_stream(&self.deflated(), &[8192])
    }

    /// Signature and header.
    fn head(&self) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
        let color_type = [0, 4, 2, 6][self.shape.bytes_per_pixel - 1];
        let mut header = Vec::new();
        header.extend((self.shape.width as u32).to_be_bytes());
        header.extend((self.shape.height as u32).to_be_bytes());
        header.extend([8, color_type, 0, 0, 0]);
        push_chunk(&mut bytes, b"IHDR", &header);
        bytes
    }
}

pub fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(bytes).expect("a Vec takes all");
    encoder.finish().expect("a Vec takes all")
}

fn push_chunk(bytes: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    bytes.extend((data.len() as u32).to_be_bytes());
    let start = bytes.len();
    bytes.extend(kind);
    bytes.extend(data);
    let checksum = crc32fast::hash(&bytes[start..]);
    bytes.extend(checksum.to_be_bytes());
}

/// Xorshift: the same numbers in every run.
pub struct Random(u32);

impl Random {
    pub fn new(seed: u32) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9) | 1)
    }

    pub fn below(&mut self, bound: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        (self.0 >> 8) % bound
    }

    pub fn filters(&mut self, rows: usize) -> Vec<u8> {
        (0..rows).map(|_| self.below(5) as u8).collect()
    }
}
