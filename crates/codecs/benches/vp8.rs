//! The VP8 decoder on a computed picture of 0.3 megapixels, with its loop filter and without. For
//! comparison, the complete decoder of `image-webp`, which always filters.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use image_webp::vp8::Vp8Decoder;
use thumbforge_codecs::vp8::{LoopFilter, Rows, Scratch, decode, read_size};

const FILE: &[u8] = include_bytes!("../../../tests/fixtures/vp8/701x467.webp");
/// After the headers of the file and of its only chunk.
const FRAME_AT: usize = 20;

/// Looks at each row, and keeps none.
struct Seen(u64);

impl Rows for Seen {
    fn luma(&mut self, row: &[u8]) {
        self.0 += u64::from(row[0]);
    }

    fn chroma(&mut self, cb: &[u8], cr: &[u8]) {
        self.0 += u64::from(cb[0]) + u64::from(cr[0]);
    }
}

fn decoders(criterion: &mut Criterion) {
    let frame = &FILE[FRAME_AT..];
    let size = read_size(frame).expect("a key frame");
    let mut group = criterion.benchmark_group("vp8");
    group.throughput(Throughput::Elements(
        u64::from(size.width) * u64::from(size.height),
    ));
    for (name, filter) in [
        ("filtered", LoopFilter::Apply),
        ("unfiltered", LoopFilter::LeaveOut),
    ] {
        let mut scratch = Scratch::default();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut seen = Seen(0);
                let frame = black_box(frame);
                let progress = decode(frame, frame.len(), filter, None, &mut scratch, &mut seen);
                black_box((progress.map(|progress| progress.rows), seen.0))
            });
        });
    }
    group.bench_function("image_webp", |bencher| {
        bencher.iter(|| Vp8Decoder::decode_frame(black_box(frame)).map(|frame| frame.ybuf));
    });
    group.finish();
}

criterion_group!(benches, decoders);
criterion_main!(benches);
