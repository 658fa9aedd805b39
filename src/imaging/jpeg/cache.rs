use super::huffman::{
    AcSkipTable, AcValueTable, DcTable, HuffmanCode, LookupTable, MeanTable, SymbolTable,
};

/// Look-up tables from one picture to the next: building one takes longer than comparing its code, and most
/// pictures of a source share theirs (the examples of T.81, annex K, above all).
#[derive(Default)]
pub struct TableCache {
    pub dc: Slots<DcTable>,
    pub values: Slots<AcValueTable>,
    pub skips: Slots<AcSkipTable>,
    pub symbols: Slots<SymbolTable>,
    /// By place in the scan.
    means: [Option<MeanTable>; 3],
}

impl TableCache {
    pub fn prepare_mean(&mut self, place: usize, dc: &HuffmanCode, ac: &HuffmanCode) {
        if let Some(slot) = self.means.get_mut(place)
            && slot.as_ref().is_none_or(|table| !table.is_for(dc, ac))
        {
            *slot = Some(MeanTable::new(dc, ac));
        }
    }

    pub fn mean(&self, place: usize) -> Option<&MeanTable> {
        self.means.get(place)?.as_ref()
    }
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
