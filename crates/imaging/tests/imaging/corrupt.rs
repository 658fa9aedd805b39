//! Files that end early or are damaged.

use jpeg_encoder::ColorType;
use thumbforge_imaging::ErrorKind;
use thumbforge_imaging::ImagingError;

use crate::picture::{Picture, fixture, psnr, thumbnail_of, try_thumbnail};

fn gif_of(picture: &Picture, interlaced: bool) -> Vec<u8> {
    let indices: Vec<u8> = picture
        .samples
        .chunks_exact(3)
        .map(|pixel| pixel[0])
        .collect();
    let palette: Vec<u8> = (0..=255_u8).flat_map(|grey| [grey; 3]).collect();
    let (width, height) = (picture.width as u16, picture.height as u16);
    // Interlaced frames store their rows in four passes.
    let order: Vec<usize> = if interlaced {
        [(0, 8), (4, 8), (2, 4), (1, 2)]
            .into_iter()
            .flat_map(|(first, step)| (first..picture.height).step_by(step))
            .collect()
    } else {
        (0..picture.height).collect()
    };
    let stored: Vec<u8> = order
        .into_iter()
        .flat_map(|row| &indices[row * picture.width..][..picture.width])
        .copied()
        .collect();
    let mut frame = gif::Frame::from_indexed_pixels(width, height, stored, None);
    frame.interlaced = interlaced;
    let mut bytes = Vec::new();
    let mut encoder = gif::Encoder::new(&mut bytes, width, height, &palette).unwrap();
    encoder.write_frame(&frame).unwrap();
    drop(encoder);
    bytes
}

/// Compares the upper rows, up to a few above the cut, and looks at the last row.
fn assert_cut_to(bytes: &[u8], fraction: f64, what: &str) {
    let whole = Picture::rgb(&thumbnail_of(bytes).jpeg);
    let cut = &bytes[..(bytes.len() as f64 * fraction) as usize];
    let thumbnail = try_thumbnail(cut).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(thumbnail.source.truncated, "{what}");
    let picture = Picture::rgb(&thumbnail.jpeg);
    let upper = |picture: &Picture| Picture {
        height: picture.height * 4 / 10,
        samples: picture.samples[..picture.width * 3 * (picture.height * 4 / 10)].to_vec(),
        ..*picture
    };
    let similarity = psnr(&upper(&picture), &upper(&whole));
    assert!(similarity > 40.0, "{what}: {similarity:.1} dB");
    let last = picture.row(picture.height - 1);
    assert!(
        last.iter().all(|sample| *sample > 245),
        "{what}: the end is not white"
    );
}

#[test]
fn with_half_of_its_rows_a_file_gives_a_marked_thumbnail() {
    let source = Picture::textured(600, 400);
    assert_cut_to(&source.to_jpeg(ColorType::Rgb), 0.7, "JPEG");
    assert_cut_to(&source.to_jpeg(ColorType::Luma), 0.7, "grey JPEG");
    assert_cut_to(&source.to_png(), 0.7, "PNG");
    assert_cut_to(&gif_of(&source, false), 0.7, "GIF");
    assert_cut_to(&fixture("vp8/701x467.webp"), 0.8, "lossy WebP");
}

#[test]
fn with_less_than_half_of_its_rows_a_file_is_corrupt() {
    let source = Picture::textured(600, 400);
    for bytes in [
        source.to_jpeg(ColorType::Rgb),
        source.to_png(),
        gif_of(&source, false),
        gif_of(&source, true),
        fixture("vp8/701x467.webp"),
    ] {
        let cut = &bytes[..bytes.len() * 3 / 10];
        let error = try_thumbnail(cut).unwrap_err();
        assert!(matches!(error, ImagingError::Truncated { .. }), "{error}");
        assert_eq!(error.kind(), ErrorKind::Corrupt);
    }
}

