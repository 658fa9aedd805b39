//! Huffman tables, and the codes that they define.

use std::sync::LazyLock;

use super::tables::{HUFFMAN, HuffmanSpec};

/// For each symbol, `code << 8 | length`.
pub type Codes = [u32; 256];

/// The codes of the standard's own tables.
pub static STANDARD: LazyLock<[Codes; 4]> = LazyLock::new(|| HUFFMAN.each_ref().map(codes));

/// Codes of the same length are consecutive numbers (ITU-T T.81, annex C).
pub fn codes(spec: &HuffmanSpec) -> Codes {
    let mut codes = [0; 256];
    let (mut code, mut symbols) = (0_u32, spec.symbols.iter());
    for (length, &count) in (1_u32..).zip(&spec.counts) {
        for &symbol in symbols.by_ref().take(usize::from(count)) {
            codes[usize::from(symbol)] = code << 8 | length;
            code += 1;
        }
        code <<= 1;
    }
    codes
}
