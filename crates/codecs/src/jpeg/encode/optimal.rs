//! Huffman tables made for the symbols that occur (ITU-T T.81, annex K.2).

use std::borrow::Cow;

use super::tables::HuffmanSpec;

/// The longest code that a table can hold.
const LONGEST: usize = 16;

/// How often each symbol occurs.
pub type Counts = [u64; 256];

/// The table that codes these symbols in the fewest bits, with no code all of ones. `None` if there
/// is no symbol.
pub fn table(id: u8, counts: &Counts) -> Option<HuffmanSpec> {
    let mut symbols: Vec<u8> = (0..=255)
        .filter(|&symbol| counts[usize::from(symbol)] > 0)
        .collect();
    if symbols.is_empty() {
        return None;
    }
    symbols.sort_by_key(|&symbol| counts[usize::from(symbol)]);
    // An extra symbol that never occurs: it takes the last and longest code, which is all of ones.
    let mut weights = vec![1];
    weights.extend(symbols.iter().map(|&symbol| counts[usize::from(symbol)]));
    let mut lengths = lengths(&weights);
    limit(&mut lengths);
    let last = lengths.iter().rposition(|&count| count > 0);
    lengths[last.unwrap_or(0)] -= 1;
    symbols.reverse();
    Some(HuffmanSpec {
        id,
        counts: std::array::from_fn(|i| lengths[i + 1] as u8),
        symbols: Cow::Owned(symbols),
    })
}

/// How many codes an optimal set has of each length, for `weights` in ascending order.
///
/// The nodes that are made of two others come in ascending order by themselves: the two lightest
/// nodes are always at the heads of two queues, and no search is needed as in the standard's figure
/// K.1.
fn lengths(weights: &[u64]) -> Vec<u16> {
    let leaves = weights.len();
    let nodes = 2 * leaves - 1;
    let mut weights = weights.to_vec();
    let mut parents = vec![0; nodes];
    let (mut leaf, mut inner) = (0, leaves);
    for node in leaves..nodes {
        let mut sum = 0;
        for _ in 0..2 {
            let of_leaves = inner == node || (leaf < leaves && weights[leaf] <= weights[inner]);
            let queue = if of_leaves { &mut leaf } else { &mut inner };
            sum += weights[*queue];
            parents[*queue] = node;
            *queue += 1;
        }
        weights.push(sum);
    }
    let mut depths = vec![0_usize; nodes];
    for node in (0..nodes - 1).rev() {
        depths[node] = depths[parents[node]] + 1;
    }
    let mut lengths = vec![0; leaves.max(LONGEST + 1)];
    for &depth in &depths[..leaves] {
        lengths[depth] += 1;
    }
    lengths
}

/// Shortens codes that are too long (figure K.3): of two such codes, one takes the place that they
/// forked from; the other and a shorter code fork from the shorter one's place.
fn limit(lengths: &mut [u16]) {
    for length in (LONGEST + 1..lengths.len()).rev() {
        while lengths[length] > 0 {
            let shorter = (1..length - 1)
                .rfind(|&shorter| lengths[shorter] > 0)
                .expect("a code of more than 16 bits has a shorter one beside it");
            lengths[length] -= 2;
            lengths[length - 1] += 1;
            lengths[shorter + 1] += 2;
            lengths[shorter] -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jpeg::encode::huffman::codes;

    /// The bits that the symbols take with a table, in all.
    fn cost(table: &HuffmanSpec, counts: &Counts) -> u64 {
        let codes = codes(table);
        (0..256)
            .map(|symbol| counts[symbol] * u64::from(codes[symbol] & 0xFF))
            .sum()
    }

    /// Figure K.1 literally: the sum of all inner nodes is what the codes take.
    fn least_cost(counts: &Counts) -> u64 {
        let mut weights: Vec<u64> = counts.iter().copied().filter(|&count| count > 0).collect();
        weights.push(1);
        let mut cost = 0;
        while weights.len() > 1 {
            weights.sort_by_key(|&weight| std::cmp::Reverse(weight));
            let sum = weights.pop().unwrap() + weights.pop().unwrap();
            cost += sum;
            weights.push(sum);
        }
        cost
    }

    fn check(counts: &Counts) -> HuffmanSpec {
        let table = table(0x10, counts).unwrap();
        let used = counts.iter().filter(|&&count| count > 0).count();
        assert_eq!(table.symbols.len(), used);
        let total: usize = table.counts.iter().map(|&count| usize::from(count)).sum();
        assert_eq!(total, used);
        // In units of the longest code: at least one code is left.
        let taken: u32 = (1..)
            .zip(&table.counts)
            .map(|(length, &count)| u32::from(count) << (16 - length))
            .sum();
        assert!(taken < 1 << 16);
        for (symbol, &code) in codes(&table).iter().enumerate() {
            let (code, length) = (code >> 8, code & 0xFF);
            assert_eq!(length > 0, counts[symbol] > 0);
            assert!(
                length == 0 || code < (1 << length) - 1,
                "{symbol}: all ones"
            );
        }
        table
    }

    #[test]
    fn no_symbol_is_no_table_and_one_symbol_has_one_bit() {
        assert!(table(0, &[0; 256]).is_none());
        let mut counts = [0; 256];
        counts[7] = 1000;
        let table = check(&counts);
        assert_eq!((table.counts[0], &*table.symbols), (1, &[7][..]));
    }

    #[test]
    fn no_other_codes_take_less() {
        let mut state = 1_u64;
        for used in 1..=256 {
            let mut counts = [0; 256];
            for count in &mut counts[..used] {
                state = state.wrapping_mul(6_364_136_223_846_793_005) + 1;
                // So few that no code has to be shortened.
                *count = 1 + (state >> 40) % 100;
            }
            let table = check(&counts);
            // The code that never occurs costs its length.
            let longest = table.counts.iter().rposition(|&count| count > 0).unwrap();
            let unused = least_cost(&counts) - cost(&table, &counts);
            assert_eq!(unused, longest as u64 + 1, "{used}");
        }
    }

    #[test]
    fn codes_have_at_most_16_bits() {
        // Of all weights with the same sum these make the longest codes.
        let mut counts = [0; 256];
        let (mut a, mut b) = (1, 1);
        for count in &mut counts[..80] {
            *count = a;
            (a, b) = (b, a + b);
        }
        check(&counts);
        let steep = std::array::from_fn(|i| 1 << (i / 5));
        let table = check(&steep);
        assert!(cost(&table, &steep) < least_cost(&steep) * 101 / 100);
        check(&[1; 256]);
    }
}
