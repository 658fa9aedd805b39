//! The cost of each stage of the engine, so that a later change shows in it.
//!
//! `cargo bench --bench imaging`. The pictures are made here: no file is needed.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use thumbforge_imaging::{Fit, Format, Formats, Limits, Scratch, Source, Variant, make};

fn usual() -> [Variant; 1] {
    [Variant::thumbnail(256, 85)]
}

/// A picture with edges, gradients and noise, about as hard to code as a photograph.
fn picture(width: usize, height: usize) -> Vec<u8> {
    let mut noise = 0x2545_f491_u32;
    let mut pixels = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            noise ^= noise << 13;
            noise ^= noise >> 17;
            noise ^= noise << 5;
            let edge = if (x / 97 + y / 61) % 3 == 0 { 60 } else { 0 };
            let wave = (x as f32 / 41.0).sin() * (y as f32 / 53.0).cos() * 50.0 + 100.0;
            let grain = (noise >> 28) as i32 - 8;
            for shift in [0, 15, 30] {
                pixels.push((wave as i32 + edge + grain + shift).clamp(0, 255) as u8);
            }
        }
    }
    pixels
}

fn jpeg(width: usize, height: usize, sampling: SamplingFactor, progressive: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 85);
    encoder.set_sampling_factor(sampling);
    encoder.set_progressive(progressive);
    encoder
        .encode(
            &picture(width, height),
            width as u16,
            height as u16,
            ColorType::Rgb,
        )
        .expect("the picture is valid");
    bytes
}

fn png(width: usize, height: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().expect("writing to memory");
    writer
        .write_image_data(&picture(width, height))
        .expect("writing to memory");
    writer.finish().expect("writing to memory");
    bytes
}

fn gif(width: usize, height: usize) -> Vec<u8> {
    let pixels = picture(width, height);
    let frame = gif::Frame::from_rgb_speed(width as u16, height as u16, &pixels, 30);
    let mut bytes = Vec::new();
    let mut encoder =
        gif::Encoder::new(&mut bytes, width as u16, height as u16, &[]).expect("writing to memory");
    encoder.write_frame(&frame).expect("writing to memory");
    drop(encoder);
    bytes
}

fn files() -> Vec<(&'static str, u64, Vec<u8>)> {
    use SamplingFactor::{F_1_1, F_2_2};
    vec![
        (
            "jpeg 12 MP 4:2:0",
            12_000_000,
            jpeg(4000, 3000, F_2_2, false),
        ),
        (
            "jpeg 12 MP 4:4:4",
            12_000_000,
            jpeg(4000, 3000, F_1_1, false),
        ),
        (
            "jpeg 12 MP progressive",
            12_000_000,
            jpeg(4000, 3000, F_2_2, true),
        ),
        ("jpeg 2 MP", 1_997_568, jpeg(1632, 1224, F_2_2, false)),
        ("jpeg 640x480", 307_200, jpeg(640, 480, F_2_2, false)),
        ("png 2 MP", 1_997_568, png(1632, 1224)),
        ("gif 0.5 MP", 480_000, gif(800, 600)),
    ]
}

fn whole(criterion: &mut Criterion) {
    let limits = Limits::default();
    let mut group = criterion.benchmark_group("thumbnail");
    group.sample_size(20);
    for (name, pixels, bytes) in files() {
        group.throughput(Throughput::Elements(pixels));
        group.bench_function(name, |bencher| {
            bencher.iter(|| make(black_box(&bytes), &usual(), &limits));
        });
    }
    group.finish();
}

/// The steps of the engine, each with what it needs at hand.
fn steps(criterion: &mut Criterion) {
    let limits = Limits::default();
    let mut group = criterion.benchmark_group("step");
    group.sample_size(20);
    for (name, _, bytes) in files() {
        let source = Source::open(&bytes, &limits).expect("the file is valid");
        let plan = source.plan(&usual(), &limits).expect("it is small enough");
        group.bench_function(format!("open/{name}"), |bencher| {
            bencher.iter(|| Source::open(black_box(&bytes), &limits).is_ok());
        });
        let mut scratch = Scratch::default();
        group.bench_function(format!("decode/{name}"), |bencher| {
            bencher.iter(|| source.decode(&plan, &limits, &mut scratch).is_ok());
        });
        let picture = source
            .decode(&plan, &limits, &mut scratch)
            .expect("the file is valid");
        group.bench_function(format!("render/{name}"), |bencher| {
            bencher.iter(|| picture.render(&usual()[0], &limits));
        });
    }
    group.finish();
}

/// Three variants of one source, each alone and all at once.
fn variants(criterion: &mut Criterion) {
    let limits = Limits::default();
    let bytes = jpeg(4000, 3000, SamplingFactor::F_2_2, false);
    let webp = |variant: Variant| Variant {
        formats: Formats::List(vec![Format::Webp]),
        quality: None,
        ..variant
    };
    let three = [
        Variant::thumbnail(256, 85),
        webp(Variant {
            fit: Fit::Cover,
            ..Variant::thumbnail(320, 85)
        }),
        webp(Variant::thumbnail(1024, 85)),
    ];
    let mut group = criterion.benchmark_group("variants");
    group.sample_size(20);
    for (index, name) in ["256 inside JPEG", "320 cover WebP", "1024 inside WebP"]
        .iter()
        .enumerate()
    {
        group.bench_function(*name, |bencher| {
            bencher.iter(|| make(black_box(&bytes), &three[index..=index], &limits));
        });
    }
    group.bench_function("all three", |bencher| {
        bencher.iter(|| make(black_box(&bytes), &three, &limits));
    });
    group.finish();
}

criterion_group!(benches, whole, steps, variants);
criterion_main!(benches);
