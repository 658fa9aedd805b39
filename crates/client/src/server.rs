//! One call of the API.

use std::error::Error;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method, RequestBuilder, Response, StatusCode, header};
use serde_json::Value;
use url::Url;

use crate::Surroundings;
use crate::patience::{Patience, retried};
use crate::trouble::{Refusal, Trouble, printable};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two pieces of an answer; longer than any wait that is asked for.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// For commands of one call: a restart of the service is waited for, an outage is reported.
const SHORT_PATIENCE: Duration = Duration::from_secs(20);
/// No answer in JSON is as long as this.
const LONGEST_JSON: usize = 64 * 1024 * 1024;

/// A service, and how to speak to it.
#[derive(Debug, Clone)]
pub struct Server {
    base: Url,
    client: reqwest::Client,
    key: Option<String>,
}

/// What of a text may stand in a part of a path.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A stranger's word as one part of a path.
pub fn in_path(text: &str) -> String {
    match text {
        // They would lead elsewhere, encoded or not.
        "" | "." | ".." => "-".to_owned(),
        text => utf8_percent_encode(text, IN_PATH).to_string(),
    }
}

impl Server {
    pub fn new(
        base: Url,
        key: Option<String>,
        surroundings: &Surroundings,
    ) -> Result<Self, Trouble> {
        if let Some(key) = &key {
            let is_plain = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
            if !is_plain {
                return Err(Trouble::Usage(anyhow::anyhow!(
                    "the API key must be one word of visible ASCII characters"
                )));
            }
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "the server is named by the person at the terminal"
        )]
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(surroundings.tls.clone())
            .user_agent(concat!("thumbforge-cli/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .build();
        let client = client.map_err(|error| Trouble::Other(error.into()))?;
        Ok(Self { base, client, key })
    }

    pub fn base(&self) -> &Url {
        &self.base
    }

    /// `path` is encoded already, and begins with a slash.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let base = self.base.as_str().trim_end_matches('/');
        let request = self.client.request(method, format!("{base}{path}"));
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    /// # Errors
    /// No answer, or one that is no `2xx`.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response, Trouble> {
        let answer = request.send().await;
        let answer = answer.map_err(|error| self.unreachable(&error))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        if let Some(elsewhere) = answer.headers().get(header::LOCATION)
            && status.is_redirection()
        {
            // The key is for one server, so the person has to name the other.
            let elsewhere = printable(&String::from_utf8_lossy(elsewhere.as_bytes()));
            let base = &self.base;
            return Err(Trouble::Other(anyhow::anyhow!(
                "{base} answered {status}, and leads to {elsewhere}: name the right --server"
            )));
        }
        let retry_after = answer.headers().get(header::RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let is_problem = answer
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(b"application/problem+json"));
        let problem = match is_problem {
            true => self.json(answer).await?,
            false => Value::Null,
        };
        Err(Trouble::Refused(Refusal {
            status,
            problem,
            retry_after,
        }))
    }

    /// The body; null if there is none.
    pub async fn json(&self, mut answer: Response) -> Result<Value, Trouble> {
        if answer.status() == StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk(&mut answer).await? {
            body.extend_from_slice(chunk.as_ref());
            if body.len() > LONGEST_JSON {
                return Err(Trouble::Other(anyhow::anyhow!("the answer is too long")));
            }
        }
        serde_json::from_slice(&body).map_err(|_| {
            Trouble::Other(anyhow::anyhow!(
                "{} is no ThumbForge: its answer is not JSON",
                self.base
            ))
        })
    }

    /// The next piece of a body.
    pub async fn chunk(
        &self,
        answer: &mut Response,
    ) -> Result<Option<impl AsRef<[u8]> + use<>>, Trouble> {
        let chunk = answer.chunk().await;
        chunk.map_err(|error| self.unreachable(&error))
    }

    /// A request, and the JSON that answers it.
    pub async fn once(&self, request: RequestBuilder) -> Result<Value, Trouble> {
        let answer = self.send(request).await?;
        self.json(answer).await
    }

    /// A request that may be made again, and its JSON. It is made until `patience` ends.
    pub async fn patiently(
        &self,
        patience: Patience,
        request: impl Fn(&Self) -> RequestBuilder,
    ) -> Result<Value, Trouble> {
        retried(patience, |_| true, || self.once(request(self))).await
    }

    pub async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Value, Trouble> {
        self.call(Method::GET, path, query, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, Trouble> {
        self.call(Method::POST, path, &[], Some(body)).await
    }

    /// Waits if the service asks for that. A service that can't be reached is reported at once: the
    /// person may have named a wrong one.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<&Value>,
    ) -> Result<Value, Trouble> {
        let target = with_query(path, query);
        let request = || {
            let request = self.request(method.clone(), &target);
            match body {
                Some(body) => request
                    .header(header::CONTENT_TYPE, "application/json")
                    .body(body.to_string()),
                None => request,
            }
        };
        let may = |trouble: &Trouble| match trouble {
            Trouble::Refused(refusal) => is_undone(&method, refusal.status),
            _ => false,
        };
        let patience = Patience::new(SHORT_PATIENCE);
        retried(patience, may, || self.once(request())).await
    }

    fn unreachable(&self, error: &reqwest::Error) -> Trouble {
        // The innermost cause says what happened; the others repeat the URL.
        let mut cause: &dyn Error = error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        let reason = match error.is_timeout() {
            true => "no answer in time".to_owned(),
            false => cause.to_string(),
        };
        let verb = match error.is_connect() {
            true => "can't be reached",
            false => "broke off",
        };
        let base = self.base.as_str().trim_end_matches('/');
        Trouble::Unreachable(format!("{base} {verb}: {reason}"))
    }
}

/// Whether a refused call may be made again: after other errors than `429` something may have
/// happened, and a second webhook would be one too many.
fn is_undone(method: &Method, status: StatusCode) -> bool {
    [Method::GET, Method::DELETE].contains(method) || status == StatusCode::TOO_MANY_REQUESTS
}

pub fn with_query(path: &str, query: &[(&str, String)]) -> String {
    if query.is_empty() {
        return path.to_owned();
    }
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    pairs.extend_pairs(query);
    format!("{path}?{}", pairs.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_a_stranger_stays_one_part_of_the_path() {
        assert_eq!(in_path("../x?y#z"), "..%2Fx%3Fy%23z");
        assert_eq!(in_path(".."), "-");
        let query = [("tag", "a&b=c".to_owned())];
        assert_eq!(with_query("/v1/images", &query), "/v1/images?tag=a%26b%3Dc");
    }
}
