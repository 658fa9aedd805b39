//! Camera RAW: containers as cameras build them, with computed previews.

use std::time::Duration;

use thumbforge_imaging::{ErrorKind, Format, Limits};

use super::tiff_file::{Directory, Values, file as tiff};
use super::{assert_alike, colours, shown, torture, try_shown};
use crate::picture::Picture;
use crate::spent::Spent;

/// A preview of the picture, whose size tells it from others.
fn preview(width: usize) -> Vec<u8> {
    let picture = colours();
    Picture::of(width, width * 3 / 4, |x, y| {
        let pixel = picture.at(x * 64 / width, y * 64 / width);
        [pixel[0], pixel[1], pixel[2]]
    })
    .to_jpeg(jpeg_encoder::ColorType::Rgb)
}

/// The samples of a sensor.
pub fn sensor() -> Directory {
    Directory::default()
        .with(256, 6000_u16)
        .with(257, 4000_u16)
        .with(258, 14_u16)
        .with(259, 1_u16)
        .with(262, 32_803_u16)
        .chunk([0; 64])
}

pub fn camera(make: &str) -> Directory {
    Directory::default()
        .with(271, format!("{make}\0").as_bytes())
        .with(272, &b"X100\0"[..])
        .with(274, 6_u16)
}

/// The JPEG is the only strip.
fn with_jpeg(directory: Directory, jpeg: Vec<u8>, compression: u16) -> Directory {
    directory
        .with(259, compression)
        .with(262, 6_u16)
        .chunk(jpeg)
}

/// Fields 513 and 514, for a JPEG that is appended to the file of this length.
pub fn appended(directory: Directory, at: usize, jpeg: &[u8]) -> Directory {
    directory.with(513, at as u32).with(514, jpeg.len() as u32)
}

fn assert_raw(bytes: &[u8], (width, height): (u32, u32), camera: Option<&str>, what: &str) {
    let (picture, source) = shown(bytes);
    assert_eq!(source.format, Format::Raw, "{what}");
    assert_eq!((source.width, source.height), (width, height), "{what}");
    assert_eq!(
        source.exif.unwrap_or_default().camera.as_deref(),
        camera,
        "{what}"
    );
    let (whole, _) = shown(&preview(width.max(height) as usize));
    let turned = if height > width {
        whole.transposed().mirrored()
    } else {
        whole
    };
    assert_alike(&picture, &turned, 6, what);
}

/// `build` is called with the length that the file will have, until it has it.
pub fn with_appended(jpeg: &[u8], build: impl Fn(usize) -> Vec<u8>) -> Vec<u8> {
    let length = build(1 << 20).len();
    let file = build(length);
    assert_eq!(file.len(), length);
    [file, jpeg.to_vec()].concat()
}

#[test]
fn the_largest_preview_of_a_tiff_structure_is_shown_upright() {
    let (small, large) = (preview(16), preview(128));
    // CR2: the large one is a strip of the first directory.
    let cr2 = tiff(
        b"II*\0",
        &[
            with_jpeg(camera("Canon"), large.clone(), 6),
            with_jpeg(Directory::default(), small.clone(), 6),
            sensor(),
        ],
    );
    assert_raw(&cr2, (96, 128), Some("Canon X100"), "CR2");
    // DNG and NEF: previews are children.
    let mut dng = camera("Leica").with(50_706, &[1_u8, 4, 0, 0][..]);
    dng.children = vec![
        sensor(),
        with_jpeg(Directory::default(), large.clone(), 7),
        with_jpeg(Directory::default(), small.clone(), 7),
    ];
    assert_raw(
        &tiff(b"MM\0*", &[dng]),
        (96, 128),
        Some("Leica X100"),
        "DNG",
    );
    let nef = with_appended(&large, |at| {
        let mut nef = with_jpeg(camera("NIKON"), small.clone(), 6);
        nef.children = vec![appended(Directory::default(), at, &large), sensor()];
        tiff(b"MM\0*", &[nef])
    });
    assert_raw(&nef, (96, 128), Some("NIKON X100"), "NEF");
    // ARW: the preview of the first directory.
    let arw = with_appended(&large, |at| {
        let mut arw = appended(camera("SONY"), at, &large);
        arw.children = vec![sensor().with(259, 32_767_u16)];
        tiff(b"II*\0", &[arw])
    });
    assert_raw(&arw, (96, 128), Some("SONY X100"), "ARW");
}

#[test]
fn panasonic_has_the_jpeg_as_a_field() {
    let rw2 = tiff(
        b"IIU\0",
        &[camera("Panasonic").with(0x2e, &preview(128)[..])],
    );
    assert_raw(&rw2, (96, 128), Some("Panasonic X100"), "RW2");
}

