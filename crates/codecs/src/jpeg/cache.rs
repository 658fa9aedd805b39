use super::huffman::{AcSkipTable, AcValueTable, DcTable, HuffmanCode, LookupTable, SymbolTable};
use super::steps::StepTables;

/// Keeps look-up tables from one picture to the next: building one takes longer than comparing its
/// code, and most pictures of a source share theirs (above all the examples of T.81, annex K).
#[derive(Default)]
pub struct TableCache {
    pub dc: Slots<DcTable>,
    pub values: Slots<AcValueTable>,
    pub skips: Slots<AcSkipTable>,
    pub symbols: Slots<SymbolTable>,
    pub steps: StepTables,
}

/// One kind of table, by the number it has in the file (0 to 3).
pub struct Slots<T>([Option<T>; 4]);

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self([const { None }; 4])
    }
}

impl<T: LookupTable> Slots<T> {
    pub fn prepare(&mut self, number: usize, code: &HuffmanCode) {
        if let Some(slot) = self.0.get_mut(number)
            && slot.as_ref().is_none_or(|table| table.code() != code)
        {
            *slot = Some(T::new(code.clone()));
        }
    }

    pub fn get(&self, number: usize) -> Option<&T> {
        self.0.get(number)?.as_ref()
    }
}
