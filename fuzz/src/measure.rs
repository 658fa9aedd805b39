//! The size of a document, as a locked-down process finds it and its worker reads it.

use libfuzzer_sys::Corpus;
use thumbforge_imaging::confined::{ANSWER_HEAD_BYTES, Order, Unmeasured};
use thumbforge_imaging::{ErrorKind, Format, Limits, Scratch, Source};

/// Any file is measured, or refused by a typed error; what is measured can be planned for. Drawing
/// has no limit of time, so that it is no matter of this target.
pub fn check_measure(format: Format, bytes: &[u8]) -> Corpus {
    if Format::of(bytes) != Ok(format) {
        return Corpus::Reject;
    }
    let limits = Limits::default();
    assert!(
        Source::open(bytes, &limits).is_err(),
        "nobody else reads it"
    );
    let unmeasured = Unmeasured::new(bytes, format);
    let order = Order::from_bytes(&unmeasured.order(&limits)).expect("an order of our own");
    let mut answer = Vec::new();
    order
        .carry_out(bytes, &mut Scratch::default(), &mut answer)
        .expect("a vector takes everything");
    let (head, body) = answer.split_at(ANSWER_HEAD_BYTES);
    let expected = unmeasured.expect(head).expect("an answer of our own");
    assert_eq!(expected.body_bytes(), body.len());
    match unmeasured.receive(expected, body, &limits) {
        Ok(source) => {
            let facts = source.facts();
            assert!(facts.width > 0 && facts.height > 0);
        }
        Err(error) => assert!(error.kind() != ErrorKind::Internal, "{error}"),
    }
    Corpus::Keep
}
