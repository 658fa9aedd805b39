//! Logging: one line an event on stderr, as text or JSON, with searchable fields such as `job.id`.

use std::io::Write;

use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use crate::config::{LogFormat, Settings};

#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("the log filter can't be read: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    #[error("logging can't start: {0}")]
    Start(#[from] TryInitError),
    #[error("the log filter can't be changed: {0}")]
    Change(#[from] reload::Error),
}

/// The filter of the log, which may change while the process runs.
#[derive(Clone)]
pub struct LogFilter(reload::Handle<EnvFilter, Registry>);

impl LogFilter {
    /// From now on, `log_level` decides what is logged.
    ///
    /// # Errors
    /// If it can't be read; then the one from before stays.
    pub fn set(&self, log_level: &str) -> Result<(), TelemetryError> {
        Ok(self.0.reload(filter(log_level)?)?)
    }
}

/// Sends the events of this process, and those of libraries that use `log`, to stderr.
///
/// # Errors
/// If the filter can't be read, or if a subscriber is installed already.
pub fn init(settings: &Settings) -> Result<LogFilter, TelemetryError> {
    let (filter, handle) = reload::Layer::new(filter(&settings.log_level)?);
    // Colours are for people: a file or a collector gets none.
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let subscriber = subscriber(filter, settings.log_format, is_terminal, std::io::stderr);
    subscriber.try_init()?;
    if settings.log_format == LogFormat::Json {
        log_panics();
    }
    Ok(LogFilter(handle))
}

/// A panic is a line of text on stderr by default, which a reader of JSON stumbles over.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let payload = panic.payload();
        let literal = payload.downcast_ref::<&str>().copied();
        let made = || payload.downcast_ref::<String>().map(String::as_str);
        let message = literal.or_else(made).unwrap_or("a panic");
        tracing::error!(place, "{message}");
    }));
}

/// Says why the process ends, as a line in the format of its log. It is said whatever the log's
/// level is, and before there is a log.
pub fn complain(format: LogFormat, sentence: &str) {
    let line = match format {
        LogFormat::Text => format!("error: {sentence}"),
        LogFormat::Json if tracing::enabled!(tracing::Level::ERROR) => {
            return tracing::error!("{sentence}");
        }
        LogFormat::Json => {
            let line = serde_json::json!({"level": "ERROR", "message": sentence});
            line.to_string()
        }
    };
    // No reader is left if a terminal has gone: there `eprintln!` would panic.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Two targets of the web framework are left out: it logs an error for every client that does not
/// send HTTP, so that strangers would fill our log, and how it starts. A directive of the setting
/// for the same module brings them back.
fn filter(log_level: &str) -> Result<EnvFilter, tracing_subscriber::filter::ParseError> {
    let ours = "actix_http::h1::dispatcher=off,actix_server=warn";
    EnvFilter::builder().parse(format!("{ours},{log_level}"))
}

fn subscriber<F, W>(
    filter: F,
    format: LogFormat,
    colours: bool,
    writer: W,
) -> Box<dyn tracing::Subscriber + Send + Sync>
where
    F: Layer<Registry> + Send + Sync + 'static,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_ansi(colours);
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Text => Box::new(registry.with(lines)),
        LogFormat::Json => Box::new(registry.with(lines.json().flatten_event(true))),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(filter: &str, format: LogFormat, log: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let filter = super::filter(filter).unwrap();
        let subscriber = subscriber(filter, format, false, move || writer.clone());
        tracing::subscriber::with_default(subscriber, log);
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_json_line_has_its_fields_at_the_top() {
        let text = logged("info", LogFormat::Json, || {
            tracing::info!(job.id = "0190", "job completed");
        });
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["job.id"], "0190");
        assert_eq!(line["message"], "job completed");
        assert_eq!(line["level"], "INFO");
    }

    #[test]
    fn a_text_line_shows_its_fields_without_colours() {
        let text = logged("info", LogFormat::Text, || {
            tracing::info!(job.id = "0190", "job completed");
        });
        assert!(text.contains("job completed job.id=\"0190\""), "{text:?}");
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }

    #[test]
    fn strangers_that_send_no_http_are_not_logged_unless_asked_for() {
        let log = || tracing::error!(target: "actix_http::h1::dispatcher", "stream error");
        assert_eq!(logged("debug", LogFormat::Text, log), "");
        let asked = "info,actix_http::h1::dispatcher=error";
        assert!(logged(asked, LogFormat::Text, log).contains("stream error"));
    }

    #[test]
    fn how_the_web_framework_starts_is_not_logged() {
        let log = || tracing::info!(target: "actix_server::server", "Tokio runtime found");
        assert_eq!(logged("info", LogFormat::Text, log), "");
        let asked = "info,actix_server=info";
        assert!(logged(asked, LogFormat::Text, log).contains("Tokio"));
    }

    #[test]
    fn the_filter_can_change_and_a_wrong_one_changes_nothing() {
        let lines = Lines::default();
        let writer = lines.clone();
        let (filter, handle) = reload::Layer::new(super::filter("warn").unwrap());
        let filter_of_log = LogFilter(handle);
        let subscriber = subscriber(filter, LogFormat::Text, false, move || writer.clone());
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!("one");
            filter_of_log.set("info").unwrap();
            tracing::info!("two");
            filter_of_log.set("thumbforge=loud").unwrap_err();
            tracing::info!("three");
            filter_of_log.set("off").unwrap();
            tracing::error!("four");
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let said = ["one", "two", "three", "four"].map(|word| text.contains(word));
        assert_eq!(said, [false, true, true, false], "{text}");
    }

    #[test]
    fn the_filter_holds_back_what_is_below_it() {
        let text = logged("warn", LogFormat::Text, || tracing::info!("quiet"));
        assert_eq!(text, "");
    }
}
