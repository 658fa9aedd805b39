//! The field `traceparent` of a request.
//! <https://www.w3.org/TR/trace-context/#traceparent-header>

/// In which trace a request was made, and by which of its spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    pub trace_id: u128,
    pub span_id: u64,
    /// The lowest bit: the trace is recorded.
    pub flags: u8,
}

/// Of version 00; later versions may add to it.
const LENGTH: usize = 55;

impl TraceParent {
    /// `None` if it is no such field: then the request is in no trace.
    pub fn parse(text: &str) -> Option<Self> {
        let known = text.get(..LENGTH)?;
        let more = &text[LENGTH..];
        let mut parts = known.split('-');
        let mut part = |digits| parts.next().filter(|part| is_hex(part, digits));
        let version = part(2)?;
        let (trace, span, flags) = (part(32)?, part(16)?, part(2)?);
        let is_of_version = match version {
            "00" => more.is_empty(),
            "ff" => false,
            _ => more.is_empty() || more.starts_with('-'),
        };
        let parsed = Self {
            trace_id: u128::from_str_radix(trace, 16).ok()?,
            span_id: u64::from_str_radix(span, 16).ok()?,
            flags: u8::from_str_radix(flags, 16).ok()?,
        };
        (is_of_version && parsed.trace_id != 0 && parsed.span_id != 0).then_some(parsed)
    }
}

/// As version 00 writes it.
impl std::fmt::Display for TraceParent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "00-{:032x}-{:016x}-{:02x}",
            self.trace_id, self.span_id, self.flags
        )
    }
}

fn is_hex(part: &str, digits: usize) -> bool {
    part.len() == digits
        && part
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn what_is_well_formed_is_read_and_written_again() {
        let parsed = TraceParent::parse(WHOLE).unwrap();
        assert_eq!(parsed.trace_id, 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
        assert_eq!((parsed.span_id, parsed.flags), (0xb7ad_6b71_6920_3331, 1));
        assert_eq!(parsed.to_string(), WHOLE);
        let later = WHOLE.replacen("00", "cc", 1) + "-what-comes";
        assert_eq!(TraceParent::parse(&later), Some(parsed));
    }

    #[test]
    fn anything_else_is_no_trace() {
        for text in [
            String::new(),
            "é".repeat(40),
            WHOLE[1..].to_owned(),
            WHOLE.to_uppercase(),
            WHOLE.replace('-', "_"),
            WHOLE.replacen("00", "ff", 1),
            format!("{WHOLE}-more"),
            WHOLE.replacen("00", "cc", 1) + "more",
            WHOLE.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            WHOLE.replace("b7ad6b7169203331", &"0".repeat(16)),
            WHOLE.replace("b7ad6b7169203331", "+7ad6b7169203331"),
        ] {
            assert_eq!(TraceParent::parse(&text), None, "{text}");
        }
    }
}
