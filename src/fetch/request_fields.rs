//! What a request reveals: nothing about where the URL came from. What the operator sets for some
//! hosts goes only to those.

use reqwest::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap, HeaderName, HeaderValue, USER_AGENT};

use super::settings::{FetchSettings, FetchSetupError};
use crate::domain::{Origin, OriginRule};

/// What the engine can read; a server that negotiates then sends none of the newer formats.
const ACCEPT_IMAGES: &str = "image/jpeg,image/png,image/gif,image/webp,image/bmp,*/*;q=0.1";

pub(super) struct RequestFields {
    user_agent: HeaderValue,
    rules: Vec<OriginRule>,
}

impl RequestFields {
    pub(super) fn new(settings: &FetchSettings) -> Result<Self, FetchSetupError> {
        let fault = || FetchSetupError::Headers("*".to_owned());
        let fields = Self {
            user_agent: settings.user_agent.parse().map_err(|_| fault())?,
            rules: settings.origins.clone(),
        };
        for rule in &fields.rules {
            let fault = || FetchSetupError::Headers(rule.pattern.to_string());
            for (name, value) in &rule.headers {
                field(name, value).ok_or_else(fault)?;
            }
            if let Some(agent) = &rule.user_agent {
                agent.parse::<HeaderValue>().map_err(|_| fault())?;
            }
        }
        Ok(fields)
    }

    /// For a request to `origin`; asked anew at every hop.
    pub(super) fn of(&self, origin: &Origin) -> HeaderMap {
        let mut fields = HeaderMap::with_capacity(8);
        let agent = OriginRule::find(&self.rules, origin, |rule| rule.user_agent.as_deref());
        let agent = agent.and_then(|agent| agent.parse().ok());
        fields.insert(USER_AGENT, agent.unwrap_or_else(|| self.user_agent.clone()));
        fields.insert(ACCEPT, HeaderValue::from_static(ACCEPT_IMAGES));
        fields.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let headers = OriginRule::find(&self.rules, origin, |rule| {
            (!rule.headers.is_empty()).then_some(&rule.headers)
        });
        for (name, value) in headers.into_iter().flatten() {
            if let Some((name, value)) = field(name, value) {
                fields.insert(name, value);
            }
        }
        fields
    }
}

/// Marked as a secret, so that it is never printed.
fn field(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    let mut value: HeaderValue = value.parse().ok()?;
    value.set_sensitive(true);
    Some((name.parse().ok()?, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_for_some_hosts_goes_to_them_only() {
        let settings = FetchSettings {
            origins: vec![OriginRule {
                pattern: "*.example.org".parse().unwrap(),
                concurrency: None,
                per_second: None,
                user_agent: Some("other/1".to_owned()),
                headers: vec![("Authorization".to_owned(), "hunter2".to_owned())],
            }],
            ..FetchSettings::default()
        };
        let fields = RequestFields::new(&settings).unwrap();
        let to = |origin: &str| fields.of(&origin.parse().unwrap());
        let inside = to("https://a.example.org");
        assert_eq!(inside["user-agent"], "other/1");
        assert_eq!(inside["authorization"], "hunter2");
        assert!(!format!("{inside:?}").contains("hunter2"));
        let outside = to("https://example.com");
        assert!(
            outside["user-agent"]
                .to_str()
                .unwrap()
                .starts_with("ThumbForge/")
        );
        assert_eq!(outside.len(), 3);
    }
}
