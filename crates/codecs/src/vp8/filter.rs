//! The loop filter across one edge (RFC 6386, section 15). All samples along the edge are filtered
//! side by side, without branches, so that the compiler makes vector code of it.

#![expect(
    clippy::needless_range_loop,
    reason = "an index along the edge chooses from eight rows at once"
)]

/// Where a macroblock is filtered, and how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strength {
    /// Limits of the edges between macroblocks and of those within.
    pub macroblock_edge: i16,
    pub subblock_edge: i16,
    pub interior: i16,
    /// More than this between neighbours is a high variance.
    pub high_variance: i16,
}

impl Strength {
    /// By section 15.2 and 15.3, for key frames; `None` for no filter. `level` is 0 to 63.
    pub fn new(level: i32, sharpness: u8) -> Option<Self> {
        let level = i16::try_from(level).ok().filter(|level| *level > 0)?;
        let sharpness = i16::from(sharpness);
        let interior = match sharpness {
            0 => level,
            1..=4 => (level >> 1).min(9 - sharpness),
            _ => (level >> 2).min(9 - sharpness),
        }
        .max(1);
        Some(Self {
            macroblock_edge: (level + 2) * 2 + interior,
            subblock_edge: level * 2 + interior,
            interior,
            high_variance: i16::from(level >= 15) + i16::from(level >= 40),
        })
    }
}

/// Samples across an edge, the first four on its one side.
pub type Across<const N: usize> = [[u8; N]; 8];

#[inline(always)]
fn clamped(value: i16) -> i16 {
    value.clamp(-128, 127)
}

/// Adds to a sample, in the range from -128 that the filters compute in.
#[inline(always)]
fn moved(sample: i16, by: i16) -> u8 {
    (clamped(sample - 128 + by) + 128) as u8
}

#[inline(always)]
fn masked(value: i16, is_on: bool) -> i16 {
    if is_on { value } else { 0 }
}

/// Of luma only, and only two samples of each side.
pub fn filter_simple<const N: usize>(samples: &mut Across<N>, edge_limit: i16) {
    for i in 0..N {
        let at = |row: usize| i16::from(samples[row][i]);
        let [p1, p0, q0, q1] = [at(2), at(3), at(4), at(5)];
        let is_on = (p0 - q0).abs() * 2 + ((p1 - q1).abs() >> 1) <= edge_limit;
        let step = masked(clamped(clamped(p1 - q1) + 3 * (q0 - p0)), is_on);
        samples[3][i] = moved(p0, clamped(step + 3) >> 3);
        samples[4][i] = moved(q0, -(clamped(step + 4) >> 3));
    }
}

/// Which samples are filtered, and which of them have a high variance.
#[inline(always)]
fn judged(s: [i16; 8], edge_limit: i16, strength: &Strength) -> (bool, bool) {
    let apart = |a: usize, b: usize| (s[a] - s[b]).abs();
    let is_on = (apart(3, 4) * 2 + (apart(2, 5) >> 1) <= edge_limit)
        & (apart(0, 1) <= strength.interior)
        & (apart(1, 2) <= strength.interior)
        & (apart(2, 3) <= strength.interior)
        & (apart(4, 5) <= strength.interior)
        & (apart(5, 6) <= strength.interior)
        & (apart(6, 7) <= strength.interior);
    let is_high = (apart(2, 3) > strength.high_variance) | (apart(4, 5) > strength.high_variance);
    (is_on, is_high)
}

/// The normal filter across an edge between macroblocks.
pub fn filter_macroblock_edge<const N: usize>(samples: &mut Across<N>, strength: &Strength) {
    for i in 0..N {
        let s: [i16; 8] = std::array::from_fn(|row| i16::from(samples[row][i]));
        let (is_on, is_high) = judged(s, strength.macroblock_edge, strength);
        let [_, p2, p1, p0, q0, q1, q2, _] = s;
        let step = masked(clamped(clamped(p1 - q1) + 3 * (q0 - p0)), is_on);
        let (high, low) = (masked(step, is_high), masked(step, !is_high));
        let part = |weight: i16| clamped((weight * low + 63) >> 7);
        samples[1][i] = moved(p2, part(9));
        samples[2][i] = moved(p1, part(18));
        samples[3][i] = moved(p0, part(27) + (clamped(high + 3) >> 3));
        samples[4][i] = moved(q0, -part(27) - (clamped(high + 4) >> 3));
        samples[5][i] = moved(q1, -part(18));
        samples[6][i] = moved(q2, -part(9));
    }
}

/// The normal filter across an edge between sub-blocks.
pub fn filter_subblock_edge<const N: usize>(samples: &mut Across<N>, strength: &Strength) {
    for i in 0..N {
        let s: [i16; 8] = std::array::from_fn(|row| i16::from(samples[row][i]));
        let (is_on, is_high) = judged(s, strength.subblock_edge, strength);
        let [_, _, p1, p0, q0, q1, _, _] = s;
        let outer = masked(clamped(p1 - q1), is_high);
        let step = masked(clamped(outer + 3 * (q0 - p0)), is_on);
        let forward = clamped(step + 4) >> 3;
        let further = masked((forward + 1) >> 1, !is_high);
        samples[2][i] = moved(p1, further);
        samples[3][i] = moved(p0, clamped(step + 3) >> 3);
        samples[4][i] = moved(q0, -forward);
        samples[5][i] = moved(q1, -further);
    }
}
