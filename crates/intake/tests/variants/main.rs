//! The variants of a request, whatever it says.

mod any_json;

use any_json::check_variants;
use proptest::prelude::*;

/// Values that a member may have, or nearly: as JSON.
const VALUES: &str = r##"
    null true false 0 1 9 -1 0.3 0.7 1.5 10 100 101 320 8192 8193 320.0 1e2 1e300 1e-7
    18446744073709551615 0.1000000014901161 "" "a" "b-_9" "A" "inside" "cover" "contain" "fill"
    "attention" "0.1,1" "1e-9,0" "00.5,0.30000001" "jpeg" "auto" "webp" [] ["avif","png"]
    ["jpeg","jpeg"] "#fff" "#1a2B3c80" {} [7]
"##;
const MEMBERS: &str = "name width height fit gravity format quality max_bytes background enlarge
    blur sharpen grayscale progressive animated optional colour";

fn one_of(words: &'static str) -> impl Strategy<Value = &'static str> {
    proptest::sample::select(words.split_whitespace().collect::<Vec<_>>())
}

/// Mostly right: a name of its own, a size, and what may go beside them.
fn variant() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let side = || "[1-9][0-9]{0,3}";
    let any = (one_of(MEMBERS), one_of(VALUES).prop_map(str::to_owned));
    let share = (0.0_f32..=1.0, 0.0_f32..=1.0);
    let right = prop_oneof![
        (0.3_f32..=100.0).prop_map(|blur| ("blur", blur.to_string())),
        (0.0_f32..=10.0).prop_map(|sharpen| ("sharpen", sharpen.to_string())),
        share.prop_map(|(x, y)| ("gravity", format!("\"{x},{y}\""))),
        (1_u8..=100).prop_map(|quality| ("quality", quality.to_string())),
        "#[0-9a-fA-F]{3,4}".prop_map(|color| ("background", format!("{color:?}"))),
        any,
    ];
    let members = proptest::collection::vec(right, 0..3);
    ("[a-z]{1,3}", side(), side(), members).prop_map(|(name, width, height, more)| {
        let mut members = vec![("name", format!("{name:?}")), ("width", width)];
        members.push(("height", height));
        members.extend(more);
        members
    })
}

fn list() -> impl Strategy<Value = String> {
    proptest::collection::vec(variant(), 0..4).prop_map(|variants| {
        let objects = variants.iter().map(|members| {
            let members = members
                .iter()
                .map(|(name, value)| format!("\"{name}\":{value}"));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        });
        format!("[{}]", objects.collect::<Vec<_>>().join(","))
    })
}

proptest! {
    #[test]
    fn what_is_accepted_is_read_back_as_the_same(text in list()) {
        check_variants(text.as_bytes());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        check_variants(&bytes);
    }
}

#[test]
fn the_check_sees_both_ends() {
    assert!(check_variants(
        br##"[{"name":"a","width":9,"background":"#FFF8"}]"##
    ));
    assert!(!check_variants(br#"[{"name":"a","width":0}]"#));
}
