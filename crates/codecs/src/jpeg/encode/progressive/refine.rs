//! A scan that brings another bit of AC coefficients (ITU-T T.81, G.1.2.3).
//!
//! Symbols stand for the coefficients that become ±1 with this bit. For those that were not zero
//! before, the bit itself is enough: it goes after the symbol whose run passes over them.

use super::coefficients::{Coefficients, Leveled};
use super::eob_run::EobRun;
use crate::jpeg::encode::header::Scan;
use crate::jpeg::encode::symbols::{SIXTEEN_ZEROS, Symbols, tables_of};
use crate::jpeg::encode::tokens::Tokens;

pub fn scan(tokens: &mut Tokens, picture: &Coefficients, scan: &Scan) {
    let component = scan.components.start;
    let table = tables_of(usize::from(component)) + 1;
    let mut ended = EobRun::new(table);
    for leveled in picture.of_component(component) {
        block(tokens, leveled, scan, table, &mut ended);
    }
    ended.end(tokens);
}

#[inline]
fn block(tokens: &mut Tokens, leveled: &Leveled, scan: &Scan, table: usize, ended: &mut EobRun) {
    let mut left = leveled.reached(scan.low, scan.first, scan.last);
    let before = leveled.reached(scan.high, scan.first, scan.last);
    // After the last new one there are at most corrections.
    let end_of_new = 64 - (left & !before).leading_zeros();
    let mut corrections = Corrections { bits: 0, count: 0 };
    // Coefficients that stay zero since the last symbol. Other coefficients in between do not
    // count.
    let mut run = 0;
    let mut next = u32::from(scan.first);
    while left != 0 {
        let k = left.trailing_zeros();
        left &= left - 1;
        run += k - next;
        next = k + 1;
        while run > 15 && k < end_of_new {
            ended.end(tokens);
            tokens.put(table, SIXTEEN_ZEROS, 0, 0);
            corrections.put(tokens);
            run -= 16;
        }
        let value = leveled.block.coefficient(k as usize);
        if before >> k & 1 == 1 {
            corrections.push(value.unsigned_abs() >> scan.low & 1);
        } else {
            ended.end(tokens);
            tokens.put(table, (run << 4 | 1) as u8, u32::from(value > 0), 1);
            corrections.put(tokens);
            run = 0;
        }
    }
    if end_of_new <= u32::from(scan.last) {
        ended.extend(tokens);
        corrections.put(tokens);
    }
}

/// Correction bits that wait for the next symbol of the block: 63 at most.
struct Corrections {
    bits: u64,
    count: u32,
}

impl Corrections {
    #[inline(always)]
    fn push(&mut self, bit: u16) {
        self.bits = self.bits << 1 | u64::from(bit);
        self.count += 1;
    }

    #[inline(always)]
    fn put(&mut self, tokens: &mut Tokens) {
        tokens.put_bits(self.bits, self.count);
        *self = Self { bits: 0, count: 0 };
    }
}
