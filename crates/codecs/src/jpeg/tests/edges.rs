//! A picture whose size was made smaller in its header, within its last MCUs. Of the remaining
//! samples, the whole ones must be those of the larger picture, and the others repeat them.

use jpeg_encoder::SamplingFactor;

use super::super::{Header, Plane, Scale, Scratch, decode_scaled, read_header};
use super::pictures::{PLAIN, Recipe};

const CODED: u16 = 64;

#[test]
fn samples_that_padding_is_in_give_way_to_their_neighbours() {
    for progressive in [false, true] {
        for sampling in [
            SamplingFactor::F_1_1,
            SamplingFactor::F_2_2,
            SamplingFactor::F_2_1,
        ] {
            let recipe = Recipe {
                width: CODED,
                height: CODED,
                sampling,
                progressive,
                ..PLAIN
            };
            let bytes = recipe.encode();
            let header = read_header(&bytes).unwrap();
            for (width, height) in [(63, 64), (64, 61), (59, 58), (57, 57), (62, 60)] {
                for eighths in [1, 2, 3, 4, 5, 6, 8] {
                    check(
                        &bytes,
                        &header,
                        (width, height),
                        Scale::new(eighths).unwrap(),
                    );
                }
            }
        }
    }
}

fn check(bytes: &[u8], header: &Header, (width, height): (u32, u32), scale: Scale) {
    let smaller = Header {
        width,
        height,
        ..header.clone()
    };
    let (mut scratch, mut other_scratch) = (Scratch::default(), Scratch::default());
    let larger = decode_scaled(bytes, header, scale, &mut scratch).unwrap();
    let decoded = decode_scaled(bytes, &smaller, scale, &mut other_scratch).unwrap();
    let n = usize::from(scale.eighths());
    for (index, (plane, larger)) in decoded.planes.iter().zip(&larger.planes).enumerate() {
        let whole = |pixels: u32, coded: usize| {
            // Samples of the component itself; the last may be half padding.
            let own = (pixels as usize * coded * 8).div_ceil(usize::from(CODED) * n);
            own * n / 8
        };
        let (whole_width, whole_height) =
            (whole(width, larger.width), whole(height, larger.height));
        assert!(whole_width > 0 && whole_width <= plane.width);
        for y in 0..plane.height {
            for x in 0..plane.width {
                let expected = at(larger, x.min(whole_width - 1), y.min(whole_height - 1));
                assert_eq!(
                    at(plane, x, y),
                    expected,
                    "{width} × {height} at {n}/8, plane {index}, {x}, {y}"
                );
            }
        }
    }
}

fn at(plane: &Plane<'_>, x: usize, y: usize) -> u8 {
    plane.data[y * plane.stride + x]
}
