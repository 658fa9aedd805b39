//! What went wrong, in one line.

use std::fmt;

use reqwest::StatusCode;
use serde_json::Value;

/// Why a call or a command has no result.
#[derive(Debug)]
pub enum Trouble {
    /// The command line, or what it names, can't be used: exit code 2.
    Usage(anyhow::Error),
    /// The service refused.
    Refused(Refusal),
    /// No answer came.
    Unreachable(String),
    Other(anyhow::Error),
}

/// An answer that is an error.
#[derive(Debug, Clone)]
pub struct Refusal {
    pub status: StatusCode,
    /// The problem document; null if the answer was none, e.g. of a proxy.
    pub problem: Value,
    /// Seconds of `Retry-After`.
    pub retry_after: Option<u64>,
}

impl Refusal {
    /// The stable word; empty if there is none.
    pub fn code(&self) -> &str {
        self.problem["code"].as_str().unwrap_or_default()
    }
}

impl fmt::Display for Refusal {
    /// `detail (code): #/url is required; limit: must be …`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |member: &str| self.problem[member].as_str().map(printable);
        let Some(detail) = text("detail").or_else(|| text("title")) else {
            return write!(f, "the server answered {}", self.status);
        };
        let detail = detail.trim_end_matches('.');
        write!(f, "{detail} ({})", printable(self.code()))?;
        let errors = self.problem["errors"].as_array();
        for (index, fault) in errors.into_iter().flatten().enumerate() {
            let text = |member: &str| fault[member].as_str().map(printable);
            let place = text("pointer").or_else(|| text("parameter"));
            f.write_str(if index == 0 { ": " } else { "; " })?;
            if let Some(place) = place {
                write!(f, "{place} ")?;
            }
            f.write_str(&text("detail").unwrap_or_default())?;
        }
        if let Some(job) = text("job_id") {
            write!(f, "; job {job}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Unreachable(reason) => f.write_str(&printable(reason)),
            Self::Usage(error) | Self::Other(error) => {
                let text = format!("{error:#}");
                f.write_str(&printable(text.trim_end()))
            }
        }
    }
}

impl Trouble {
    /// Whether whatever reads our output has gone, as in `thumbforge jobs list | head`.
    pub fn is_reader_gone(&self) -> bool {
        let Self::Other(error) = self else {
            return false;
        };
        let mut causes = error.chain();
        causes.any(|cause| {
            let io = cause.downcast_ref::<std::io::Error>();
            io.is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
        })
    }
}

impl From<anyhow::Error> for Trouble {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        Self::Other(error.into())
    }
}

/// For a terminal: what strangers wrote must not move its cursor.
pub fn printable(text: &str) -> String {
    let shown = text.chars().map(|c| match c {
        '\n' | '\r' | '\t' => ' ',
        c if is_harmful(c) => '\u{fffd}',
        c => c,
    });
    shown.collect()
}

/// Whether a character moves the cursor, reverses the direction of text, or hides.
pub fn is_harmful(c: char) -> bool {
    let is_hidden =
        matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || is_hidden
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_problem_is_one_line_with_its_pointers() {
        let refusal = Refusal {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            problem: json!({
                "detail": "Correct the members named in errors.",
                "code": "invalid_body",
                "errors": [
                    {"pointer": "#/url", "detail": "is required"},
                    {"parameter": "limit", "detail": "must be a\nnumber"},
                ],
            }),
            retry_after: None,
        };
        let line = "Correct the members named in errors (invalid_body): #/url is required; \
            limit must be a number";
        assert_eq!(refusal.to_string(), line);
        let of_a_proxy = Refusal {
            status: StatusCode::BAD_GATEWAY,
            problem: Value::Null,
            retry_after: None,
        };
        assert_eq!(
            of_a_proxy.to_string(),
            "the server answered 502 Bad Gateway"
        );
    }

    #[test]
    fn a_terminal_gets_no_commands_of_strangers() {
        assert_eq!(
            printable("a\x1b[2Jb\u{9b}c\nd\u{202e}e"),
            "a\u{fffd}[2Jb\u{fffd}c d\u{fffd}e"
        );
        let unreachable = Trouble::Unreachable("http://a broke off: \x1b[2J".to_owned());
        assert_eq!(unreachable.to_string(), "http://a broke off: \u{fffd}[2J");
    }
}
