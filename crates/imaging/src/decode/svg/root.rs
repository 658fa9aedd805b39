//! The root element: whether there is one, and the size that it gives the picture.
//!
//! A reader of the beginning of XML 1.0 that expands nothing: an attribute with an entity in it
//! counts as absent.

use super::{corrupt, text};
use crate::error::ImagingError;
use crate::geometry::Size;

/// Of a picture that says nothing of its size (CSS Images 3, 5.2).
const DEFAULT_SIZE: (f64, f64) = (300.0, 150.0);

/// Whether the root element is `svg`, in any namespace.
pub(crate) fn is_svg(bytes: &[u8]) -> bool {
    Tag::root(&text::beginning(bytes)).is_some()
}

/// In pixels of CSS (96 to an inch), rounded; by the rules of SVG 2, 7.2 and 8.2.
pub(super) fn size(beginning: &[u8]) -> Result<Size, ImagingError> {
    let root = Tag::root(beginning).ok_or_else(|| corrupt("it has no root element"))?;
    let view_box = root.attribute("viewBox").and_then(view_box);
    let width = root.attribute("width").and_then(Length::parse);
    let height = root.attribute("height").and_then(Length::parse);
    let (whole_width, whole_height) = view_box.unwrap_or(DEFAULT_SIZE);
    let (wide, high) = match (width, height, view_box) {
        // The other side by the aspect.
        (Some(width), None, Some(_)) => {
            let wide = width.pixels(whole_width);
            (wide, whole_height * wide / whole_width)
        }
        (None, Some(height), Some(_)) => {
            let high = height.pixels(whole_height);
            (whole_width * high / whole_height, high)
        }
        _ => (
            width.map_or(whole_width, |width| width.pixels(whole_width)),
            height.map_or(whole_height, |height| height.pixels(whole_height)),
        ),
    };
    if !(wide > 0.0 && high > 0.0) {
        return Err(corrupt("its width or height is zero"));
    }
    // A side beyond `u32` becomes its largest; the limit of pixels refuses that.
    let side = |side: f64| (side.round() as u32).max(1);
    Ok(Size::new(side(wide), side(high)))
}

fn view_box(text: &str) -> Option<(f64, f64)> {
    let separators = |letter: char| letter.is_ascii_whitespace() || letter == ',';
    let numbers = text.split(separators).filter(|word| !word.is_empty());
    let numbers: Vec<f64> = numbers.map_while(|word| word.parse().ok()).collect();
    match numbers[..] {
        [_, _, width, height] if width > 0.0 && height > 0.0 => Some((width, height)),
        _ => None,
    }
}

#[derive(Clone, Copy)]
enum Length {
    Pixels(f64),
    /// Of the view box, or of what stands in its place.
    Share(f64),
}

impl Length {
    /// A number and a unit of CSS Values 4, 6. The font's size is that of the renderer.
    fn parse(text: &str) -> Option<Self> {
        const FONT_SIZE: f64 = 12.0;
        let text = text.trim();
        let unit = text.trim_start_matches(|letter: char| {
            letter.is_ascii_digit() || matches!(letter, '.' | '+' | '-')
        });
        // An exponent, as in `1e3px`.
        let unit = match unit.strip_prefix(['e', 'E']) {
            Some(rest) if rest.starts_with(|letter: char| letter.is_ascii_digit()) => {
                rest.trim_start_matches(|letter: char| letter.is_ascii_digit())
            }
            _ => unit,
        };
        let number: f64 = text[..text.len() - unit.len()].parse().ok()?;
        if !number.is_finite() {
            return None;
        }
        let pixels = match unit.trim() {
            "" | "px" => 1.0,
            "in" => 96.0,
            "cm" => 96.0 / 2.54,
            "mm" => 96.0 / 25.4,
            "pt" => 96.0 / 72.0,
            "pc" => 16.0,
            "em" => FONT_SIZE,
            "ex" => FONT_SIZE / 2.0,
            "%" => return Some(Self::Share(number / 100.0)),
            _ => return None,
        };
        Some(Self::Pixels(number * pixels))
    }

    fn pixels(self, whole: f64) -> f64 {
        match self {
            Self::Pixels(pixels) => pixels,
            Self::Share(share) => share * whole,
        }
    }
}

/// The start tag of the root element, without `<` and `>`.
struct Tag<'t>(&'t str);

