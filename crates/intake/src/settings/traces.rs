//! Whether spans are exported. Everything else about that is read by OpenTelemetry's own exporter,
//! from variables that its specification names.
//! <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>

use std::ffi::OsString;

/// Either names where spans go.
const ENDPOINTS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
];

/// True if the environment has an endpoint for spans and does not turn them off.
pub(super) fn are_exported(environment: &[(OsString, OsString)]) -> bool {
    let value = |variable: &str| {
        let found = environment.iter().find(|(name, _)| name == variable)?;
        found.1.to_str().filter(|value| !value.is_empty())
    };
    let is_off = value("OTEL_SDK_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true"));
    !is_off && ENDPOINTS.into_iter().any(|name| value(name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exported(variables: &[(&str, &str)]) -> bool {
        let pairs = variables
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()));
        are_exported(&pairs.collect::<Vec<_>>())
    }

    #[test]
    fn an_endpoint_turns_spans_on_unless_they_are_off() {
        for endpoint in ENDPOINTS {
            assert!(exported(&[(endpoint, "http://collector:4318")]));
            assert!(!exported(&[(endpoint, "")]), "an empty variable is none");
            let off = ("OTEL_SDK_DISABLED", "True");
            assert!(!exported(&[off, (endpoint, "http://collector:4318")]));
        }
        assert!(!exported(&[]));
    }
}
