//! Colours that a file describes in numbers, without an ICC profile: by code points (ITU-T H.273,
//! PNG's `cICP`), or by the power and the primaries of its light (PNG's `gAMA` and `cHRM`).

use std::sync::OnceLock;

use super::transfer::{Transfer, srgb_encoded};

/// Chromaticities x and y of white, red, green and blue.
pub type Chromaticities = [[f64; 2]; 4];

type Matrix = [[f64; 3]; 3];

const D65: [f64; 2] = [0.3127, 0.3290];
const SRGB: Chromaticities = [D65, [0.64, 0.33], [0.30, 0.60], [0.15, 0.06]];

/// How samples become light. One for grey or RGB.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Colorimetry {
    transfer: Transfer,
    primaries: Chromaticities,
    is_full_range: bool,
}

impl Colorimetry {
    /// By the code points of H.273, for samples of RGB. `None` for those that are reserved, or say
    /// that it is unknown.
    pub fn of_code_points(primaries: u8, transfer: u8, is_full_range: bool) -> Option<Self> {
        Some(Self {
            transfer: Transfer::of_code_point(transfer)?,
            primaries: primaries_of_code_point(primaries)?,
            is_full_range,
        })
    }

    /// By the code points of H.273, of a picture with more light than a screen's white (PQ, HLG). Its
    /// primaries are BT.2020's if it does not say.
    pub fn of_highlights(primaries: u16, transfer: u16) -> Option<Self> {
        const BT_2020: u8 = 9;
        let transfer = Transfer::of_code_point(u8::try_from(transfer).ok()?)?;
        let primaries = u8::try_from(primaries)
            .ok()
            .and_then(primaries_of_code_point);
        transfer.has_highlights().then_some(Self {
            transfer,
            primaries: primaries.or_else(|| primaries_of_code_point(BT_2020))?,
            is_full_range: true,
        })
    }

    /// The same by chromaticities. `None` if they are none.
    pub fn of_highlights_in(transfer: Transfer, primaries: Chromaticities) -> Option<Self> {
        let is_possible = transfer.has_highlights() && to_xyz(&primaries).is_some();
        is_possible.then_some(Self {
            transfer,
            primaries,
            is_full_range: true,
        })
    }

    /// By the exponent with which light was encoded, and by chromaticities; sRGB's where one is
    /// missing. `None` if neither is there or can be.
    pub fn of_light(exponent: Option<f64>, primaries: Option<Chromaticities>) -> Option<Self> {
        let exponent = exponent.filter(|exponent| (0.01..=100.0).contains(exponent));
        let primaries = primaries.filter(|primaries| to_xyz(primaries).is_some());
        if exponent.is_none() && primaries.is_none() {
            return None;
        }
        Some(Self {
            transfer: exponent.map_or(Transfer::Srgb, |exponent| Transfer::Power(1.0 / exponent)),
            primaries: primaries.unwrap_or(SRGB),
            is_full_range: true,
        })
    }

    /// Whether it is sRGB, or what writers put beside it for readers that don't know it: its
    /// primaries, and a power near its curve. Near is what libpng takes for no difference, 5 %.
    pub fn is_srgb(&self) -> bool {
        let is_near_curve = match self.transfer {
            Transfer::Srgb => true,
            Transfer::Power(power) => (power / 2.2 - 1.0).abs() < 0.05,
            _ => false,
        };
        let differences = self.primaries.iter().flatten().zip(SRGB.iter().flatten());
        let largest = differences.fold(0.0, |largest: f64, (a, b)| largest.max((a - b).abs()));
        is_near_curve && largest < 0.002 && self.is_full_range
    }

