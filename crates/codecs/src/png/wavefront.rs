//! Eight rows at once.
//!
//! A pixel needs its left neighbour first, so one row is a chain of steps that each wait for the
//! one before. The rows are therefore taken as a wavefront: at step t, row k is at pixel t − k. Its
//! neighbours above are then the results of row k − 1 one and two steps ago, and the pixels of a
//! step don't wait for each other.
//!
//! Four rows are one vector. Two vectors take the time of one, because the processor waits for
//! neither; with three or four it is busy, and there is little more to gain.

use super::filter::Filter;
use crate::simd::Bytes;

/// Rows that are unfiltered together.
pub const ROWS: usize = 4 * GROUPS;
/// Vectors of four rows.
const GROUPS: usize = 2;
/// What raw and finished rows must have after their end: whole blocks are read and written.
pub const PADDING_BYTES: usize = 16;
/// Pixels between two looks at the bounds of the rows.
const BLOCK: usize = 4;

/// Turns the filtered bytes of [`ROWS`] rows into samples. `above` is the finished row above them,
/// zeros at the top.
///
/// Each row has `width` pixels of `bytes_per_pixel` (1 to 4), followed by at least
/// [`PADDING_BYTES`], of which those in `out` change.
///
/// # Panics
/// If a row is shorter, or pixels have another number of bytes.
pub fn unfilter(
    width: usize,
    bytes_per_pixel: usize,
    filters: [Filter; ROWS],
    above: &[u8],
    raw: [&[u8]; ROWS],
    out: [&mut [u8]; ROWS],
) {
    let averages = filters.contains(&Filter::Average);
    match (bytes_per_pixel, averages) {
        (1, false) => run::<1, false>(width, filters, above, raw, out),
        (1, true) => run::<1, true>(width, filters, above, raw, out),
        (2, false) => run::<2, false>(width, filters, above, raw, out),
        (2, true) => run::<2, true>(width, filters, above, raw, out),
        (3, false) => run::<3, false>(width, filters, above, raw, out),
        (3, true) => run::<3, true>(width, filters, above, raw, out),
        (4, false) => run::<4, false>(width, filters, above, raw, out),
        (4, true) => run::<4, true>(width, filters, above, raw, out),
        _ => panic!("a pixel of {bytes_per_pixel} bytes"),
    }
}

fn run<const BPP: usize, const AVERAGES: bool>(
    width: usize,
    filters: [Filter; ROWS],
    above: &[u8],
    raw: [&[u8]; ROWS],
    mut out: [&mut [u8]; ROWS],
) {
    let mut front = Front::<AVERAGES>::new(filters);
    let lead = ROWS - 1;
    let mut step = 0;
    while step < width + lead {
        let blocks = (width.saturating_sub(step)) / BLOCK;
        if step >= lead && blocks > 0 {
            let at = |row: usize| (step - row) * BPP;
            for block in 0..blocks {
                let offset = block * BLOCK * BPP;
                let above = block_at(above, at(0) + offset);
                let raw: [_; ROWS] =
                    std::array::from_fn(|row| block_at(raw[row], at(row) + offset));
                let mut steps = [[0; ROWS]; BLOCK];
                for (pixel, finished) in steps.iter_mut().enumerate() {
                    let at = pixel * BPP;
                    *finished =
                        front.advance(pixel_of(above, at), raw.map(|row| pixel_of(row, at)));
                }
                for (row, out) in out.iter_mut().enumerate() {
                    let start = at(row) + offset;
                    let Some(out) = out[start..].first_chunk_mut::<PADDING_BYTES>() else {
                        unreachable!("rows have their padding");
                    };
                    for (pixel, finished) in steps.iter().enumerate() {
                        out[pixel * BPP..][..4].copy_from_slice(&finished[row].to_le_bytes());
                    }
                }
            }
            step += blocks * BLOCK;
            continue;
        }
        // Steps at which the front is not yet in all rows, or no longer.
        let inside = |row: usize| step.checked_sub(row).filter(|x| *x < width);
        let filtered =
            std::array::from_fn(|row| inside(row).map_or(0, |x| pixel_at(raw[row], x * BPP)));
        let above = inside(0).map_or(0, |x| pixel_at(above, x * BPP));
        let finished = front.advance(above, filtered);
        for (row, out) in out.iter_mut().enumerate() {
            if let Some(x) = inside(row) {
                out[x * BPP..][..BPP].copy_from_slice(&finished[row].to_le_bytes()[..BPP]);
            }
        }
        step += 1;
    }
}