impl<'t> Tag<'t> {
    fn root(beginning: &'t [u8]) -> Option<Self> {
        let mut rest = beginning.strip_prefix(b"\xef\xbb\xbf").unwrap_or(beginning);
        loop {
            rest = rest.trim_ascii_start();
            rest = if rest.starts_with(b"<?") {
                behind(rest, b"?>")?
            } else if rest.starts_with(b"<!--") {
                behind(rest, b"-->")?
            } else if rest.len() > 9 && rest[..9].eq_ignore_ascii_case(b"<!doctype") {
                behind_document_type(rest)?
            } else {
                break;
            };
        }
        let rest = rest.strip_prefix(b"<")?;
        let end = end_of_tag(rest)?;
        let tag = std::str::from_utf8(&rest[..end]).ok()?;
        let name = tag.split(|letter: char| letter.is_ascii_whitespace() || letter == '/');
        let name = name.into_iter().next()?;
        let local = name.rsplit(':').next()?;
        (local == "svg").then_some(Self(tag))
    }

    fn attribute(&self, wanted: &str) -> Option<&'t str> {
        let mut rest = self.0;
        loop {
            let (name, after) = rest.split_once('=')?;
            let name = name.trim_ascii_end();
            let name = name.rsplit(|letter: char| letter.is_ascii_whitespace());
            let name = name.into_iter().next()?;
            let after = after.trim_ascii_start();
            let quote = after
                .chars()
                .next()
                .filter(|quote| ['"', '\''].contains(quote))?;
            let (value, after) = after[1..].split_once(quote)?;
            if name == wanted {
                return Some(value).filter(|value| !value.contains('&'));
            }
            rest = after;
        }
    }
}

/// What follows the first `end`.
fn behind<'t>(text: &'t [u8], end: &[u8]) -> Option<&'t [u8]> {
    let at = memchr::memmem::find(text, end)?;
    Some(&text[at + end.len()..])
}

/// A document type ends at the `>` that is in no quotes, no brackets and no comment.
fn behind_document_type(text: &[u8]) -> Option<&[u8]> {
    let (mut at, mut is_inside) = (0, false);
    loop {
        match *text.get(at)? {
            quote @ (b'"' | b'\'') => at += 1 + memchr::memchr(quote, &text[at + 1..])?,
            b'<' if text[at..].starts_with(b"<!--") => {
                at = text.len() - behind(&text[at..], b"-->")?.len();
                continue;
            }
            b'[' => is_inside = true,
            b']' => is_inside = false,
            b'>' if !is_inside => return text.get(at + 1..),
            _ => {}
        }
        at += 1;
    }
}

/// Where the `>` of a start tag is.
fn end_of_tag(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match *text.get(at)? {
            quote @ (b'"' | b'\'') => at += 1 + memchr::memchr(quote, &text[at + 1..])?,
            b'>' => return Some(at),
            _ => {}
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(attributes: &str) -> Option<(u32, u32)> {
        let text = format!("<svg {attributes}><path/></svg>");
        size(text.as_bytes())
            .ok()
            .map(|size| (size.width, size.height))
    }

    #[test]
    fn the_size_is_that_of_the_root_element() {
        for (attributes, expected) in [
            ("width='40' height=\"30\"", (40, 30)),
            ("width='40px' height='30.4px' viewBox='0 0 9 9'", (40, 30)),
            ("width='1in' height='72pt'", (96, 96)),
            ("width='25.4mm' height='2.54cm'", (96, 96)),
            ("width='1e2' height='2pc'", (100, 32)),
            ("viewBox='0 0 24 12'", (24, 12)),
            ("viewBox='-5,-5,24,12'", (24, 12)),
            ("viewBox='0 0 24 12' width='48'", (48, 24)),
            ("viewBox='0 0 24 12' height='48'", (96, 48)),
            ("viewBox='0 0 24 12' width='50%' height='200%'", (12, 24)),
            ("", (300, 150)),
            ("width='10'", (10, 150)),
            ("width='&w;' height='20' viewBox='0 0 2 1'", (40, 20)),
            ("width='wide' viewBox='0 0 2 1'", (2, 1)),
            ("data-width='7' width = '40' height='0.1'", (40, 1)),
        ] {
            assert_eq!(of(attributes), Some(expected), "{attributes}");
        }
        for attributes in ["width='0' height='9'", "width='-4' height='9'"] {
            assert_eq!(of(attributes), None, "{attributes}");
        }
    }

    #[test]
    fn the_root_is_found_behind_all_that_may_stand_before_it() {
        for text in [
            "<svg/>",
            "\u{feff}  \n<?xml version='1.0'?><!-- <html> --><svg>",
            "<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" \"x>y\"><svg>",
            "<!DOCTYPE svg [<!ENTITY a \"<html>\"> <!-- ]> --> ]><s:svg xmlns:s='x'>",
        ] {
            assert!(is_svg(text.as_bytes()), "{text}");
        }
        for text in [
            "",
            "<",
            "<svg",
            "<svgs>",
            "<html><svg>",
            "<?xml",
            "<!-- <svg>",
            "<!DOCTYPE svg",
            "<!DOCTYPE svg [<!ENTITY a '",
            "svg",
            "<rss>",
            "<svg a='>",
        ] {
            assert!(!is_svg(text.as_bytes()), "{text}");
        }
    }
}
