//! Vectors of a fixed width: SSE2 on x86-64, plain arrays elsewhere.
//!
//! The compiler does not turn the arrays into vector code. With them the 8-point transform of a
//! JPEG takes 3 times as long (640 × 480 at full size: 1.32 ms for the whole decode against
//! 0.43 ms), and a row of 1632 pixels of a PNG 7.3 µs, as long as without a wavefront, against
//! 1.4 µs.

pub(crate) use imp::{Bytes, F4};

#[cfg(not(target_arch = "x86_64"))]
use portable as imp;
#[cfg(target_arch = "x86_64")]
use sse2 as imp;

/// In use where there is no SSE2, and tested everywhere.
#[cfg(any(test, not(target_arch = "x86_64")))]
mod portable;
#[cfg(target_arch = "x86_64")]
#[expect(
    unsafe_code,
    reason = "argued at the macro; three to five times as fast"
)]
mod sse2;

#[cfg(test)]
mod tests {
    use super::{imp, portable};

    #[test]
    fn floats_are_rounded_and_clamped() {
        macro_rules! check {
            ($imp:ident) => {{
                use super::$imp::F4;
                assert_eq!(F4::new([-3.0, 1.4, 254.6, 9e9]).to_u8()[..3], [0, 1, 255]);
                assert_eq!(F4::from_i16([-1, 2, 300, 7]).to_u8(), [0, 2, 255, 7]);
                let bytes = F4::from_u8([0, 1, 128, 255]);
                assert_eq!(bytes.to_u8(), [0, 1, 128, 255]);
                assert_eq!(
                    F4::to_words(bytes, F4::new([-1.4, -9e6, 9e6, 0.4]), 1000),
                    ([0, 1, 128, 255, -1, -1000, 1000, 0], 0b0111_1110)
                );
                let sum = F4::splat(3.0) * F4::splat(5.0) - F4::splat(1.0) + F4::splat(2.0);
                assert_eq!(sum.to_u8(), [16; 4]);
            }};
        }
        check!(imp);
        check!(portable);
    }

    #[test]
    fn rows_become_columns() {
        macro_rules! check {
            ($imp:ident) => {{
                use super::$imp::F4;
                let row = |y: i16| F4::from_i16([0, 1, 2, 3].map(|x| 10 * y + x));
                let columns = F4::transpose([0, 1, 2, 3].map(row)).map(F4::to_u8);
                let column = |x: u8| [0, 1, 2, 3].map(|y| 10 * y + x);
                assert_eq!(columns, [0, 1, 2, 3].map(column));
            }};
        }
        check!(imp);
        check!(portable);
    }

    /// Every pair of bytes comes by, in four lanes of four.
    #[test]
    fn vectors_and_arrays_give_the_same() {
        for a in 0..=u8::MAX {
            for b in 0..=u8::MAX {
                let [first, second, third] = [
                    [a, b, a ^ b, b],
                    [b, a, a, !a],
                    [a.wrapping_add(b), 0, a, b],
                ]
                .map(u32::from_le_bytes);
                let (x, y) = (
                    [first, second, third, !first],
                    [second, third, first, !third],
                );
                macro_rules! results {
                    ($imp:ident) => {{
                        let (x, y) = ($imp::Bytes::from_pixels(x), $imp::Bytes::from_pixels(y));
                        let made = [
                            x.min(y),
                            x.max(y),
                            x.wrapping_add(y),
                            x.saturating_sub(y),
                            x.average(y),
                            x.and(y),
                            x.saturating_sub(y).if_zero(x, y),
                            x.moved_down(second),
                            $imp::Bytes::zero(),
                        ];
                        (made.map($imp::Bytes::pixels), x.last_pixel())
                    }};
                }
                assert_eq!(results!(imp), results!(portable), "{a} {b}");
            }
        }
    }
}
