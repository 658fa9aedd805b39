//! Chromium without a window, driven by the DevTools protocol. The protocol goes over its standard
//! input and output: no port is opened, and the browser ends with the test.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::{sleep, timeout};

/// Longest wait for anything that a page should do.
const PATIENCE: Duration = Duration::from_secs(40);

pub struct Browser {
    /// Killed when it is dropped.
    _process: Child,
    _profile: tempfile::TempDir,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    session: Option<String>,
    number: u64,
    /// What pages complained of: errors, broken policies, answers that failed.
    pub complaints: Vec<String>,
}

impl Browser {
    /// `None` where there is no Chromium.
    pub async fn start() -> Option<Self> {
        let names = ["chromium", "chromium-browser", "google-chrome"];
        let has = |name: &&str| {
            let asked = std::process::Command::new(name).arg("--version").output();
            asked.is_ok_and(|answer| answer.status.success())
        };
        let name = names.into_iter().find(has)?;
        let profile = tempfile::tempdir().unwrap();
        // The protocol is on the descriptors 3 and 4.
        let mut process = Command::new("sh")
            .args([
                "-c",
                r#"exec "$@" 3<&0 4>&1 0</dev/null 1>/dev/null 2>/dev/null"#,
                "sh",
                name,
            ])
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--remote-debugging-pipe",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("sh is there");
        let mut browser = Self {
            input: process.stdin.take()?,
            output: BufReader::new(process.stdout.take()?),
            _process: process,
            _profile: profile,
            session: None,
            number: 0,
            complaints: Vec::new(),
        };
        let page = browser
            .ask("Target.createTarget", json!({"url": "about:blank"}))
            .await;
        let attached = json!({"targetId": page["targetId"], "flatten": true});
        let attached = browser.ask("Target.attachToTarget", attached).await;
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log"] {
            browser.ask(&format!("{domain}.enable"), json!({})).await;
        }
        Some(browser)
    }

    /// One command of the protocol.
    pub async fn ask(&mut self, method: &str, params: Value) -> Value {
        self.number += 1;
        let mut message = json!({"id": self.number, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.input.write_all(&bytes).await.expect("Chromium runs");
        let answering = async {
            loop {
                let mut answer = Vec::new();
                self.output.read_until(0, &mut answer).await.unwrap();
                answer.pop();
                let answer: Value = serde_json::from_slice(&answer).expect("Chromium has ended");
                if answer["id"] == self.number {
                    return answer;
                }
                self.complaints.extend(complaint(&answer));
            }
        };
        let answer = timeout(PATIENCE, answering).await;
        let answer = answer.unwrap_or_else(|_| panic!("{method} had no answer"));
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    pub async fn open(&mut self, url: &str) {
        self.ask("Page.navigate", json!({"url": url})).await;
        let loaded = format!(
            "location.href.startsWith({}) && document.readyState === 'complete'",
            json!(url.split(['?', '#']).next())
        );
        self.until(&loaded).await;
    }

    /// The value of an expression in the page; of a promise, what it becomes.
    pub async fn value(&mut self, expression: &str) -> Value {
        let params = json!({
            "expression": expression, "returnByValue": true, "awaitPromise": true, "userGesture": true,
        });
        let answer = self.ask("Runtime.evaluate", params).await;
        assert!(
            answer.get("exceptionDetails").is_none(),
            "{expression}: {answer}"
        );
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    pub async fn until(&mut self, expression: &str) {
        let waiting = async {
            loop {
                // Between two pages there is none that could answer.
                let params = json!({"expression": expression, "returnByValue": true});
                let answer = self.ask("Runtime.evaluate", params).await;
                if answer["result"]["value"] == true {
                    return;
                }
                sleep(Duration::from_millis(30)).await;
            }
        };
        if timeout(PATIENCE, waiting).await.is_err() {
            let text = self.value("document.body.innerText").await;
            panic!(
                "never came true: {expression}\n{text}\n{:?}",
                self.complaints
            );
        }
    }

    /// Presses the element that a selector finds.
    pub async fn click(&mut self, selector: &str) {
        let found = format!("!!document.querySelector({})", json!(selector));
        self.until(&found).await;
        self.value(&format!(
            "document.querySelector({}).click()",
            json!(selector)
        ))
        .await;
    }

    /// As if the window were a phone's.
    pub async fn narrow(&mut self, width: u32) {
        let size = json!({"width": width, "height": 640, "deviceScaleFactor": 1, "mobile": true});
        self.ask("Emulation.setDeviceMetricsOverride", size).await;
    }
}

/// What an event of the protocol says is wrong.
fn complaint(event: &Value) -> Option<String> {
    let params = &event["params"];
    match event["method"].as_str()? {
        "Runtime.exceptionThrown" => Some(params["exceptionDetails"].to_string()),
        "Log.entryAdded" if params["entry"]["level"] == "error" => {
            Some(params["entry"].to_string())
        }
        "Runtime.consoleAPICalled" if params["type"] == "error" => Some(params.to_string()),
        _ => None,
    }
}
