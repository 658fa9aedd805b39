//! CIELab in bytes to sRGB.

/// `L` from 0 to 255 for 0 to 100; a and b around 128. The white is D50, as in ICC profiles and in
/// the files of TIFF and Photoshop (CIE 15:2004, 8.2.1; Bradford's adaptation to sRGB's D65).
pub(super) fn lab_to_rgb(lightness: u8, a: u8, b: u8) -> [u8; 3] {
    let fy = (f32::from(lightness) * 100.0 / 255.0 + 16.0) / 116.0;
    let fx = fy + (f32::from(a) - 128.0) / 500.0;
    let fz = fy - (f32::from(b) - 128.0) / 200.0;
    let linear = |f: f32| {
        if f > 6.0 / 29.0 {
            f * f * f
        } else {
            (f - 4.0 / 29.0) * (108.0 / 841.0)
        }
    };
    let (x, y, z) = (0.9642 * linear(fx), linear(fy), 0.8249 * linear(fz));
    [
        3.133_856 * x - 1.616_867 * y - 0.490_615 * z,
        -0.978_768 * x + 1.916_142 * y + 0.033_454 * z,
        0.071_945 * x - 0.228_991 * y + 1.405_243 * z,
    ]
    .map(srgb)
}

/// IEC 61966-2-1.
fn srgb(linear: f32) -> u8 {
    let linear = linear.clamp(0.0, 1.0);
    let encoded = if linear <= 0.003_130_8 {
        12.92 * linear
    } else {
        1.055 * linear.powf(1.0 / 2.4) - 0.055
    };
    (encoded * 255.0 + 0.5) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_grey_black_and_colours_are_where_they_should_be() {
        for (lab, rgb) in [
            ([255, 128, 128], [255, 255, 255]),
            ([0, 128, 128], [0, 0, 0]),
            ([137, 128, 128], [128, 128, 128]),
            // sRGB's red, green and blue.
            ([138, 209, 198], [255, 0, 0]),
            ([224, 49, 209], [0, 255, 0]),
            ([75, 196, 16], [0, 0, 255]),
        ] {
            let got = lab_to_rgb(lab[0], lab[1], lab[2]);
            let near = got
                .iter()
                .zip(rgb)
                .all(|(a, b): (&u8, u8)| a.abs_diff(b) < 12);
            assert!(near, "{lab:?}: {got:?}");
        }
    }
}
