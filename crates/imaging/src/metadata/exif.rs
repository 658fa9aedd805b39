//! EXIF: the orientation, and the few fields that are shown. GPS is never read.

use super::shown_text;
use super::tiff::{Directory, Tiff};
use crate::ifd::Ifds;
use crate::source_image::{ExifSummary, TakenAt};
/// The part of a text that is read; fields may share their bytes, so a copy of each must be small.
const MAX_TEXT_BYTES: usize = 1 << 10;

const MAKE: u16 = 0x010f;
const MODEL: u16 = 0x0110;
const ORIENTATION: u16 = 0x0112;
/// Points at the directory that holds the fields below.
const EXIF_DIRECTORY: u16 = 0x8769;
const DATE_TIME: u16 = 0x0132;
const DATE_TIME_ORIGINAL: u16 = 0x9003;
const DATE_TIME_DIGITIZED: u16 = 0x9004;
const OFFSET_TIME: u16 = 0x9010;
const OFFSET_TIME_ORIGINAL: u16 = 0x9011;
const OFFSET_TIME_DIGITIZED: u16 = 0x9012;
const LENS_MODEL: u16 = 0xa434;

/// The part of an EXIF block that is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExifFacts {
    /// 1–8 (EXIF 2.32, tag 0x0112).
    pub orientation: u8,
    pub summary: Option<ExifSummary>,
}

impl Default for ExifFacts {
    fn default() -> Self {
        Self {
            orientation: 1,
            summary: None,
        }
    }
}

impl ExifFacts {
    /// Larger blocks are ignored: a JPEG segment holds 64 KiB.
    pub(crate) const MAX_BYTES: usize = 1 << 20;

    /// Reads a TIFF structure as far as possible; a broken block counts as none.
    pub fn read(tiff: &[u8]) -> Self {
        if tiff.len() > Self::MAX_BYTES {
            return Self::default();
        }
        // Some writers put the prefix that precedes EXIF in JPEG elsewhere too, or twice.
        let tiff = tiff.strip_prefix(b"Exif\0\0").unwrap_or(tiff);
        let Some(image) = Tiff::read(tiff).and_then(Tiff::first) else {
            return Self::default();
        };
        Self::of_directory(image)
    }

    /// Of a TIFF, whose first directory is what an EXIF block has, or of a file like it. Of a
    /// BigTIFF only the orientation is read.
    pub(crate) fn of_file(file: Ifds<'_>) -> Self {
        if file.is_big {
            let turned = file.first().and_then(|image| image.number(ORIENTATION));
            return Self {
                orientation: turned.map_or(1, valid_orientation),
                summary: None,
            };
        }
        let image = Tiff::of_file(file.bytes).and_then(Tiff::first);
        image.map(Self::of_directory).unwrap_or_default()
    }

    fn of_directory(image: Directory<'_>) -> Self {
        let shot = image.directory(EXIF_DIRECTORY);
        Self {
            orientation: orientation(image),
            summary: summary(image, shot),
        }
    }

    /// Of a file that keeps both directories as TIFF structures of their own.
    pub(crate) fn of_parts(image: &[u8], shot: Option<&[u8]>) -> Self {
        let Some(directory) = Tiff::read(image).and_then(Tiff::first) else {
            return Self::default();
        };
        let shot = shot.and_then(|part| Tiff::read(part)?.first());
        Self {
            orientation: orientation(directory),
            summary: summary(directory, shot),
        }
    }
}

fn valid_orientation(value: u64) -> u8 {
    match value {
        1..=8 => value as u8,
        _ => 1,
    }
}

fn orientation(image: Directory<'_>) -> u8 {
    image
        .number(ORIENTATION)
        .and_then(|value| u8::try_from(value).ok())
        .filter(|value| (1..=8).contains(value))
        .unwrap_or(1)
}

fn summary(image: Directory<'_>, shot: Option<Directory<'_>>) -> Option<ExifSummary> {
    let dated = taken_at(image, shot);
    let summary = ExifSummary {
        camera: camera(text(image, MAKE), text(image, MODEL)),
        lens: shot.and_then(|shot| text(shot, LENS_MODEL)),
        taken_at_source: dated.as_ref().map(|(source, _)| *source),
        taken_at: dated.map(|(_, moment)| moment),
    };
    (summary != ExifSummary::default()).then_some(summary)
}

