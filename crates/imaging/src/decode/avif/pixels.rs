//! The pixels: a row of tiles is decoded at a time, and averaged row by row.

use thumbforge_av1::{Av1Error, Chroma, Frame};

use super::colors::{Conversion, floats};
use super::container::{Container, Nclx, Tiles};
use super::corrupt;
use crate::decode::{Decoded, ROWS_PER_DEADLINE_CHECK};
use crate::error::ImagingError;
use crate::geometry::Size;
use crate::limits::Limits;
use crate::picture::Pixels;
use crate::raster::Layout;
use crate::reduce::BoxReducer;

pub(super) fn decode(
    container: &Container<'_>,
    target: Size,
    limits: &Limits,
) -> Result<Decoded<'static>, ImagingError> {
    let picture = container.picture()?;
    let size = picture.size;
    let alpha = match &picture.alpha {
        Some(alpha) => Some(alpha_plane(container, &alpha.tiles, size, limits)?),
        None => None,
    };
    let is_premultiplied = picture
        .alpha
        .as_ref()
        .is_some_and(|alpha| alpha.is_premultiplied);
    let mut reducer = None;
    let mut row = Vec::new();
    let width = size.width as usize;
    let shown = picture.transforms.size;
    let (left, above) = picture.transforms.skipped;
    for_each_row(container, &picture.tiles, size, limits, |y, parts| {
        let is_grey = parts[0].frame.chroma == Chroma::None;
        let reducer = reducer.get_or_insert_with(|| {
            let layout = match (is_grey, &alpha) {
                (true, None) => Layout::Luma,
                (true, Some(_)) => Layout::LumaAlpha,
                (false, None) => Layout::Rgb,
                (false, Some(_)) => Layout::Rgba,
            };
            (BoxReducer::new(shown, target, layout), layout)
        });
        if y < above || y >= above + shown.height {
            return Ok(());
        }
        let (reducer, layout) = (&mut reducer.0, reducer.1);
        let channels = layout.channels();
        row.resize(width * channels, 255);
        for part in parts {
            let from = part.x * channels;
            let to = ((part.x + part.frame.width as usize) * channels).min(row.len());
            part.write(y, picture.nclx, layout, &mut row[from..to])?;
        }
        if let Some(alpha) = &alpha {
            let samples = &alpha[y as usize * width..][..width];
            for (pixel, alpha) in row.chunks_exact_mut(channels).zip(samples) {
                pixel[channels - 1] = *alpha;
            }
        }
        let cut = &row[left as usize * channels..][..shown.width as usize * channels];
        if is_premultiplied {
            reducer.push_premultiplied_row(cut);
        } else {
            reducer.push_row(cut);
        }
        Ok(())
    })?;
    let (reducer, _) = reducer.ok_or_else(|| corrupt("it has no rows"))?;
    Ok(Decoded {
        pixels: Pixels::Raster(reducer.finish()),
        rows: shown.height,
        truncated: false,
    })
}

fn alpha_plane(
    container: &Container<'_>,
    tiles: &Tiles,
    size: Size,
    limits: &Limits,
) -> Result<Vec<u8>, ImagingError> {
    let width = size.width as usize;
    let mut plane = vec![255; size.area()];
    for_each_row(container, tiles, size, limits, |y, parts| {
        let row = &mut plane[y as usize * width..][..width];
        for part in parts {
            let to = (part.x + part.frame.width as usize).min(width);
            part.write(y, None, Layout::Luma, &mut row[part.x..to])?;
        }
        Ok(())
    })?;
    Ok(plane)
}

/// A decoded tile, and where it lies.
struct Part {
    frame: Frame,
    x: usize,
    y: u32,
}

