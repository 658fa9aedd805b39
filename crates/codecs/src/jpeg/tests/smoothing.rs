use jpeg_encoder::{ColorType, Encoder};

use super::super::{Scale, Scratch, decode_scaled, read_header};

/// A slope without noise, progressive.
fn slope() -> Vec<u8> {
    let pixels: Vec<u8> = (0..128 * 128_u32)
        .map(|index| (40 + index % 128 / 2 + index / 128) as u8)
        .collect();
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 90);
    encoder.set_progressive(true);
    encoder.encode(&pixels, 128, 128, ColorType::Luma).unwrap();
    bytes
}

/// The plane and whether it was smoothed.
fn decode(bytes: &[u8], eighths: u8) -> (Vec<u8>, bool) {
    let header = read_header(bytes).unwrap();
    let mut scratch = Scratch::default();
    let scale = Scale::new(eighths).unwrap();
    let decoded = decode_scaled(bytes, &header, scale, &mut scratch).unwrap();
    (decoded.planes[0].data.to_vec(), decoded.is_smoothed)
}

#[test]
fn a_slope_of_which_only_the_means_are_known_stays_a_slope() {
    let whole = slope();
    let second_scan = whole
        .windows(2)
        .enumerate()
        .filter(|(_, pair)| *pair == [0xFF, 0xDA])
        .nth(1);
    let (end, _) = second_scan.unwrap();
    for eighths in [2, 4, 8] {
        let (expected, is_smoothed) = decode(&whole, eighths);
        assert!(!is_smoothed, "all is known");
        let (shown, is_smoothed) = decode(&whole[..end], eighths);
        assert!(is_smoothed);
        let side = 128 * usize::from(eighths) / 8;
        let margin = side / 8;
        let within = (margin..side - margin)
            .flat_map(|y| (margin..side - margin).map(move |x| y * side + x));
        for at in within {
            // A block of means differs by up to 4 across and 8 down.
            assert!(expected[at].abs_diff(shown[at]) <= 2, "{eighths}/8 at {at}");
        }
    }
    assert!(
        !decode(&whole[..end], 1).1,
        "at 1/8 there is nothing but means"
    );
}
