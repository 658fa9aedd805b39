//! The tables `[origins."pattern"]` of `thumbforge.toml`: settings for hosts by their names.

use config::{Map, Value, ValueKind};

use super::parse::{Parsed, user_agent};
use crate::{HostPattern, OriginRule};

/// Fields that frame or address a request, that would make the source send only a part, or that
/// have a key of their own.
const REFUSED_HEADERS: &[&str] = &[
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "if-range",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// Every rule, the most specific first. `file` is the file that holds `value`.
pub(super) fn rules(value: Value, file: &str, faults: &mut Vec<String>) -> Vec<OriginRule> {
    let ValueKind::Table(tables) = value.kind else {
        faults.push(format!(
            "origins in {file}: expected tables such as [origins.\"*.example.org\"]"
        ));
        return Vec::new();
    };
    let mut rules: Vec<OriginRule> = Vec::new();
    for (text, value) in sorted(tables) {
        let place = format!("origins.{text:?} in {file}");
        let Some(rule) = rule(&text, value, &place, faults) else {
            continue;
        };
        if rules.iter().any(|other| other.pattern == rule.pattern) {
            faults.push(format!("{place}: the same hosts as another pattern"));
        }
        rules.push(rule);
    }
    rules.sort_by_key(|rule| rule.pattern.rank());
    rules
}

fn rule(text: &str, value: Value, place: &str, faults: &mut Vec<String>) -> Option<OriginRule> {
    let pattern = match text.parse::<HostPattern>() {
        Ok(pattern) => pattern,
        Err(error) => {
            faults.push(format!("{place}: {error}"));
            return None;
        }
    };
    let ValueKind::Table(keys) = value.kind else {
        faults.push(format!("{place}: expected a table"));
        return None;
    };
    let mut rule = OriginRule {
        pattern,
        concurrency: None,
        per_second: None,
        user_agent: None,
        headers: Vec::new(),
    };
    for (key, value) in sorted(keys) {
        if let Err(fault) = read_key(&mut rule, &key, value) {
            faults.push(format!("{place}: {key}: {fault}"));
        }
    }
    Some(rule)
}

fn read_key(rule: &mut OriginRule, key: &str, value: Value) -> Parsed<()> {
    match key {
        "concurrency" => rule.concurrency = Some(concurrency(value)?),
        "per_second" => rule.per_second = Some(per_second(value)?),
        "user_agent" => rule.user_agent = Some(user_agent(&text(value)?)?),
        "headers" => rule.headers = headers(value)?,
        _ => {
            let expected = "unknown key; expected user_agent, headers, concurrency or per_second";
            return Err(expected.to_owned());
        }
    }
    Ok(())
}

fn concurrency(value: Value) -> Parsed<u32> {
    let number = match value.kind {
        ValueKind::I64(number) => u32::try_from(number).ok(),
        _ => None,
    };
    number
        .filter(|number| (1..=10_000).contains(number))
        .ok_or_else(|| "expected a whole number from 1 to 10000".to_owned())
}

fn per_second(value: Value) -> Parsed<f64> {
    let number = match value.kind {
        ValueKind::I64(number) => u32::try_from(number).ok().map(f64::from),
        ValueKind::Float(number) => Some(number),
        _ => None,
    };
    number
        .filter(|number| (0.001..=1_000_000.0).contains(number))
        .ok_or_else(|| "expected a number from 0.001 to 1000000".to_owned())
}

fn headers(value: Value) -> Parsed<Vec<(String, String)>> {
    let ValueKind::Table(fields) = value.kind else {
        return Err("expected a table such as { Referer = \"https://example.org/\" }".to_owned());
    };
    let mut headers: Vec<(String, String)> = Vec::new();
    for (name, value) in sorted(fields) {
        check_name(&name)?;
        if headers
            .iter()
            .any(|(other, _)| other.eq_ignore_ascii_case(&name))
        {
            return Err(format!("{name} is given twice"));
        }
        // The value may be a secret: it is never quoted.
        let value = text(value).map_err(|fault| format!("{name}: {fault}"))?;
        if !value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Err(format!("{name}: expected visible ASCII"));
        }
        headers.push((name, value));
    }
    Ok(headers)
}

fn check_name(name: &str) -> Parsed<()> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(format!("{name:?} is not the name of a header"));
    }
    if REFUSED_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
        return Err(format!("{name} can't be set"));
    }
    Ok(())
}

