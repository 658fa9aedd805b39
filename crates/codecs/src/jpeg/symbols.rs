//! Decoding of single blocks' symbols: look-ups for the common ones, bit by bit for the rest.

use super::bits::{Bits, Window};
use super::huffman::{
    AcSkipTable, AcValueTable, DcTable, END_OF_BLOCK, HuffmanCode, LookupTable, advance_of, extend,
};

/// The entropy-coded data breaks the code: no such Huffman code, or a coefficient after the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadCode;

/// Decodes the difference of a DC coefficient. Wants 56 valid bits, leaves 43.
#[inline(always)]
pub fn dc_difference(bits: &mut Bits, window: &Window, table: &DcTable) -> Result<i32, BadCode> {
    let entry = table.get(bits.peek());
    if entry == 0 {
        let (after, difference) = slow_dc(*bits, window, table.code())?;
        *bits = after;
        return Ok(difference);
    }
    bits.consume(entry & 0xFF);
    Ok(entry as i32 >> 16)
}

#[cold]
#[inline(never)]
pub fn slow_dc(
    mut bits: Bits,
    window: &Window,
    code: &HuffmanCode,
) -> Result<(Bits, i32), BadCode> {
    let (length, size) = code.decode(bits.peek()).ok_or(BadCode)?;
    // 8-bit samples need 11 bits at most (T.81, table F.1).
    if size > 11 {
        return Err(BadCode);
    }
    bits.consume(length);
    let difference = extend(bits.peek(), u32::from(size));
    bits.consume(u32::from(size));
    bits.refill(window);
    Ok((bits, difference))
}

/// Steps over the coefficients from `k` to the end of the block. Wants 36 valid bits, leaves any
/// number.
#[inline(always)]
pub fn skip_ac(
    bits: &mut Bits,
    window: &Window,
    table: &AcSkipTable,
    mut k: u32,
) -> Result<(), BadCode> {
    loop {
        // As many as one refill serves, see MAX_SKIPPED_BITS.
        for _ in 0..2 {
            let entry = table.get(bits.peek());
            let next = k + (entry >> 8);
            if next <= 63 {
                bits.consume(entry & 0xFF);
                k = next;
                continue;
            }
            // END_OF_BLOCK reached within the block: an entry must not reach it in the next one.
            if next.wrapping_sub(END_OF_BLOCK) <= 63 {
                bits.consume(entry & 0xFF);
                return Ok(());
            }
            let (after, next, _) = slow_ac(*bits, window, table.code(), k)?;
            *bits = after;
            if next > 63 {
                return Ok(());
            }
            k = next;
        }
        bits.refill(window);
    }
}

/// Decodes the coefficients 1 to `last` and gives each to `store` with its index. Returns where it
/// stopped (above 63: the block is over). Wants 43 valid bits, leaves 43 unless the block is over.
#[inline(always)]
pub fn ac_values(
    bits: &mut Bits,
    window: &Window,
    table: &AcValueTable,
    last: u32,
    mut store: impl FnMut(u32, i16),
) -> Result<u32, BadCode> {
    let mut k = 1;
    loop {
        // As many as one refill serves: 3 look-ups of 13 bits.
        for _ in 0..3 {
            let entry = table.get(bits.peek());
            let mut next = k + (entry >> 8 & 0xFF);
            if next <= 64 {
                bits.consume(entry & 0xFF);
                store(next - 1, (entry >> 16) as i16);
            } else if next.wrapping_sub(END_OF_BLOCK) <= 63 {
                bits.consume(entry & 0xFF);
                return Ok(next);
            } else {
                let (after, slow_next, value) = slow_ac(*bits, window, table.code(), k)?;
                (*bits, next) = (after, slow_next);
                if next > 64 {
                    return Ok(next);
                }
                store(next - 1, value as i16);
            }
            k = next;
            if k > last {
                bits.refill(window);
                return Ok(k);
            }
        }
        bits.refill(window);
    }
}

/// Steps over a symbol that breaks the code, as libjpeg does: the length of the longest code and one
/// bit where there is no such code, else the symbol with its magnitude.
#[cold]
#[inline(never)]
pub fn step_over_bad(mut bits: Bits, window: &Window, code: &HuffmanCode) -> Bits {
    bits.refill(window);
    match code.decode(bits.peek()) {
        Some((length, symbol)) => bits.consume(length + u32::from(symbol & 15)),
        None => bits.consume(NO_CODE_BITS),
    }
    bits.refill(window);
    bits
}

/// What is taken for a symbol where there is no code.
pub const NO_CODE_BITS: u32 = 17;

/// One AC symbol: the state after it, the index it moves `k` to (END_OF_BLOCK added for that), the
/// value.
#[cold]
#[inline(never)]
pub fn slow_ac(
    mut bits: Bits,
    window: &Window,
    code: &HuffmanCode,
    k: u32,
) -> Result<(Bits, u32, i32), BadCode> {
    bits.refill(window);
    let (length, symbol) = code.decode(bits.peek()).ok_or(BadCode)?;
    bits.consume(length);
    let size = u32::from(symbol & 15);
    let value = extend(bits.peek(), size);
    bits.consume(size);
    bits.refill(window);
    let next = k + advance_of(symbol);
    if next <= 64 || next >= END_OF_BLOCK {
        Ok((bits, next, value))
    } else {
        Err(BadCode)
    }
}
