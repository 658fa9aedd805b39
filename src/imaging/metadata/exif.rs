//! EXIF: the orientation, and the few fields that are shown. GPS is never read.

use exif::{Exif, In, Reader, Tag, Value};

use super::shown_text;
use crate::domain::ExifSummary;

/// Larger blocks are ignored: a JPEG segment holds 64 KiB, and the reader copies its input.
const MAX_EXIF_BYTES: usize = 1 << 20;

/// What is used of an EXIF block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExifFacts {
    /// 1–8, see [`crate::imaging::orient`].
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
    /// Reads a TIFF structure as far as it can be read; a broken block counts as none.
    pub(crate) fn read(tiff: &[u8]) -> Self {
        if tiff.len() > MAX_EXIF_BYTES {
            return Self::default();
        }
        let mut reader = Reader::new();
        reader.continue_on_error(true);
        let Ok(exif) = reader
            .read_raw(tiff.to_vec())
            .or_else(|error| error.distill_partial_result(|_| ()))
        else {
            return Self::default();
        };
        Self {
            orientation: orientation(&exif),
            summary: summary(&exif),
        }
    }
}

fn orientation(exif: &Exif) -> u8 {
    exif.get_field(Tag::Orientation, In::PRIMARY)
        .and_then(|field| field.value.get_uint(0))
        .and_then(|value| u8::try_from(value).ok())
        .filter(|value| (1..=8).contains(value))
        .unwrap_or(1)
}

fn summary(exif: &Exif) -> Option<ExifSummary> {
    let summary = ExifSummary {
        camera: camera(text(exif, Tag::Make), text(exif, Tag::Model)),
        lens: text(exif, Tag::LensModel),
        taken_at: taken_at(exif),
    };
    (summary != ExifSummary::default()).then_some(summary)
}

fn text(exif: &Exif, tag: Tag) -> Option<String> {
    shown_text(&String::from_utf8_lossy(ascii(exif, tag)?))
}

fn ascii(exif: &Exif, tag: Tag) -> Option<&[u8]> {
    match &exif.get_field(tag, In::PRIMARY)?.value {
        Value::Ascii(texts) => texts.first().map(Vec::as_slice),
        _ => None,
    }
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

/// `DateTimeOriginal` with `OffsetTimeOriginal`. A camera without a clock writes zeros or
/// spaces; those count as no date.
fn taken_at(exif: &Exif) -> Option<String> {
    let mut moment = exif::DateTime::from_ascii(ascii(exif, Tag::DateTimeOriginal)?).ok()?;
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
    let offset_minutes = ascii(exif, Tag::OffsetTimeOriginal)
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
    fn a_block_beyond_the_limit_is_not_read() {
        let mut bytes = block(&[(Tag::Make, "Canon")]);
        bytes.resize(MAX_EXIF_BYTES, 0);
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
}
