//! Logging: one line an event on stderr, as text or JSON, with searchable fields such as `job.id`.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config::{LogFormat, Settings};

#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("the log filter can't be read: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    #[error("logging can't start: {0}")]
    Start(#[from] TryInitError),
}

/// Sends the events of this process, and those of libraries that use `log`, to stderr.
///
/// # Errors
/// If the filter can't be read, or if a subscriber is installed already.
pub fn init(settings: &Settings) -> Result<(), TelemetryError> {
    let filter = filter(&settings.log_level)?;
    // Colours are for people: a file or a collector gets none.
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let subscriber = subscriber(filter, settings.log_format, is_terminal, std::io::stderr);
    subscriber.try_init()?;
    Ok(())
}

/// The web framework logs an error for every client that does not send HTTP: strangers would fill
/// our log. A directive of the setting for the same module brings it back.
fn filter(log_level: &str) -> Result<EnvFilter, tracing_subscriber::filter::ParseError> {
    EnvFilter::builder().parse(format!("actix_http::h1::dispatcher=off,{log_level}"))
}

fn subscriber<W>(
    filter: EnvFilter,
    format: LogFormat,
    colours: bool,
    writer: W,
) -> Box<dyn tracing::Subscriber + Send + Sync>
where
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
    fn the_filter_holds_back_what_is_below_it() {
        let text = logged("warn", LogFormat::Text, || tracing::info!("quiet"));
        assert_eq!(text, "");
    }
}
