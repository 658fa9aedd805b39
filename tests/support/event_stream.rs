//! A client of Server-Sent Events.

use std::time::Duration;

use super::client;

/// No event takes longer than this.
const DEADLINE: Duration = Duration::from_secs(30);

/// What a browser would dispatch.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerEvent {
    pub name: String,
    pub id: String,
    pub data: serde_json::Value,
}

pub struct EventStream {
    pub response: reqwest::Response,
    text: String,
    /// As a browser sends it when it comes back.
    pub last_id: String,
    /// Milliseconds after which the server asks to come back.
    pub retry: Option<u64>,
}

impl EventStream {
    pub async fn open(url: &str, headers: &[(&str, &str)]) -> Self {
        let mut request = client::new().get(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.expect("an answer");
        Self {
            response,
            text: String::new(),
            last_id: String::new(),
            retry: None,
        }
    }

    /// The next event; `None` if the stream has ended.
    pub async fn next(&mut self) -> Option<ServerEvent> {
        tokio::time::timeout(DEADLINE, self.read())
            .await
            .expect("an event in time")
    }

    async fn read(&mut self) -> Option<ServerEvent> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                if let Some(event) = self.dispatch(&block) {
                    return Some(event);
                }
            }
            let chunk = self.response.chunk().await.expect("a sound stream")?;
            self.text
                .push_str(std::str::from_utf8(&chunk).expect("text"));
        }
    }

    fn dispatch(&mut self, block: &str) -> Option<ServerEvent> {
        let (mut name, mut data) = (String::from("message"), None);
        for line in block.lines() {
            match line.split_once(": ") {
                Some(("id", id)) => self.last_id = id.to_owned(),
                Some(("event", event)) => name = event.to_owned(),
                Some(("data", json)) => data = Some(serde_json::from_str(json).expect("JSON")),
                Some(("retry", millis)) => self.retry = millis.parse().ok(),
                _ => assert!(line.starts_with(':'), "an unknown field: {line}"),
            }
        }
        Some(ServerEvent {
            name,
            id: self.last_id.clone(),
            data: data?,
        })
    }
}