/// Decodes row by row of tiles, and shows each row of the picture with the tiles that it crosses.
fn for_each_row(
    container: &Container<'_>,
    tiles: &Tiles,
    size: Size,
    limits: &Limits,
    mut show: impl FnMut(u32, &[Part]) -> Result<(), ImagingError>,
) -> Result<(), ImagingError> {
    let mut top = 0;
    for items in tiles.items.chunks(tiles.columns) {
        let mut parts = Vec::with_capacity(items.len());
        for (column, item) in items.iter().enumerate() {
            limits.check_deadline()?;
            let code = container.code(*item)?;
            let most = u32::try_from(tiles.size.area()).unwrap_or(u32::MAX);
            let frame = thumbforge_av1::decode(&code, most).map_err(|error| match error {
                // No memory, or no thread: that is not the picture's fault.
                Av1Error::NoDecoder => ImagingError::Internal(error.to_string()),
                error => corrupt(error),
            })?;
            if Size::new(frame.width, frame.height) != tiles.size {
                return Err(corrupt("a frame has another size than its header"));
            }
            let x = column * tiles.size.width as usize;
            parts.push(Part { frame, x, y: top });
        }
        let bottom = size.height.min(top.saturating_add(tiles.size.height));
        for y in top..bottom {
            if (y as usize).is_multiple_of(ROWS_PER_DEADLINE_CHECK) {
                limits.check_deadline()?;
            }
            show(y, &parts)?;
        }
        top = bottom;
    }
    Ok(())
}

impl Part {
    /// Writes its part of a row, as far as `out` reaches.
    fn write(
        &self,
        y: u32,
        nclx: Option<Nclx>,
        layout: Layout,
        out: &mut [u8],
    ) -> Result<(), ImagingError> {
        let frame = &self.frame;
        // The container wins over the stream (AVIF, 2.2.1).
        let (matrix, full_range) = match nclx {
            Some(nclx) => (nclx.matrix, nclx.full_range),
            None => (frame.colors.matrix.into(), frame.colors.full_range),
        };
        let conversion = Conversion::new(matrix, full_range, frame.bits)?;
        let y = y - self.y;
        let (mut luma, mut cb, mut cr) = (Vec::new(), Vec::new(), Vec::new());
        floats(frame.row(0, y), &mut luma);
        let channels = layout.channels();
        let has_color = matches!(layout, Layout::Rgb | Layout::Rgba);
        if !has_color || frame.chroma == Chroma::None {
            for (pixel, sample) in out.chunks_exact_mut(channels).zip(&luma) {
                let grey = conversion.grey(*sample);
                let colors = if has_color { 3 } else { 1 };
                pixel[..colors].fill(grey);
            }
            return Ok(());
        }
        chroma_row(frame, 1, y, &mut cb);
        chroma_row(frame, 2, y, &mut cr);
        let samples = luma.iter().zip(cb.iter().zip(&cr));
        for (pixel, (luma, (cb, cr))) in out.chunks_exact_mut(channels).zip(samples) {
            pixel[..3].copy_from_slice(&conversion.rgb(*luma, *cb, *cr));
        }
        Ok(())
    }
}

/// A row of chroma in the width of luma: samples lie between the pixels that share them, and the
/// nearer one counts three times as much as the other.
fn chroma_row(frame: &Frame, plane: usize, y: u32, out: &mut Vec<f32>) {
    match frame.chroma {
        Chroma::None => out.clear(),
        Chroma::Full => floats(frame.row(plane, y), out),
        Chroma::Half => {
            let mut row = Vec::new();
            floats(frame.row(plane, y), &mut row);
            widen(&row, frame.width as usize, out);
        }
        Chroma::Quarter => {
            let (_, height) = frame.plane_size(plane);
            let near = y / 2;
            let far = if y.is_multiple_of(2) {
                near.saturating_sub(1)
            } else {
                near + 1
            };
            let (mut row, mut other) = (Vec::new(), Vec::new());
            floats(frame.row(plane, near), &mut row);
            floats(frame.row(plane, far.min(height - 1)), &mut other);
            for (near, far) in row.iter_mut().zip(&other) {
                *near = 0.75 * *near + 0.25 * far;
            }
            widen(&row, frame.width as usize, out);
        }
    }
}

fn widen(row: &[f32], width: usize, out: &mut Vec<f32>) {
    out.clear();
    for (index, sample) in row.iter().enumerate() {
        let left = row[index.saturating_sub(1)];
        let right = row.get(index + 1).copied().unwrap_or(*sample);
        out.push(0.75 * sample + 0.25 * left);
        out.push(0.75 * sample + 0.25 * right);
    }
    out.truncate(width);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chroma_is_interpolated_between_its_samples() {
        let mut out = Vec::new();
        widen(&[0.0, 8.0, 4.0], 5, &mut out);
        assert_eq!(out, [0.0, 2.0, 6.0, 7.0, 5.0]);
        widen(&[3.0], 1, &mut out);
        assert_eq!(out, [3.0]);
    }
}
