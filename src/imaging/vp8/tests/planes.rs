use std::path::{Path, PathBuf};

use crate::imaging::vp8::{LoopFilter, Progress, Rows, Scratch, Vp8Error, decode};

/// Rows as they come.
#[derive(Default, Debug, PartialEq, Eq)]
pub struct Planes {
    pub luma: Vec<u8>,
    pub cb: Vec<u8>,
    pub cr: Vec<u8>,
}

impl Rows for Planes {
    fn luma(&mut self, row: &[u8]) {
        self.luma.extend_from_slice(row);
    }

    fn chroma(&mut self, cb: &[u8], cr: &[u8]) {
        self.cb.extend_from_slice(cb);
        self.cr.extend_from_slice(cr);
    }
}

pub fn ours(data: &[u8], declared_bytes: usize) -> Result<(Planes, Progress), Vp8Error> {
    let mut planes = Planes::default();
    let mut scratch = Scratch::default();
    let filter = LoopFilter::Apply;
    let progress = decode(
        data,
        declared_bytes,
        filter,
        None,
        &mut scratch,
        &mut planes,
    )?;
    Ok((planes, progress))
}

fn theirs(data: &[u8]) -> Option<Planes> {
    let frame = image_webp::vp8::Vp8Decoder::decode_frame(data).ok()?;
    let (width, height) = (usize::from(frame.width), usize::from(frame.height));
    let stride = width.div_ceil(16) * 16;
    let plane = |samples: &[u8], stride: usize, width: usize, height: usize| -> Vec<u8> {
        let rows = samples.chunks_exact(stride).take(height);
        rows.flat_map(|row| &row[..width]).copied().collect()
    };
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    Some(Planes {
        luma: plane(&frame.ybuf, stride, width, height),
        cb: plane(&frame.ubuf, stride / 2, half_width, half_height),
        cr: plane(&frame.vbuf, stride / 2, half_width, half_height),
    })
}

/// All lossy pictures of a file, those of frames too.
pub fn pictures(file: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let mut at = 12;
    while let Some(header) = file.get(at..at + 8) {
        let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
        let Some(data) = file.get(at + 8..at + 8 + length) else {
            break;
        };
        match &header[..4] {
            b"VP8 " => found.push(data),
            b"ANMF" => {
                at += 8 + 16;
                continue;
            }
            _ => {}
        }
        at += 8 + length.next_multiple_of(2);
    }
    found
}

fn webp_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "webp")
            {
                files.push(path);
            }
        }
    }
    files
}

/// Compares every picture of every file, and gives their number.
fn compare_all(folder: &Path) -> usize {
    let mut compared = 0;
    for path in webp_files(folder) {
        let file = std::fs::read(&path).unwrap();
        for data in pictures(&file) {
            let Some(expected) = theirs(data) else {
                continue;
            };
            let (planes, progress) = ours(data, data.len()).unwrap();
            assert_eq!(progress.stopped, None, "{}", path.display());
            // Not `assert_eq`: nobody wants to read the planes.
            assert!(planes.luma == expected.luma, "luma of {}", path.display());
            assert!(planes.cb == expected.cb, "Cb of {}", path.display());
            assert!(planes.cr == expected.cr, "Cr of {}", path.display());
            compared += 1;
        }
    }
    compared
}

#[test]
fn every_picture_is_that_of_the_complete_decoder_to_the_last_bit() {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(compare_all(&checkout.join("tests/fixtures")) >= 5);
    let corpus = checkout.join("../shared/corpus/webp");
    if corpus.is_dir() {
        println!("{} pictures", compare_all(&corpus));
    }
}