fn text(directory: Directory<'_>, tag: u16) -> Option<String> {
    shown_text(&String::from_utf8_lossy(
        directory.text(tag, MAX_TEXT_BYTES)?,
    ))
}

/// Make and model, without a make that the model repeats (`Canon`, `Canon EOS R5`).
fn camera(make: Option<String>, model: Option<String>) -> Option<String> {
    match (make, model) {
        (Some(make), Some(model)) => {
            let repeats = model
                .get(..make.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(&make));
            Some(if repeats {
                model
            } else {
                format!("{make} {model}")
            })
        }
        (make, model) => model.or(make),
    }
}

/// The best date that there is: when the picture was taken, else digitised, else the file changed.
fn taken_at(image: Directory<'_>, shot: Option<Directory<'_>>) -> Option<(TakenAt, String)> {
    let in_shot =
        |date, offset| shot.and_then(|shot| moment(shot.text(date, MAX_TEXT_BYTES)?, shot, offset));
    let original = in_shot(DATE_TIME_ORIGINAL, OFFSET_TIME_ORIGINAL);
    let digitized = || in_shot(DATE_TIME_DIGITIZED, OFFSET_TIME_DIGITIZED);
    // Its offset is in the other directory.
    let modified = || {
        let date = image.text(DATE_TIME, MAX_TEXT_BYTES)?;
        moment(date, shot.unwrap_or(image), OFFSET_TIME)
    };
    original
        .map(|moment| (TakenAt::Original, moment))
        .or_else(|| digitized().map(|moment| (TakenAt::Digitized, moment)))
        .or_else(|| modified().map(|moment| (TakenAt::Modified, moment)))
}