fn text(value: Value) -> Parsed<String> {
    match value.kind {
        ValueKind::String(text) => Ok(text),
        _ => Err("expected text".to_owned()),
    }
}

/// So that faults come in the same order at each start.
fn sorted(map: Map<String, Value>) -> Vec<(String, Value)> {
    let mut pairs: Vec<_> = map.into_iter().collect();
    pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::{File, FileFormat, Source};

    fn read(text: &str) -> (Vec<OriginRule>, Vec<String>) {
        let mut file = File::from_str(text, FileFormat::Toml).collect().unwrap();
        let mut faults = Vec::new();
        let value = file.remove("origins").unwrap();
        let rules = rules(value, "thumbforge.toml", &mut faults);
        (rules, faults)
    }

    #[test]
    fn tables_become_rules_with_the_most_specific_first() {
        let (rules, faults) = read(
            r#"
            [origins."*.example.org"]
            user_agent = "me/1 (+mailto:me@example.org)"
            headers = { Referer = "https://example.org/", Authorization = "Bearer x" }
            concurrency = 2
            per_second = 5
            [origins."A.example.org:8080"]
            per_second = 0.5
            [origins."127.0.0.1"]
            "#,
        );
        assert_eq!(faults, [""; 0]);
        let patterns: Vec<_> = rules.iter().map(|rule| rule.pattern.to_string()).collect();
        assert_eq!(
            patterns,
            ["a.example.org:8080", "127.0.0.1", "*.example.org"]
        );
        assert_eq!(rules[0].per_second, Some(0.5));
        assert_eq!(
            (rules[2].concurrency, rules[2].per_second),
            (Some(2), Some(5.0))
        );
        assert_eq!(
            rules[2].headers[1],
            ("Referer".to_owned(), "https://example.org/".to_owned())
        );
        assert!(rules[2].user_agent.as_ref().unwrap().starts_with("me/1"));
    }

    #[test]
    fn each_fault_is_told_once_with_its_place_and_without_secrets() {
        for (table, expected) in [
            (
                "[origins.\"a b\"]",
                "origins.\"a b\" in thumbforge.toml: expected a host name",
            ),
            ("[origins.a]\nspeed = 1", "speed: unknown key"),
            (
                "[origins.a]\nconcurrency = 0",
                "concurrency: expected a whole number",
            ),
            (
                "[origins.a]\nconcurrency = 1.5",
                "concurrency: expected a whole number",
            ),
            (
                "[origins.a]\nper_second = -1",
                "per_second: expected a number",
            ),
            (
                "[origins.a]\nper_second = \"hunter2\"",
                "per_second: expected a number",
            ),
            (
                "[origins.a]\nuser_agent = \"\"",
                "user_agent: expected visible ASCII",
            ),
            ("[origins.a]\nuser_agent = 3", "user_agent: expected text"),
            (
                "[origins.a]\nheaders = \"hunter2\"",
                "headers: expected a table",
            ),
            (
                "[origins.a]\nheaders = { Host = \"hunter2\" }",
                "headers: Host can't be set",
            ),
            (
                "[origins.a]\nheaders = { content-length = \"1\" }",
                "content-length can't be set",
            ),
            (
                "[origins.a]\nheaders = { Transfer-Encoding = \"x\" }",
                "can't be set",
            ),
            (
                "[origins.a]\nheaders = { \"a b\" = \"hunter2\" }",
                "\"a b\" is not the name",
            ),
            (
                "[origins.a]\nheaders = { X = \"hunter2\\r\\nY: z\" }",
                "X: expected visible ASCII",
            ),
            ("[origins.a]\nheaders = { X = 3 }", "X: expected text"),
            ("[origins.a]\nheaders = { X = \"1\", x = \"2\" }", "twice"),
            (
                "[origins.a]\n[origins.A]",
                "the same hosts as another pattern",
            ),
            (
                "[origins]\na = 3",
                "origins.\"a\" in thumbforge.toml: expected a table",
            ),
            ("origins = 3", "origins in thumbforge.toml: expected tables"),
        ] {
            let (_, faults) = read(table);
            assert_eq!(faults.len(), 1, "{table}: {faults:?}");
            assert!(faults[0].contains(expected), "{table}: {faults:?}");
            assert!(!faults[0].contains("hunter2"), "{faults:?}");
        }
    }
}
