use crate::jpeg::encode::blocks::{BlockSink, Source};
use crate::jpeg::encode::forward::Block;

/// The blocks of a picture.
pub struct Coefficients {
    components: Vec<Component>,
}

struct Component {
    /// In the order of MCUs, including those beyond the edges.
    blocks: Vec<Leveled>,
    /// There are `1 << shift` blocks across and down an MCU.
    shift: u32,
    mcus_across: usize,
    /// Blocks that hold a part of the picture.
    columns: usize,
    rows: usize,
}

/// A block of quantised coefficients, and which of them are not yet zero when their lowest bits are
/// taken off.
pub struct Leveled {
    pub block: Block,
    /// Bit k of `reached[n]` is set if the k-th coefficient is 2ⁿ or more, whatever its sign.
    reached: [u64; 3],
}

impl Coefficients {
    pub fn new(source: &Source<'_>) -> Self {
        let (width, height) = source.picture.size();
        let shifts = source.picture.shifts();
        // Pixels that an MCU has across and down.
        let mcu = 8 << shifts[0];
        let mcus_across = usize::from(width.div_ceil(mcu));
        let mcus = mcus_across * usize::from(height.div_ceil(mcu));
        let component = |shift: &u32| {
            // The pixels that a block of the component stands for.
            let side = mcu >> shift;
            Component {
                blocks: Vec::with_capacity(mcus << (2 * shift)),
                shift: *shift,
                mcus_across,
                columns: usize::from(width.div_ceil(side)),
                rows: usize::from(height.div_ceil(side)),
            }
        };
        Self {
            components: shifts.iter().map(component).collect(),
        }
    }

    /// The blocks of each component in each MCU: what a scan of several components holds (A.2.3).
    pub fn interleaved(&self) -> impl Iterator<Item = (usize, &Block)> {
        let mcus = self.components[0].blocks.len() >> (2 * self.components[0].shift);
        (0..mcus).flat_map(move |mcu| {
            let components = self.components.iter().enumerate();
            components.flat_map(move |(index, component)| {
                let per_mcu = 1 << (2 * component.shift);
                let blocks = &component.blocks[mcu * per_mcu..(mcu + 1) * per_mcu];
                blocks.iter().map(move |leveled| (index, &leveled.block))
            })
        })
    }

    /// The blocks that hold a part of the picture, row by row: what a scan of one component holds
    /// (A.2.2).
    pub fn of_component(&self, index: u8) -> impl Iterator<Item = &Leveled> {
        let component = &self.components[usize::from(index)];
        let shift = component.shift;
        let within = (1 << shift) - 1;
        (0..component.rows).flat_map(move |y| {
            (0..component.columns).map(move |x| {
                let mcu = (y >> shift) * component.mcus_across + (x >> shift);
                let block = (y & within) << shift | (x & within);
                &component.blocks[mcu << (2 * shift) | block]
            })
        })
    }
}

impl BlockSink for Coefficients {
    #[inline]
    fn take<const COMPONENT: usize>(&mut self, block: &Block) {
        self.components[COMPONENT].blocks.push(Leveled::new(block));
    }
}

impl Leveled {
    fn new(block: &Block) -> Self {
        let mut reached = [block.significant, 0, 0];
        let mut left = block.significant;
        while left != 0 {
            let k = left.trailing_zeros();
            left &= left - 1;
            let size = block.coefficient(k as usize).unsigned_abs();
            reached[1] |= u64::from(size >= 2) << k;
            reached[2] |= u64::from(size >= 4) << k;
        }
        Self {
            block: block.clone(),
            reached,
        }
    }

    /// Bit k is set if the k-th coefficient, from `first` to `last`, has a bit `low` or one above.
    #[inline(always)]
    pub fn reached(&self, low: u8, first: u8, last: u8) -> u64 {
        self.reached[usize::from(low)] & (u64::MAX << first) & (u64::MAX >> (63 - last))
    }
}