/// A date with its offset, if there is one. A camera without a clock writes zeros or spaces; those
/// count as no date.
fn moment(date: &[u8], offsets: Directory<'_>, offset: u16) -> Option<String> {
    let mut moment = exif::DateTime::from_ascii(date).ok()?;
    let is_date = moment.year > 0
        && (1..=12).contains(&moment.month)
        && (1..=31).contains(&moment.day)
        && moment.hour < 24
        && moment.minute < 60
        && moment.second <= 60;
    if !is_date {
        return None;
    }
    let mut text = format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second
    );
    let offset_minutes = offsets
        .text(offset, MAX_TEXT_BYTES)
        .filter(|offset| moment.parse_offset(offset).is_ok())
        .and(moment.offset)
        .filter(|minutes| minutes.abs() < 24 * 60);
    if let Some(minutes) = offset_minutes {
        let sign = if minutes < 0 { '-' } else { '+' };
        let minutes = minutes.abs();
        text.push_str(&format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60));
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use exif::{In, Tag, Value};

    fn block(fields: &[(Tag, &str)]) -> Vec<u8> {
        let fields: Vec<exif::Field> = fields
            .iter()
            .map(|(tag, text)| exif::Field {
                tag: *tag,
                ifd_num: In::PRIMARY,
                value: Value::Ascii(vec![text.as_bytes().to_vec()]),
            })
            .collect();
        let mut writer = exif::experimental::Writer::new();
        for field in &fields {
            writer.push_field(field);
        }
        let mut bytes = std::io::Cursor::new(Vec::new());
        writer.write(&mut bytes, true).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn a_make_that_the_model_repeats_is_left_out() {
        for (make, model, camera) in [
            ("Canon", "Canon EOS R5", "Canon EOS R5"),
            (
                "NIKON CORPORATION",
                "NIKON D750",
                "NIKON CORPORATION NIKON D750",
            ),
            ("FUJIFILM ", "X-T4\0", "FUJIFILM X-T4"),
        ] {
            let facts = ExifFacts::read(&block(&[(Tag::Make, make), (Tag::Model, model)]));
            assert_eq!(facts.summary.unwrap().camera.as_deref(), Some(camera));
        }
    }

    #[test]
    fn dates_are_given_in_iso_form_with_their_offset() {
        let with_offset = block(&[
            (Tag::DateTimeOriginal, "2024:05:17 13:45:59"),
            (Tag::OffsetTimeOriginal, "-03:30"),
        ]);
        assert_eq!(
            ExifFacts::read(&with_offset)
                .summary
                .unwrap()
                .taken_at
                .as_deref(),
            Some("2024-05-17T13:45:59-03:30")
        );
        for no_date in [
            "0000:00:00 00:00:00",
            "    :  :     :  :  ",
            "2024:13:01 00:00:00",
            "soon",
        ] {
            let facts = ExifFacts::read(&block(&[(Tag::DateTimeOriginal, no_date)]));
            assert_eq!(facts, ExifFacts::default(), "{no_date}");
        }
    }

    #[test]
    fn the_best_date_is_taken_and_named() {
        let dates = [
            (Tag::DateTime, "2024:03:03 00:00:00"),
            (Tag::DateTimeDigitized, "2024:02:02 00:00:00"),
            (Tag::DateTimeOriginal, "2024:01:01 00:00:00"),
            (Tag::OffsetTime, "+01:00"),
        ];
        for (fields, date, source) in [
            (&dates[..], "2024-01-01T00:00:00", TakenAt::Original),
            (&dates[..2], "2024-02-02T00:00:00", TakenAt::Digitized),
            (&dates[..1], "2024-03-03T00:00:00", TakenAt::Modified),
            (
                &[dates[0], dates[3]],
                "2024-03-03T00:00:00+01:00",
                TakenAt::Modified,
            ),
        ] {
            let summary = ExifFacts::read(&block(fields)).summary.unwrap();
            assert_eq!(summary.taken_at.as_deref(), Some(date));
            assert_eq!(summary.taken_at_source, Some(source));
        }
    }

    #[test]
    fn a_number_or_text_of_another_type_counts() {
        let field = |tag, value| exif::Field {
            tag,
            ifd_num: In::PRIMARY,
            value,
        };
        for orientation in [
            Value::SByte(vec![6]),
            Value::SShort(vec![6]),
            Value::SLong(vec![6]),
            Value::Long(vec![6]),
        ] {
            for make in [
                Value::Undefined(b"Canon\0".to_vec(), 0),
                Value::Byte(b"Canon\0".to_vec()),
            ] {
                let fields = [
                    field(Tag::Make, make),
                    field(Tag::Orientation, orientation.clone()),
                ];
                let mut writer = exif::experimental::Writer::new();
                fields.iter().for_each(|field| writer.push_field(field));
                let mut bytes = std::io::Cursor::new(Vec::new());
                writer.write(&mut bytes, false).unwrap();
                let facts = ExifFacts::read(&bytes.into_inner());
                assert_eq!(facts.orientation, 6, "{orientation:?}");
                assert_eq!(facts.summary.unwrap().camera.as_deref(), Some("Canon"));
            }
        }
        let negative = field(Tag::Orientation, Value::SLong(vec![-6]));
        let mut writer = exif::experimental::Writer::new();
        writer.push_field(&negative);
        let mut bytes = std::io::Cursor::new(Vec::new());
        writer.write(&mut bytes, true).unwrap();
        assert_eq!(ExifFacts::read(&bytes.into_inner()).orientation, 1);
    }

    #[test]
    fn a_block_beyond_the_limit_is_not_read() {
        let mut bytes = block(&[(Tag::Make, "Canon")]);
        bytes.resize(ExifFacts::MAX_BYTES, 0);
        assert!(ExifFacts::read(&bytes).summary.is_some());
        bytes.push(0);
        assert_eq!(ExifFacts::read(&bytes), ExifFacts::default());
    }

    #[test]
    fn a_broken_block_counts_as_none() {
        for broken in [
            &b""[..],
            b"II*\0",
            b"MM\0*\xff\xff\xff\xff",
            b"Exif\0\0II*\0\x08\0\0\0",
        ] {
            assert_eq!(ExifFacts::read(broken), ExifFacts::default());
        }
    }

    #[test]
    fn of_a_long_text_only_the_beginning_is_looked_at() {
        let tabs = "\t".repeat(MAX_TEXT_BYTES - 1);
        for (make, camera) in [
            (format!("{tabs}C"), Some("C")),
            (format!("{tabs}\tC"), None),
            ("\0".repeat(1 << 19), None),
        ] {
            let facts = ExifFacts::read(&block(&[(Tag::Make, &make)]));
            let read = facts.summary.and_then(|summary| summary.camera);
            assert_eq!(read.as_deref(), camera);
        }
    }
}
