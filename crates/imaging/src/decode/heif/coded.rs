//! The coded picture of an item: slice by slice, so that the clock is looked at between them.

use heifer::heifer_hevc_dec::nal::NalUnit;
use heifer::heifer_hevc_dec::params::ParameterSets;
use heifer::heifer_hevc_dec::recon::{Frame, Reconstructor};
use heifer::heifer_hevc_dec::slice::SliceHeader;
use heifer::heifer_hevc_dec::syntax::{Picture, decode_slice_segment};
use heifer::heifer_isobmff::{HeifFile, ItemId};

use super::container::corrupt;
use crate::error::ImagingError;
use crate::limits::Limits;

/// Parameters and remarks before the first slice; pictures have three, and some remarks.
const MAX_UNITS_BEFORE: usize = 256;

/// Decodes the picture of an item, of at most so many samples of luma.
///
/// The slices of one picture may claim the same blocks again and again, so the blocks are counted:
/// those of a picture are decoded once.
pub(super) fn decode(
    file: &HeifFile<'_>,
    id: ItemId,
    max_pixels: u64,
    limits: &Limits,
) -> Result<Frame, ImagingError> {
    let config = file.hevc_config(id).map_err(corrupt)?;
    let config = config.ok_or_else(|| corrupt("it lacks its parameters"))?;
    let data = file.item_data(id).map_err(corrupt)?;
    let parameters = config.nal_units.iter().map(|unit| Ok(unit.as_slice()));
    let units = Units {
        rest: &data,
        length_bytes: config.nal_length_size.into(),
    };
    decode_units(parameters.chain(units), max_pixels, limits)
}

fn decode_units<'u>(
    units: impl Iterator<Item = Result<&'u [u8], ImagingError>>,
    max_pixels: u64,
    limits: &Limits,
) -> Result<Frame, ImagingError> {
    let mut units = units.map(|unit| NalUnit::parse(without_padding(unit?)).map_err(corrupt));
    let mut sets = ParameterSets::default();
    let mut first_slice = None;
    for unit in units.by_ref().take(MAX_UNITS_BEFORE) {
        let unit = unit?;
        if unit.header.unit_type.is_slice() {
            first_slice = Some(unit);
            break;
        }
        sets.add(&unit).map_err(corrupt)?;
    }
    let first_slice = first_slice.ok_or_else(|| corrupt("it has no slice"))?;

    let mut state: Option<(Picture<'_>, Reconstructor<'_>)> = None;
    let mut previous: Option<SliceHeader> = None;
    for unit in std::iter::once(Ok(first_slice)).chain(units) {
        let unit = unit?;
        if !unit.header.unit_type.is_slice() {
            continue;
        }
        limits.check_deadline()?;
        // `first_slice_segment_in_pic_flag` (ITU-T H.265, 7.3.6.1): another picture begins.
        let begins_a_picture = unit.rbsp.first().is_some_and(|byte| byte & 0x80 != 0);
        if begins_a_picture && state.is_some() {
            break;
        }
        let header = SliceHeader::parse(&unit.rbsp, &unit.header, &sets, previous.as_ref());
        let header = header.map_err(corrupt)?;
        let (pps, sps) = sets
            .get(header.slice_pic_parameter_set_id.into())
            .map_err(corrupt)?;
        let (width, height) = (
            sps.pic_width_in_luma_samples,
            sps.pic_height_in_luma_samples,
        );
        if u64::from(width) * u64::from(height) > max_pixels {
            return Err(corrupt("a coded picture is larger than it claims"));
        }
        let (picture, samples) =
            state.get_or_insert_with(|| (Picture::new(sps, pps), Reconstructor::new(sps, pps)));
        samples.start_slice(&header);
        let data = unit.rbsp.get(header.header_size..).unwrap_or_default();
        let quality = header.slice_qp_y(&sets).map_err(corrupt)?;
        decode_slice_segment(picture, &header, quality, data, samples).map_err(corrupt)?;
        if let Some(error) = samples.error.take() {
            return Err(corrupt(error));
        }
        let (columns, rows) = picture.sps.pic_size_in_ctbs();
        if picture.decoded_ctbs > columns * rows {
            return Err(corrupt("its slices lie over each other"));
        }
        if !header.dependent_slice_segment_flag {
            previous = Some(header);
        }
    }
    let (picture, samples) = state.ok_or_else(|| corrupt("it has no slice"))?;
    if !picture.is_complete() {
        return Err(corrupt("a coded picture is incomplete"));
    }
    let sps = picture.sps;
    let frame = samples.finish(false);
    if sps.conf_win_offsets == [0; 4] {
        return Ok(frame);
    }
    Ok(frame.cropped(sps))
}

/// Zeros behind the end of a unit (`cabac_zero_words`).
fn without_padding(unit: &[u8]) -> &[u8] {
    let end = unit.iter().rposition(|byte| *byte != 0);
    &unit[..end.map_or(0, |last| last + 1)]
}

/// The units of an item, each behind its length (ISO/IEC 14496-15, 8.3.3.1).
struct Units<'u> {
    rest: &'u [u8],
    length_bytes: usize,
}

impl<'u> Iterator for Units<'u> {
    type Item = Result<&'u [u8], ImagingError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let unit = self.rest.split_at_checked(self.length_bytes);
        let unit = unit.and_then(|(length, rest)| {
            let length = length
                .iter()
                .fold(0, |length, byte| length << 8 | usize::from(*byte));
            rest.split_at_checked(length)
        });
        // What is left after a unit that ends early belongs to nothing.
        let (unit, rest) = unit.unwrap_or_default();
        self.rest = rest;
        Some(if unit.is_empty() {
            self.rest = &[];
            Err(corrupt("its data ends within a unit"))
        } else {
            Ok(unit)
        })
    }
}