    /// Converts interleaved pixels of one or three samples to sRGB.
    pub fn to_srgb(self, pixels: &[u8], channels: usize) -> Vec<u8> {
        let linear: [f32; 256] = std::array::from_fn(|sample| {
            let encoded = if self.is_full_range {
                sample as f64 / 255.0
            } else {
                ((sample as f64 - 16.0) / 219.0).clamp(0.0, 1.0)
            };
            self.transfer.linear(encoded) as f32
        });
        let of = |sample: u8| linear[usize::from(sample)];
        let encoded = encoded_table();
        let encode = |light: f32| {
            encoded[(light.clamp(0.0, 1.0) * (ENCODED_STEPS - 1) as f32 + 0.5) as usize]
        };
        if channels == 1 {
            // White is white in any primaries.
            let greys: [u8; 256] =
                std::array::from_fn(|sample| encode(self.transfer.shown([linear[sample]; 3])[0]));
            return pixels
                .iter()
                .flat_map(|sample| [greys[usize::from(*sample)]; 3])
                .collect();
        }
        let matrix = to_linear_srgb(&self.primaries).map(|row| row.map(|factor| factor as f32));
        let mut rgb = Vec::with_capacity(pixels.len());
        for pixel in pixels.chunks_exact(3) {
            let light = self
                .transfer
                .shown([of(pixel[0]), of(pixel[1]), of(pixel[2])]);
            rgb.extend(
                matrix.map(|row| encode(row[0] * light[0] + row[1] * light[1] + row[2] * light[2])),
            );
        }
        rgb
    }
}

/// So many that two neighbours never differ by more than one step of a byte.
const ENCODED_STEPS: usize = 1 << 14;

fn encoded_table() -> &'static [u8] {
    static TABLE: OnceLock<Vec<u8>> = OnceLock::new();
    TABLE.get_or_init(|| {
        (0..ENCODED_STEPS)
            .map(|step| {
                let light = step as f64 / (ENCODED_STEPS - 1) as f64;
                (srgb_encoded(light) * 255.0).round() as u8
            })
            .collect()
    })
}

/// H.273, table 2.
fn primaries_of_code_point(code: u8) -> Option<Chromaticities> {
    const C: [f64; 2] = [0.310, 0.316];
    Some(match code {
        1 => SRGB,
        4 => [C, [0.67, 0.33], [0.21, 0.71], [0.14, 0.08]],
        5 => [D65, [0.64, 0.33], [0.29, 0.60], [0.15, 0.06]],
        6 | 7 => [D65, [0.630, 0.340], [0.310, 0.595], [0.155, 0.070]],
        8 => [C, [0.681, 0.319], [0.243, 0.692], [0.145, 0.049]],
        9 => [D65, [0.708, 0.292], [0.170, 0.797], [0.131, 0.046]],
        11 => [
            [0.314, 0.351],
            [0.680, 0.320],
            [0.265, 0.690],
            [0.150, 0.060],
        ],
        12 => [D65, [0.680, 0.320], [0.265, 0.690], [0.150, 0.060]],
        22 => [D65, [0.630, 0.340], [0.295, 0.605], [0.155, 0.077]],
        _ => return None,
    })
}

