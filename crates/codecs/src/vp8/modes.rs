//! How macroblocks are predicted (RFC 6386, section 11).

use super::bool_reader::BoolReader;
use super::header::Frame;
use super::tables::SUBBLOCK_MODE_PROBABILITIES;

/// Of a whole macroblock, or of its chroma.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    #[default]
    Dc,
    Vertical,
    Horizontal,
    TrueMotion,
}

/// Of a 4 × 4 sub-block, in the order of the tables.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SubMode {
    #[default]
    Dc,
    TrueMotion,
    Vertical,
    Horizontal,
    LeftDown,
    RightDown,
    VerticalRight,
    VerticalLeft,
    HorizontalDown,
    HorizontalUp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LumaMode {
    Whole(Mode),
    Subblocks([SubMode; 16]),
}

/// What a macroblock declares before its coefficients.
#[derive(Debug, Clone, Copy)]
pub struct Macroblock {
    pub segment: u8,
    /// It has no coefficients.
    pub is_skipped: bool,
    pub luma: LumaMode,
    pub chroma: Mode,
}

impl Macroblock {
    pub fn has_subblocks(&self) -> bool {
        matches!(self.luma, LumaMode::Subblocks(_))
    }
}

/// Reads the next macroblock. `above` and `left` are the modes of the sub-blocks that it touches.
pub fn read_macroblock(
    frame: &mut Frame<'_>,
    above: &mut [SubMode; 4],
    left: &mut [SubMode; 4],
) -> Macroblock {
    let reader = &mut frame.modes;
    let segment = frame
        .segment_tree
        .map_or(0, |[root, low, high]| match reader.read(root) {
            false => u8::from(reader.read(low)),
            true => 2 + u8::from(reader.read(high)),
        });
    let is_skipped = frame
        .not_skipped
        .is_some_and(|probability| reader.read(probability));
    let luma = if reader.read(145) {
        let mode = if reader.read(156) {
            if reader.read(128) {
                Mode::TrueMotion
            } else {
                Mode::Horizontal
            }
        } else if reader.read(163) {
            Mode::Vertical
        } else {
            Mode::Dc
        };
        (*above, *left) = ([as_submode(mode); 4], [as_submode(mode); 4]);
        LumaMode::Whole(mode)
    } else {
        let mut modes = [SubMode::Dc; 16];
        for (row, left) in modes.chunks_exact_mut(4).zip(left) {
            for (mode, above) in row.iter_mut().zip(above.iter_mut()) {
                *mode = read_submode(reader, *above, *left);
                (*above, *left) = (*mode, *mode);
            }
        }
        LumaMode::Subblocks(modes)
    };
    let chroma = if !reader.read(142) {
        Mode::Dc
    } else if !reader.read(114) {
        Mode::Vertical
    } else if !reader.read(183) {
        Mode::Horizontal
    } else {
        Mode::TrueMotion
    };
    Macroblock {
        segment,
        is_skipped,
        luma,
        chroma,
    }
}

/// The sub-block mode that stands for a whole macroblock's mode.
fn as_submode(mode: Mode) -> SubMode {
    match mode {
        Mode::Dc => SubMode::Dc,
        Mode::Vertical => SubMode::Vertical,
        Mode::Horizontal => SubMode::Horizontal,
        Mode::TrueMotion => SubMode::TrueMotion,
    }
}

/// The tree of section 11.2, written out.
fn read_submode(reader: &mut BoolReader<'_>, above: SubMode, left: SubMode) -> SubMode {
    let nodes = &SUBBLOCK_MODE_PROBABILITIES[above as usize][left as usize];
    if !reader.read(nodes[0]) {
        SubMode::Dc
    } else if !reader.read(nodes[1]) {
        SubMode::TrueMotion
    } else if !reader.read(nodes[2]) {
        SubMode::Vertical
    } else if !reader.read(nodes[3]) {
        if !reader.read(nodes[4]) {
            SubMode::Horizontal
        } else if !reader.read(nodes[5]) {
            SubMode::RightDown
        } else {
            SubMode::VerticalRight
        }
    } else if !reader.read(nodes[6]) {
        SubMode::LeftDown
    } else if !reader.read(nodes[7]) {
        SubMode::VerticalLeft
    } else if !reader.read(nodes[8]) {
        SubMode::HorizontalDown
    } else {
        SubMode::HorizontalUp
    }
}
