//! Which service, and with which key.

use std::ffi::OsStr;

use anyhow::Context;
use clap::Args;
use url::Url;

use crate::trouble::Trouble;
use crate::{Server, Surroundings};

const SERVER_VARIABLE: &str = "THUMBFORGE_SERVER";
const KEY_VARIABLE: &str = "THUMBFORGE_API_KEY";
const KEY_FILE_VARIABLE: &str = "THUMBFORGE_API_KEY_FILE";

const DEFAULT_SERVER: &str = "http://127.0.0.1:8000";

/// The service that a command speaks to.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(next_help_heading = "Connection")]
pub struct Connection {
    /// The service [env: THUMBFORGE_SERVER] [default: http://127.0.0.1:8000]
    #[arg(long, value_name = "URL", global = true)]
    server: Option<String>,
    /// A key of the API [env: THUMBFORGE_API_KEY, or the file that THUMBFORGE_API_KEY_FILE names]
    #[arg(long, value_name = "KEY", global = true)]
    api_key: Option<String>,
}

impl Connection {
    /// The flag, else the variable, else the default.
    pub fn open(&self, surroundings: &Surroundings) -> Result<Server, Trouble> {
        let server = match &self.server {
            Some(server) => Some(server.clone()),
            None => variable(surroundings, SERVER_VARIABLE)?,
        };
        let server = server.unwrap_or_else(|| DEFAULT_SERVER.to_owned());
        Server::new(base(&server)?, self.key(surroundings)?, surroundings)
    }

    fn key(&self, surroundings: &Surroundings) -> Result<Option<String>, Trouble> {
        if self.api_key.is_some() {
            return Ok(self.api_key.clone());
        }
        if let Some(key) = variable(surroundings, KEY_VARIABLE)? {
            return Ok(Some(key));
        }
        let Some(path) = variable(surroundings, KEY_FILE_VARIABLE)? else {
            return Ok(None);
        };
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("{KEY_FILE_VARIABLE}: {path} can't be read"))
            .map_err(Trouble::Usage)?;
        Ok(Some(text.trim().to_owned()))
    }
}

/// `None` if it is unset or empty.
fn variable(surroundings: &Surroundings, name: &str) -> Result<Option<String>, Trouble> {
    let mut variables = surroundings.variables.iter();
    let Some((_, value)) = variables.find(|(known, _)| known == OsStr::new(name)) else {
        return Ok(None);
    };
    let value = value
        .to_str()
        .with_context(|| format!("{name} is not UTF-8"));
    let value = value.map_err(Trouble::Usage)?;
    Ok((!value.is_empty()).then(|| value.to_owned()))
}

/// The URL below which the API lies, without a slash at its end.
fn base(text: &str) -> Result<Url, Trouble> {
    // A password that may be in it is not repeated.
    let shown = match text.contains('@') {
        true => "the server".to_owned(),
        false => format!("the server {text:?}"),
    };
    let usage = |why: &str| Trouble::Usage(anyhow::anyhow!("{shown} {why}"));
    let with_scheme = match text.contains("://") {
        true => text.to_owned(),
        false => format!("http://{text}"),
    };
    let mut url =
        Url::parse(&with_scheme).map_err(|error| usage(&format!("is no URL: {error}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(usage(
            "must have neither user nor password in its URL: a key goes into THUMBFORGE_API_KEY",
        ));
    }
    if !["http", "https"].contains(&url.scheme()) || !url.has_host() {
        return Err(usage("must be an http or https URL"));
    }
    url.set_query(None);
    url.set_fragment(None);
    let path = url.path().trim_end_matches('/').to_owned();
    // As people copy it from the first line of the log.
    url.set_path(path.strip_suffix("/v1").unwrap_or(&path));
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_does_not_wonder_about_the_variables() {
        use thumbforge_intake::settings::{CLIENT_VARIABLES, PREFIX};
        let known = CLIENT_VARIABLES.map(|name| format!("{PREFIX}{name}"));
        assert_eq!(known, [SERVER_VARIABLE, KEY_VARIABLE, KEY_FILE_VARIABLE]);
    }

    #[test]
    fn a_server_is_named_as_people_name_it() {
        for (given, expected) in [
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000/"),
            ("http://127.0.0.1:8000/v1/", "http://127.0.0.1:8000/"),
            ("thumbs.example.org:8000", "http://thumbs.example.org:8000/"),
            (
                "https://example.org/thumbs/?x#y",
                "https://example.org/thumbs",
            ),
        ] {
            assert_eq!(base(given).unwrap().as_str(), expected, "{given}");
        }
        for wrong in ["", "ftp://example.org", "http://", "http://a b"] {
            assert!(matches!(base(wrong), Err(Trouble::Usage(_))), "{wrong}");
        }
        for secret in [
            "http://joe:hunter2@example.org",
            "joe:hunter2@example.org/v1",
            "http://hunter2@example.org",
            "http://:hunter2@example.org",
            "ftp://joe:hunter2@example.org",
            "http://joe:hunter2@a b",
        ] {
            let refused = base(secret).unwrap_err();
            assert!(matches!(refused, Trouble::Usage(_)), "{secret}");
            assert!(!refused.to_string().contains("hunter2"), "{refused}");
        }
    }
}
