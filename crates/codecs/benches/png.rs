//! Rows of PNG: the filters alone, eight rows of 1632 pixels at once, and whole pictures of 2
//! megapixels beside the png crate.

use std::hint::black_box;
use std::io::Cursor;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use png::{BitDepth, ColorType, Encoder};
use thumbforge_codecs::png::{Filter, PADDING_BYTES, ROWS, RowReader, Shape, unfilter};

const WIDTH: usize = 1632;
const HEIGHT: usize = 1224;

/// Smooth shapes with grain, as in a photo.
fn picture(bytes_per_pixel: usize) -> Vec<u8> {
    let mut grain = 1_u32;
    let mut samples = Vec::with_capacity(WIDTH * HEIGHT * bytes_per_pixel);
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            for channel in 0..bytes_per_pixel {
                grain ^= grain << 13;
                grain ^= grain >> 17;
                grain ^= grain << 5;
                let (x, y) = (x as f32, y as f32);
                let shade = 50.0 * (x / 310.0 + channel as f32).sin() + 40.0 * (y / 270.0).cos();
                samples.push((125.0 + shade + (grain % 9) as f32 - 4.0) as u8);
            }
        }
    }
    samples
}

fn filters(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("png_unfilter");
    for bytes_per_pixel in 1..=4 {
        let stride = WIDTH * bytes_per_pixel + PADDING_BYTES;
        let samples = picture(bytes_per_pixel);
        let mut out = vec![0; stride * ROWS];
        group.throughput(Throughput::Elements((WIDTH * ROWS) as u64));
        for filter in [Filter::Sub, Filter::Average, Filter::Paeth] {
            group.bench_function(format!("{filter:?}/{bytes_per_pixel}"), |bencher| {
                bencher.iter(|| {
                    let mut rows = out.chunks_exact_mut(stride);
                    let out = std::array::from_fn(|_| rows.next().unwrap_or_default());
                    let raw = std::array::from_fn(|row| &samples[(row + 1) * stride..]);
                    let filters = black_box([filter; ROWS]);
                    unfilter(WIDTH, bytes_per_pixel, filters, &samples, raw, out);
                });
                black_box(&out);
            });
        }
    }
    group.finish();
}

fn encode(samples: &[u8], color_type: ColorType) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, WIDTH as u32, HEIGHT as u32);
    encoder.set_color(color_type);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_filter(png::Filter::Paeth);
    let mut writer = encoder.write_header().expect("a Vec takes all");
    writer
        .write_image_data(samples)
        .expect("the picture has the size that is said");
    writer.finish().expect("a Vec takes all");
    bytes
}

fn rows(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("png_rows_2mp");
    group.sample_size(20);
    for color_type in [ColorType::Grayscale, ColorType::Rgb, ColorType::Rgba] {
        let bytes_per_pixel = color_type.samples();
        let file = encode(&picture(bytes_per_pixel), color_type);
        let shape = Shape {
            width: WIDTH,
            height: HEIGHT,
            bytes_per_pixel,
        };
        group.throughput(Throughput::Elements((WIDTH * HEIGHT) as u64));
        group.bench_function(format!("ours/{color_type:?}"), |bencher| {
            bencher.iter(|| {
                let mut reader = RowReader::new(&file, shape).expect("its rows are not too wide");
                let mut rows = 0;
                while let Some(next) = reader.next_rows() {
                    rows += next.map(|row| black_box(row).len().min(1)).sum::<usize>();
                }
                assert_eq!(rows, HEIGHT);
            });
        });
        group.bench_function(format!("crate/{color_type:?}"), |bencher| {
            bencher.iter(|| {
                let decoder = png::Decoder::new(Cursor::new(&file));
                let mut reader = decoder.read_info().expect("the file is sound");
                let mut row = vec![0; WIDTH * bytes_per_pixel];
                while let Ok(Some(_)) = reader.read_row(&mut row) {
                    black_box(&row);
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, filters, rows);
criterion_main!(benches);