#[inline(always)]
fn block_at(row: &[u8], at: usize) -> &[u8; PADDING_BYTES] {
    let Some(block) = row[at..].first_chunk() else {
        unreachable!("rows have their padding");
    };
    block
}

#[inline(always)]
fn pixel_of(block: &[u8; PADDING_BYTES], at: usize) -> u32 {
    u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]])
}

fn pixel_at(row: &[u8], at: usize) -> u32 {
    pixel_of(block_at(row, at), 0)
}

/// Where the rows are: each is one pixel behind the one above it.
struct Front<const AVERAGES: bool> {
    groups: [Group<AVERAGES>; GROUPS],
}

impl<const AVERAGES: bool> Front<AVERAGES> {
    fn new(filters: [Filter; ROWS]) -> Self {
        let group = |index| Group::new(std::array::from_fn(|row| filters[index * 4 + row]));
        Self {
            groups: std::array::from_fn(group),
        }
    }

    /// One pixel of each row. The first pixels of a row have zeros to their left: rows that the
    /// front has not reached yet get zeros, and give zeros.
    #[inline(always)]
    fn advance(&mut self, above: u32, filtered: [u32; ROWS]) -> [u32; ROWS] {
        let mut finished = [0; ROWS];
        let mut above = above;
        for (index, group) in self.groups.iter_mut().enumerate() {
            let at = index * 4;
            // What the last row gave one step ago is above the first row of the next group.
            let below = group.left.last_pixel();
            let filtered = std::array::from_fn(|row| filtered[at + row]);
            finished[at..at + 4].copy_from_slice(&group.advance(above, filtered));
            above = below;
        }
        finished
    }
}

/// Four rows of the front.
struct Group<const AVERAGES: bool> {
    /// The results of the last step: the left neighbours.
    left: Bytes,
    /// The upper neighbours of the last step: now the upper left ones.
    upper_left: Bytes,
    /// Zero in the rows whose filter does not use that neighbour.
    uses_left: Bytes,
    uses_up: Bytes,
    uses_upper_left: Bytes,
    /// Zero in the rows that predict the average.
    predicts_paeth: Bytes,
}

impl<const AVERAGES: bool> Group<AVERAGES> {
    fn new(filters: [Filter; 4]) -> Self {
        let mask = |test: fn(Filter) -> bool| {
            Bytes::from_pixels(filters.map(|filter| if test(filter) { u32::MAX } else { 0 }))
        };
        Self {
            left: Bytes::zero(),
            upper_left: Bytes::zero(),
            uses_left: mask(|filter| !matches!(filter, Filter::None | Filter::Up)),
            uses_up: mask(|filter| !matches!(filter, Filter::None | Filter::Sub)),
            uses_upper_left: mask(|filter| filter == Filter::Paeth),
            predicts_paeth: mask(|filter| filter != Filter::Average),
        }
    }

    #[inline(always)]
    fn advance(&mut self, above: u32, filtered: [u32; 4]) -> [u32; 4] {
        let up = self.left.moved_down(above);
        let a = self.left.and(self.uses_left);
        let b = up.and(self.uses_up);
        let c = self.upper_left.and(self.uses_upper_left);
        let mut predicted = paeth(a, b, c);
        if AVERAGES {
            predicted = self.predicts_paeth.if_zero(a.average(b), predicted);
        }
        self.upper_left = up;
        self.left = Bytes::from_pixels(filtered).wrapping_add(predicted);
        self.left.pixels()
    }
}

/// Paeth's choice among left, up and upper left (PNG, section 9.4): the one nearest to a + b − c,
/// in this order.
///
/// With a neighbour that is zero because it is not used, this is each of the simpler filters: of
/// (a, 0, 0) it is a, of (0, b, 0) it is b.
///
/// In bytes, without sums that need more bits: let d be the distance from c down to the smaller of
/// a and b, e that up to the larger, each zero on the wrong side. The smaller is nearest where 2 e
/// ≤ d, the larger where 2 d ≤ e.
#[inline(always)]
fn paeth(a: Bytes, b: Bytes, c: Bytes) -> Bytes {
    let (low, high) = (a.min(b), a.max(b));
    let d = c.saturating_sub(low);
    let e = high.saturating_sub(c);
    let not_low = e.saturating_sub(d.saturating_sub(e));
    let not_high = d.saturating_sub(e.saturating_sub(d));
    not_low.if_zero(low, not_high.if_zero(high, c))
}
