//! The first scan of a band of AC coefficients (ITU-T T.81, G.1.2.2).

use super::coefficients::Coefficients;
use super::eob_run::EobRun;
use crate::jpeg::encode::header::Scan;
use crate::jpeg::encode::symbols::{SIXTEEN_ZEROS, Symbols, tables_of};
use crate::jpeg::encode::tokens::Tokens;

pub fn scan(tokens: &mut Tokens, picture: &Coefficients, scan: &Scan) {
    let component = scan.components.start;
    let table = tables_of(usize::from(component)) + 1;
    let mut ended = EobRun::new(table);
    for leveled in picture.of_component(component) {
        let mut left = leveled.reached(scan.low, scan.first, scan.last);
        let mut next = u32::from(scan.first);
        while left != 0 {
            let k = left.trailing_zeros();
            left &= left - 1;
            ended.end(tokens);
            let mut run = k - next;
            while run > 15 {
                tokens.put(table, SIXTEEN_ZEROS, 0, 0);
                run -= 16;
            }
            let value = without_low_bits(leveled.block.coefficient(k as usize), scan.low);
            tokens.put_value(table, run, value);
            next = k + 1;
        }
        if next <= u32::from(scan.last) {
            ended.extend(tokens);
        }
    }
    ended.end(tokens);
}

/// The point transform of an AC coefficient: divided by a power of two, rounded towards zero
/// (G.1.2.1).
#[inline(always)]
fn without_low_bits(value: i16, low: u8) -> i16 {
    let sign = value >> 15;
    (value + (sign & ((1 << low) - 1))) >> low
}

#[cfg(test)]
mod tests {
    use super::without_low_bits;

    #[test]
    fn low_bits_are_taken_from_the_magnitude() {
        for value in -1023..=1023 {
            for low in 0..3 {
                assert_eq!(without_low_bits(value, low), value / (1 << low));
            }
        }
    }
}
