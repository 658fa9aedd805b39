use super::*;
use crate::picture::Scratch;
use crate::variant::Variant;
use proptest::prelude::*;

fn jpeg(width: u16, height: u16) -> Vec<u8> {
    let samples: Vec<u8> = (0..usize::from(width) * usize::from(height) * 3)
        .map(|index| (index * 7 % 251) as u8)
        .collect();
    let mut jpeg = Vec::new();
    jpeg_encoder::Encoder::new(&mut jpeg, 85)
        .encode(&samples, width, height, jpeg_encoder::ColorType::Rgb)
        .unwrap();
    jpeg
}

fn answered(source: &Source<'_>, plan: &Plan) -> Vec<u8> {
    let limits = Limits::default();
    let order = Order::from_bytes(&source.order(plan, &limits)).unwrap();
    assert_eq!(order.source_bytes(), source.bytes.len());
    let mut answer = Vec::new();
    let mut scratch = Scratch::default();
    order
        .carry_out(source.bytes, &mut scratch, &mut answer)
        .unwrap();
    answer
}

fn received(
    source: &Source<'_>,
    plan: &Plan,
    answer: &[u8],
) -> Result<Picture<'static>, ImagingError> {
    let (head, body) = answer.split_at(ANSWER_HEAD_BYTES);
    let expected = source.expect(plan, head)?;
    assert_eq!(expected.body_bytes(), body.len());
    source.receive(expected, body.to_vec(), &Limits::default())
}

#[test]
fn what_another_process_decodes_renders_alike() {
    let (limits, variant) = (Limits::default(), Variant::thumbnail(64, 85));
    for (width, height) in [(600, 401), (64, 64), (1, 1), (3000, 17)] {
        let bytes = jpeg(width, height);
        let source = Source::open(&bytes, &limits).unwrap();
        let plan = source
            .plan(std::slice::from_ref(&variant), &limits)
            .unwrap();
        let mut scratch = Scratch::default();
        let here = source.decode(&plan, &limits, &mut scratch).unwrap();
        let there = received(&source, &plan, &answered(&source, &plan)).unwrap();
        assert_eq!(
            here.render(&variant, &limits).unwrap(),
            there.render(&variant, &limits).unwrap()
        );
        assert_eq!(here.source(), there.source());
    }
}

#[test]
fn a_refusal_keeps_its_kind_and_its_words_apart_from_what_no_log_should_show() {
    let bytes = jpeg(600, 400);
    let limits = Limits::default();
    let source = Source::open(&bytes, &limits).unwrap();
    let plan = source.plan(&[Variant::thumbnail(64, 85)], &limits).unwrap();
    let refused = |error: ImagingError| {
        let mut answer = Vec::new();
        answer::write_refusal(&error, &mut answer).unwrap();
        received(&source, &plan, &answer).err().unwrap()
    };
    let error = refused(ImagingError::corrupt(Format::Jpeg, "bad\n\u{1b}[31mcode"));
    assert_eq!(error.kind(), crate::ErrorKind::Corrupt);
    assert_eq!(error.to_string(), "the JPEG image is corrupt: bad[31mcode");
    assert_eq!(refused(ImagingError::Timeout), ImagingError::Timeout);
    let long = refused(ImagingError::corrupt(Format::Jpeg, "x".repeat(10_000)));
    assert!(long.to_string().len() <= 400);
}

#[test]
fn an_answer_of_another_size_than_planned_is_refused_before_it_is_received() {
    let bytes = jpeg(6000, 4000);
    let limits = Limits::default();
    let source = Source::open(&bytes, &limits).unwrap();
    let plan = source.plan(&[Variant::thumbnail(64, 85)], &limits).unwrap();
    let answer = answered(&source, &plan);
    let with = |field: usize, value: u64| {
        let mut head = answer[..ANSWER_HEAD_BYTES].to_vec();
        head[field * 8..][..8].copy_from_slice(&value.to_le_bytes());
        source.expect(&plan, &head).is_ok()
    };
    assert!(with(2, 0));
    for (field, value) in [
        (0, 0),
        (0, 3),
        // Rows, truncation, meaning.
        (1, 4001),
        (2, 2),
        (3, 6),
        (3, u64::MAX),
        // A side, and how far the picture reaches.
        (4, 0),
        (4, 6001),
        (5, 4000),
        (5, u64::MAX),
        (6, f64::NAN.to_bits()),
        (6, f64::INFINITY.to_bits()),
        (6, (-1.0_f64).to_bits()),
        (7, 1e300_f64.to_bits()),
    ] {
        assert!(!with(field, value), "{field} {value}");
    }
    assert!(
        source
            .expect(&plan, &answer[..ANSWER_HEAD_BYTES - 1])
            .is_err()
    );
}

proptest! {
    /// Whatever a decoder says that was taken over, it renders or is refused.
    #[test]
    fn no_answer_makes_the_asking_side_panic(
        what in 0_u64..4,
        numbers in prop::collection::vec(prop_oneof![0_u64..40, any::<u64>()], 3),
        sides in prop::collection::vec((1_u64..40, 1_u64..40, 0.0_f64..2.0, 0.0_f64..2.0), 4),
        grey in any::<bool>(),
    ) {
        let bytes = if grey { include_bytes!("../../../../tests/fixtures/basn4a08.png").to_vec() } else { jpeg(32, 30) };
        let limits = Limits::default();
        let source = Source::open(&bytes, &limits).unwrap();
        let variant = Variant::thumbnail(16, 85);
        let plan = source.plan(std::slice::from_ref(&variant), &limits).unwrap();
        let mut fields = vec![what];
        fields.extend(numbers);
        for (width, height, across, down) in sides {
            let span = |side: u64, less: f64| (side as f64 - less).to_bits();
            fields.extend([width, height, span(width, across), span(height, down)]);
        }
        let head: Vec<u8> = fields.iter().flat_map(|field| field.to_le_bytes()).collect();
        if let Ok(expected) = source.expect(&plan, &head) {
            let body = vec![200; expected.body_bytes()];
            if let Ok(picture) = source.receive(expected, body, &limits) {
                let _ = picture.summary();
                let _ = picture.render(&variant, &limits);
            }
        }
    }
}
