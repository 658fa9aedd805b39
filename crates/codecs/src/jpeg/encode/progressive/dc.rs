//! The scans of DC coefficients, all components in each (ITU-T T.81, G.1.2.1).

use super::coefficients::Coefficients;
use crate::jpeg::encode::header::Scan;
use crate::jpeg::encode::symbols::{Symbols, tables_of};
use crate::jpeg::encode::tokens::Tokens;

/// As in a sequential scan, without the lowest bits.
pub fn first(tokens: &mut Tokens, picture: &Coefficients, scan: &Scan) {
    let mut last = [0; 3];
    for (component, block) in picture.interleaved() {
        let value = block.coefficient(0) >> scan.low;
        tokens.put_value(tables_of(component), 0, value - last[component]);
        last[component] = value;
    }
}

/// Another bit of each, without a code.
pub fn refine(tokens: &mut Tokens, picture: &Coefficients, scan: &Scan) {
    for (_, block) in picture.interleaved() {
        tokens.put_bits((block.coefficient(0) >> scan.low & 1) as u64, 1);
    }
}