#[test]
fn olympus_has_the_preview_in_its_note() {
    let large = preview(128);
    for (name, head) in [("OLYMPUS", 12), ("OM SYSTEM", 16)] {
        // The note: its name, a directory at `head` that names another one, and that one.
        let mut note = format!("{name}\0").into_bytes();
        note.resize(head - 4, 0);
        note.extend(b"II\x03\0");
        let settings = head + 18;
        note.extend(b"\x01\0\x20\x20\x0d\0\x01\0\0\0");
        note.extend((settings as u32).to_le_bytes());
        note.extend([0; 4]);
        let jpeg_at = settings + 30;
        note.extend(b"\x02\0\x01\x01\x04\0\x01\0\0\0");
        note.extend((jpeg_at as u32).to_le_bytes());
        note.extend(b"\x02\x01\x04\0\x01\0\0\0");
        note.extend((large.len() as u32).to_le_bytes());
        note.extend([0; 4]);
        note.extend(&large);
        let shot = Directory::default().with(37_500, &note[..]);
        let nested = |at: u32| tiff(b"IIRO", &[camera("OLYMPUS").with(34_665, at), shot.clone()]);
        // The second directory of the chain serves as the one of the shot.
        let bytes = nested(0);
        let first = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
        let end = first + 2 + 12 * usize::from(bytes[first]);
        let second = u32::from_le_bytes(bytes[end..end + 4].try_into().unwrap());
        assert_raw(&nested(second), (96, 128), Some("OLYMPUS X100"), name);
    }
}

#[test]
fn fujifilm_has_a_directory_of_its_own() {
    let jpeg = crate::golden::with_orientation(&preview(128), 6);
    let mut raf = b"FUJIFILMCCD-RAW 0201FF393501X-T4".to_vec();
    raf.resize(84, 0);
    raf.extend(160_u32.to_be_bytes());
    raf.extend((jpeg.len() as u32).to_be_bytes());
    raf.resize(160, 0);
    raf.extend(jpeg);
    raf.extend([7; 1000]);
    assert_raw(&raf, (96, 128), None, "RAF");
}

fn media_box(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    [&(data.len() as u32 + 8).to_be_bytes()[..], kind, data].concat()
}

#[test]
fn canon_has_the_picture_as_a_track_or_a_preview() {
    let (small, large) = (preview(16), preview(128));
    let cmt1 = tiff(b"II*\0", &[camera("Canon")]);
    let cmt2 = tiff(
        b"II*\0",
        &[Directory::default().with(0xa434, &b"RF50mm\0"[..])],
    );
    let canon = [
        &[0x85; 16][..],
        &media_box(b"CMT1", &cmt1),
        &media_box(b"CMT2", &cmt2),
    ]
    .concat();
    let ftyp = media_box(b"ftyp", b"crx \0\0\0\x01crx isom");
    let build = |at: usize| {
        let sizes = [
            &[0; 4][..],
            &(large.len() as u32).to_be_bytes(),
            &[0, 0, 0, 1],
        ]
        .concat();
        let places = [&[0, 0, 0, 0, 0, 0, 0, 1][..], &(at as u64).to_be_bytes()].concat();
        let table = [media_box(b"stsz", &sizes), media_box(b"co64", &places)].concat();
        let track = media_box(b"mdia", &media_box(b"minf", &media_box(b"stbl", &table)));
        let moov = [media_box(b"uuid", &canon), media_box(b"trak", &track)].concat();
        let preview = [
            &[0xea; 16][..],
            &[0, 0, 0, 0, 0, 0, 0, 1],
            &media_box(b"PRVW", &small),
        ];
        let uuid = media_box(b"uuid", &preview.concat());
        [
            ftyp.clone(),
            media_box(b"moov", &moov),
            uuid,
            media_box(b"mdat", &[]),
        ]
        .concat()
    };
    let whole = with_appended(&large, build);
    assert_raw(&whole, (96, 128), Some("Canon X100"), "CR3");
    assert_eq!(
        shown(&whole).1.exif.unwrap().lens.as_deref(),
        Some("RF50mm")
    );
    // The track's sample is missing.
    let cut = &whole[..whole.len() - large.len()];
    assert_raw(cut, (12, 16), Some("Canon X100"), "the preview of a CR3");
}

#[test]
fn a_raw_without_a_jpeg_is_named() {
    let error = try_shown(&tiff(b"II*\0", &[sensor()]), &Limits::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("without a JPEG"), "{error}");
}

#[test]
fn the_sensors_lossless_jpeg_is_no_preview() {
    let mut lossless = preview(200);
    let frame = lossless
        .windows(2)
        .position(|pair| pair == [0xff, 0xc0])
        .unwrap();
    lossless[frame + 1] = 0xc3;
    let mut dng = camera("Leica").with(50_706, &[1_u8, 4, 0, 0][..]);
    dng.children = vec![
        with_jpeg(Directory::default(), lossless, 7),
        with_jpeg(Directory::default(), preview(128), 7),
    ];
    assert_raw(
        &tiff(b"II*\0", &[dng]),
        (96, 128),
        Some("Leica X100"),
        "DNG",
    );
}

/// Directories that point at each other, and offsets beyond the file.
#[test]
fn walks_end() {
    let mut dng = camera("Leica").with(50_706, &[1_u8, 4, 0, 0][..]);
    dng.children = vec![with_jpeg(Directory::default(), preview(128), 7)];
    let mut bytes = tiff(b"II*\0", &[dng.clone()]);
    let first = bytes[4..8].to_vec();
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&first);
    assert_raw(&bytes, (96, 128), Some("Leica X100"), "a circle");
    let many = dng.with(330, Values::Longs(vec![8; 100_000]));
    let begun = Spent::now();
    let _ = try_shown(&tiff(b"II*\0", &[many]), &Limits::default());
    assert!(begun.elapsed() < Duration::from_secs(1));
    torture(
        &tiff(
            b"IIU\0",
            &[camera("Panasonic").with(0x2e, &preview(64)[..])],
        ),
        "RW2",
    );
}
