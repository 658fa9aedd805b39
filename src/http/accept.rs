//! Chooses the format that a client gets (RFC 9110, section 12.5.1).

use actix_web::http::header::{self, HeaderMap};

/// The place of the media type that `headers` ask for. `offered` is in the order of preference; its
/// last is the fallback, for clients that ask for nothing else.
///
/// A type that is named comes before one that only a wildcard lets through. Among the latter the
/// fallback comes first, because clients that can't show everything send `*/*` and `image/*` too.
pub(super) fn choose(headers: &HeaderMap, offered: &[&str]) -> usize {
    let fallback = offered.len().saturating_sub(1);
    let ranges = ranges(headers);
    let judged = offered
        .iter()
        .enumerate()
        .filter_map(|(place, media_type)| {
            let (exactness, quality) = judge(&ranges, media_type)?;
            let is_named = exactness == Exactness::Named;
            let preference = match (is_named, place == fallback) {
                (false, true) => offered.len(),
                _ => fallback - place,
            };
            (quality > 0).then_some(((quality, is_named, preference), place))
        });
    judged.max().map_or(fallback, |(_, place)| place)
}

/// How closely a range names a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Exactness {
    Anything,
    Images,
    Named,
}

struct Range {
    media_type: String,
    /// Thousandths.
    quality: u16,
}

fn ranges(headers: &HeaderMap) -> Vec<Range> {
    let lines = headers.get_all(header::ACCEPT);
    let lines = lines.filter_map(|line| line.to_str().ok());
    let items = lines.flat_map(|line| line.split(','));
    items.filter_map(range).collect()
}

fn range(text: &str) -> Option<Range> {
    let mut parts = text.split(';').map(str::trim);
    let media_type = parts.next()?.to_ascii_lowercase();
    let mut quality = 1000;
    for parameter in parts {
        let (name, value) = parameter.split_once('=')?;
        if name.trim().eq_ignore_ascii_case("q") {
            quality = thousandths(value.trim())?;
        }
    }
    Some(Range {
        media_type,
        quality,
    })
}

fn thousandths(text: &str) -> Option<u16> {
    let value: f64 = text.parse().ok()?;
    let is_weight = (0.0..=1.0).contains(&value);
    is_weight.then_some((value * 1000.0).round() as u16)
}

/// What the range that names `media_type` most closely gives it.
fn judge(ranges: &[Range], media_type: &str) -> Option<(Exactness, u16)> {
    let matching = ranges.iter().filter_map(|range| {
        let exactness = match range.media_type.as_str() {
            "*/*" => Exactness::Anything,
            "image/*" => Exactness::Images,
            named if named == media_type => Exactness::Named,
            _ => return None,
        };
        Some((exactness, range.quality))
    });
    matching.max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    const OFFERED: [&str; 3] = ["image/avif", "image/webp", "image/jpeg"];

    fn chosen(lines: &[&str]) -> &'static str {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::ACCEPT, HeaderValue::from_str(line).unwrap());
        }
        OFFERED[choose(&headers, &OFFERED)]
            .strip_prefix("image/")
            .unwrap()
    }

    #[test]
    fn what_is_named_is_sent_and_else_the_fallback() {
        for (accept, expected) in [
            ("*/*", "jpeg"),
            ("image/*", "jpeg"),
            ("text/html", "jpeg"),
            ("image/png", "jpeg"),
            ("", "jpeg"),
            (",;=, nonsense", "jpeg"),
            ("image/jpeg", "jpeg"),
            ("image/webp", "webp"),
            ("IMAGE/WebP", "webp"),
            ("image/avif,image/webp,*/*", "avif"),
            ("image/webp, image/*, */*;q=0.8", "webp"),
            (
                "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8",
                "avif",
            ),
            (
                "image/png,image/svg+xml,image/*;q=0.8,video/*;q=0.8,*/*;q=0.5",
                "jpeg",
            ),
            ("image/webp;q=0.5,image/jpeg", "jpeg"),
            ("image/webp;q=0.5,image/jpeg;q=0.4", "webp"),
            ("image/webp;q=0.9,*/*", "jpeg"),
            ("image/avif;q=0,image/webp;q=0.001", "webp"),
            ("image/jpeg;q=0,image/*", "avif"),
            ("image/*;q=0,*/*", "jpeg"),
            ("image/jpeg;q=0", "jpeg"),
            ("image/webp;q=2", "jpeg"),
            ("image/webp;q=x", "jpeg"),
            ("image/webp;level=1;q=0.2,image/avif;q=0.1", "webp"),
            ("image/webp ; q=0.7 , image/avif ; Q=0.8", "avif"),
        ] {
            assert_eq!(chosen(&[accept]), expected, "{accept}");
        }
        assert_eq!(chosen(&[]), "jpeg");
        assert_eq!(chosen(&["image/webp;q=0.5", "image/avif;q=0.6"]), "avif");
    }
}
