//! The scaled JPEG decoder on a synthetic picture of 12 megapixels: at each scale, sequential and
//! progressive. The encoder on what it shows at the sizes of thumbnails.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use thumbforge_codecs::jpeg::encode::{Coding, Planes, encode_as};
use thumbforge_codecs::jpeg::{Plane, Scale, Scratch, decode_scaled, read_header};

const WIDTH: u16 = 4000;
const HEIGHT: u16 = 3000;

/// Smooth shapes with grain, such that quality 85 gives about 2 MB: what a camera's 12 megapixels
/// take.
fn picture() -> Vec<u8> {
    let mut grain = 1_u32;
    let mut pixels = Vec::with_capacity(usize::from(WIDTH) * usize::from(HEIGHT) * 3);
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            grain ^= grain << 13;
            grain ^= grain >> 17;
            grain ^= grain << 5;
            let (x, y) = (f32::from(x), f32::from(y));
            let detail = (x / 7.0).sin() * (y / 11.0).cos() * 12.0 * (x / 900.0).sin().max(0.0);
            let noise = (grain % 9) as f32 - 4.0;
            for channel in 0..3_u8 {
                let shade =
                    50.0 * (x / 310.0 + f32::from(channel)).sin() + 40.0 * (y / 270.0).cos();
                pixels.push((125.0 + shade + detail + noise) as u8);
            }
        }
    }
    pixels
}

fn file(pixels: &[u8], sampling: SamplingFactor, progressive: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 85);
    encoder.set_sampling_factor(sampling);
    encoder.set_progressive(progressive);
    encoder
        .encode(pixels, WIDTH, HEIGHT, ColorType::Rgb)
        .expect("the picture has the size that is said");
    bytes
}

fn decode(criterion: &mut Criterion) {
    let pixels = picture();
    let files = [
        ("420", file(&pixels, SamplingFactor::F_2_2, false)),
        ("444", file(&pixels, SamplingFactor::F_1_1, false)),
        (
            "420_progressive",
            file(&pixels, SamplingFactor::F_2_2, true),
        ),
    ];
    let mut group = criterion.benchmark_group("jpeg_12mp");
    group.sample_size(20);
    for (name, bytes) in &files {
        let header = read_header(bytes).expect("the encoder writes a valid file");
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        for eighths in [1, 2, 4] {
            let scale = Scale::new(eighths).expect("a scale that exists");
            let mut scratch = Scratch::default();
            group.bench_function(format!("{name}/{eighths}_of_8"), |bencher| {
                bencher.iter(|| {
                    let decoded = decode_scaled(black_box(bytes), &header, scale, &mut scratch);
                    black_box(decoded.map(|decoded| decoded.rows_decoded))
                });
            });
        }
    }
    group.finish();
    let bytes = &files[0].1;
    criterion.bench_function("jpeg_12mp/read_header", |bencher| {
        bencher.iter(|| read_header(black_box(bytes)));
    });
}

/// The middle `width` × `height` samples.
fn cut(plane: &Plane<'_>, width: usize, height: usize) -> Vec<u8> {
    let (left, top) = ((plane.width - width) / 2, (plane.height - height) / 2);
    let rows = plane.data.chunks_exact(plane.stride).skip(top).take(height);
    rows.flat_map(|row| &row[left..left + width])
        .copied()
        .collect()
}

fn encode(criterion: &mut Criterion) {
    let bytes = file(&picture(), SamplingFactor::F_2_2, false);
    let header = read_header(&bytes).expect("the encoder writes a valid file");
    let mut scratch = Scratch::default();
    let scale = Scale::new(2).expect("a scale that exists");
    let decoded = decode_scaled(&bytes, &header, scale, &mut scratch).expect("a valid file");
    let mut group = criterion.benchmark_group("jpeg_encode");
    for side in [256_u16, 512] {
        let full = usize::from(side);
        let [y, cb, cr] = [(0, full), (1, full / 2), (2, full / 2)]
            .map(|(plane, side)| cut(&decoded.planes[plane], side, side));
        let picture = Planes {
            width: side,
            height: side,
            y: &y,
            cb: &cb,
            cr: &cr,
        };
        group.throughput(Throughput::Elements((full * full) as u64));
        for (name, coding) in [
            ("baseline", Coding::Baseline),
            ("optimized", Coding::Optimized),
            ("progressive", Coding::Progressive),
        ] {
            group.bench_function(format!("{name}/{side}"), |bencher| {
                bencher.iter(|| encode_as(black_box(picture), 85, coding));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, decode, encode);
criterion_main!(benches);