#[test]
fn the_missing_rows_of_an_interlaced_file_repeat_those_above() {
    let interlaced = gif_of(&Picture::textured(600, 400), true);
    let thumbnail = thumbnail_of(&interlaced[..interlaced.len() * 8 / 10]);
    assert!(thumbnail.source.truncated);
    let similarity = psnr(
        &Picture::rgb(&thumbnail.jpeg),
        &Picture::rgb(&thumbnail_of(&interlaced).jpeg),
    );
    assert!(similarity > 20.0, "{similarity:.1} dB");

    let png = fixture("basi6a16.png");
    assert!(thumbnail_of(&png[..png.len() * 9 / 10]).source.truncated);
    assert!(
        try_thumbnail(&png[..png.len() / 3])
            .unwrap()
            .source
            .truncated
    );
    assert!(try_thumbnail(&png[..png.len() / 20]).is_err());
}

#[test]
fn a_progressive_file_that_ends_early_is_marked_though_it_has_all_rows() {
    let picture = Picture::textured(400, 300);
    let mut bytes = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 85);
    encoder.set_progressive(true);
    encoder
        .encode(&picture.samples, 400, 300, ColorType::Rgb)
        .unwrap();
    let whole = thumbnail_of(&bytes);
    assert!(!whole.source.truncated);
    let scans: Vec<usize> = (0..bytes.len() - 1)
        .filter(|&at| bytes[at..at + 2] == [0xff, 0xda])
        .collect();
    let [.., before, last] = scans[..] else {
        panic!("{scans:?}");
    };
    // At the marker of a scan that refines, within one, and within the last.
    for end in [before, before + 50, last + 50] {
        let cut = thumbnail_of(&bytes[..end]);
        assert!(cut.source.truncated, "cut at {end}");
        let picture = Picture::rgb(&cut.jpeg);
        let bottom = picture.row(picture.height - 1);
        assert!(bottom.iter().any(|sample| *sample < 245), "it is white");
    }
}

#[test]
fn a_whole_file_is_not_called_truncated() {
    let source = Picture::textured(333, 222);
    for bytes in [
        source.to_jpeg(ColorType::Rgb),
        source.to_png(),
        gif_of(&source, false),
        gif_of(&source, true),
        fixture("vp8/701x467.webp"),
        // A picture as grey as the colour that decoders put in place of missing rows.
        Picture::of(64, 64, |_, _| [128; 3]).to_jpeg(ColorType::Rgb),
    ] {
        assert!(!thumbnail_of(&bytes).source.truncated);
    }
}

#[test]
fn cutting_a_file_anywhere_never_panics_and_fails_typed() {
    for name in [
        "Landscape_6.jpg",
        "jpg-cmyk-2.jpg",
        "basi6a16.png",
        "tbyn3p08.png",
        "fcTL-dispose-in-region-none.png",
        "beacon.gif",
        "interlaced.gif",
        "lossy_alpha.webp",
        "anim.webp",
        "2-color.webp",
        "vp8/177x150.webp",
        "vp8/64x64_eight_partitions.webp",
        "bmprle8t.bmp",
    ] {
        let bytes = fixture(name);
        let step = (bytes.len() / 80).max(1);
        for length in (0..bytes.len()).step_by(step) {
            match try_thumbnail(&bytes[..length]) {
                Ok(_) => {}
                Err(error) => assert!(
                    matches!(
                        error.kind(),
                        ErrorKind::Corrupt
                            | ErrorKind::Empty
                            | ErrorKind::Unsupported
                            | ErrorKind::TooLarge
                    ),
                    "{name} cut to {length}: {error:?}"
                ),
            }
        }
    }
}

#[test]
fn changing_any_byte_never_panics() {
    for name in [
        "Landscape_6.jpg",
        "jpg-cmyk-2.jpg",
        "icc_chunk_order.jpeg",
        "basi6a16.png",
        "tbyn3p08.png",
        "beacon.gif",
        "interlaced.gif",
        "lossy_alpha.webp",
        "anim.webp",
        "2-color.webp",
        "vp8/177x150.webp",
        "vp8/64x64_eight_partitions.webp",
        "bmprle8t.bmp",
        "bmp24.bmp",
    ] {
        let whole = fixture(name);
        let step = (whole.len() / 70).max(1);
        for index in (0..whole.len()).step_by(step) {
            for change in [0x01, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[index] ^= change;
                if let Err(error) = try_thumbnail(&bytes) {
                    assert_ne!(error.kind(), ErrorKind::Internal, "{name}: {error}");
                }
            }
        }
    }
}