/// From light in these primaries to light in sRGB's; whites become white (Bradford).
fn to_linear_srgb(primaries: &Chromaticities) -> Matrix {
    const BRADFORD: Matrix = [
        [0.8951, 0.2664, -0.1614],
        [-0.7502, 1.7135, 0.0367],
        [0.0389, -0.0685, 1.0296],
    ];
    let matrices = (|| {
        let (from, to) = (to_xyz(primaries)?, inverse(&to_xyz(&SRGB)?)?);
        let cones = |white: [f64; 2]| applied(&BRADFORD, xyz(white));
        let (source, target) = (cones(primaries[0]), cones(D65));
        let mut scale = [[0.0; 3]; 3];
        for index in 0..3 {
            scale[index][index] = target[index] / source[index];
        }
        let adapted = product(&inverse(&BRADFORD)?, &product(&scale, &BRADFORD));
        let matrix = product(&to, &product(&adapted, &from));
        matrix
            .iter()
            .flatten()
            .all(|factor| factor.is_finite())
            .then_some(matrix)
    })();
    matrices.unwrap_or([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
}

fn xyz([x, y]: [f64; 2]) -> [f64; 3] {
    [x / y, 1.0, (1.0 - x - y) / y]
}

/// `None` if no light has these primaries and this white.
fn to_xyz([white, primaries @ ..]: &Chromaticities) -> Option<Matrix> {
    let is_real = |[x, y]: &[f64; 2]| (-1.0..=2.0).contains(x) && (-1.0..=2.0).contains(y);
    if !(primaries.iter().all(is_real) && is_real(white) && white[0] > 0.0 && white[1] > 0.01) {
        return None;
    }
    let columns = primaries.map(|[x, y]| [x, y, 1.0 - x - y]);
    let mut matrix = [[0.0; 3]; 3];
    for (row, values) in matrix.iter_mut().enumerate() {
        *values = columns.map(|column| column[row]);
    }
    let sums = applied(&inverse(&matrix)?, xyz(*white));
    Some(matrix.map(|row| [row[0] * sums[0], row[1] * sums[1], row[2] * sums[2]]))
}

fn applied(matrix: &Matrix, vector: [f64; 3]) -> [f64; 3] {
    matrix.map(|row| row[0] * vector[0] + row[1] * vector[1] + row[2] * vector[2])
}

fn product(left: &Matrix, right: &Matrix) -> Matrix {
    let column = |index: usize| applied(left, [right[0][index], right[1][index], right[2][index]]);
    let columns = [column(0), column(1), column(2)];
    std::array::from_fn(|row| columns.map(|column| column[row]))
}

/// `None` if there is none, or as good as none.
fn inverse(m: &Matrix) -> Option<Matrix> {
    let minor = |row: usize, column: usize| {
        let (r, c) = (
            [(row + 1) % 3, (row + 2) % 3],
            [(column + 1) % 3, (column + 2) % 3],
        );
        m[r[0]][c[0]] * m[r[1]][c[1]] - m[r[0]][c[1]] * m[r[1]][c[0]]
    };
    let determinant: f64 = (0..3).map(|column| m[0][column] * minor(0, column)).sum();
    (determinant.abs() > 1e-6).then(|| {
        std::array::from_fn(|row| std::array::from_fn(|column| minor(column, row) / determinant))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn srgb_is_known_however_it_is_told() {
        let numbers = [[0.3127, 0.329], [0.64, 0.33], [0.3, 0.6], [0.15, 0.06]];
        for told in [
            Colorimetry::of_code_points(1, 13, true),
            Colorimetry::of_light(Some(0.45455), None),
            Colorimetry::of_light(Some(0.45), Some(numbers)),
            Colorimetry::of_light(None, Some(numbers)),
        ] {
            assert!(told.unwrap().is_srgb(), "{told:?}");
        }
        for told in [
            Colorimetry::of_code_points(12, 13, true),
            Colorimetry::of_code_points(1, 13, false),
            Colorimetry::of_code_points(1, 8, true),
            Colorimetry::of_light(Some(0.5), None),
        ] {
            assert!(!told.unwrap().is_srgb(), "{told:?}");
        }
    }

    #[test]
    fn what_no_light_has_is_not_taken() {
        for told in [
            Colorimetry::of_light(None, None),
            Colorimetry::of_light(Some(0.0), None),
            Colorimetry::of_light(None, Some([[0.3, 0.3]; 4])),
            Colorimetry::of_light(None, Some([[0.0; 2]; 4])),
            Colorimetry::of_code_points(2, 13, true),
            Colorimetry::of_code_points(1, 2, true),
            Colorimetry::of_code_points(255, 255, true),
        ] {
            assert_eq!(told, None);
        }
    }

    #[test]
    fn srgb_stays_what_it_is_and_wider_colours_widen() {
        let srgb = Colorimetry::of_code_points(1, 13, true).unwrap();
        let pixels: Vec<u8> = (0..=255)
            .flat_map(|sample| [sample, 255 - sample, 77])
            .collect();
        for (before, after) in pixels.iter().zip(srgb.to_srgb(&pixels, 3)) {
            assert!(before.abs_diff(after) <= 1);
        }
        // By the matrix of CSS Color 4, section 10.
        let p3 = Colorimetry::of_code_points(12, 13, true).unwrap();
        let orange = p3.to_srgb(&[204, 102, 51], 3);
        assert!(
            orange
                .iter()
                .zip([219, 95, 31])
                .all(|(shown, expected)| shown.abs_diff(expected) <= 1)
        );
        assert_eq!(p3.to_srgb(&[0, 128, 255], 1)[3..6], [128; 3]);
        let narrow = Colorimetry::of_code_points(1, 13, false).unwrap();
        assert_eq!(
            narrow.to_srgb(&[16, 235, 255], 1),
            [0, 0, 0, 255, 255, 255, 255, 255, 255]
        );
    }

    #[test]
    fn whites_of_every_kind_are_white() {
        for primaries in [1, 4, 5, 6, 7, 8, 9, 11, 12, 22] {
            let told = Colorimetry::of_code_points(primaries, 13, true).unwrap();
            let white = told.to_srgb(&[255; 3], 3);
            assert!(
                white.iter().all(|sample| *sample >= 254),
                "{primaries}: {white:?}"
            );
        }
    }
}
