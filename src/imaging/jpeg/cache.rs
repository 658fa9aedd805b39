use super::huffman::{AcSkipTable, AcValueTable, DcTable, HuffmanCode};

/// Look-up tables from one picture to the next: building one takes longer than comparing its code, and most
/// pictures of a source share theirs (the examples of T.81, annex K, above all).
#[derive(Default)]
pub struct TableCache {
    dc: [Option<DcTable>; 4],
    values: [Option<AcValueTable>; 4],
    skips: [Option<AcSkipTable>; 4],
}

impl TableCache {
    pub fn prepare_dc(&mut self, number: usize, code: &HuffmanCode) {
        let slot = &mut self.dc[number];
        if slot.as_ref().is_none_or(|table| table.code() != code) {
            *slot = Some(DcTable::new(code.clone()));
        }
    }

    pub fn prepare_values(&mut self, number: usize, code: &HuffmanCode) {
        let slot = &mut self.values[number];
        if slot.as_ref().is_none_or(|table| table.code() != code) {
            *slot = Some(AcValueTable::new(code.clone()));
        }
    }

    pub fn prepare_skips(&mut self, number: usize, code: &HuffmanCode) {
        let slot = &mut self.skips[number];
        if slot.as_ref().is_none_or(|table| table.code() != code) {
            *slot = Some(AcSkipTable::new(code.clone()));
        }
    }

    pub fn dc(&self, number: usize) -> Option<&DcTable> {
        self.dc[number].as_ref()
    }

    pub fn values(&self, number: usize) -> Option<&AcValueTable> {
        self.values[number].as_ref()
    }

    pub fn skips(&self, number: usize) -> Option<&AcSkipTable> {
        self.skips[number].as_ref()
    }
}
