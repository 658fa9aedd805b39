//! Asks a process to end, and makes sure that it does.

use std::io;
use std::process;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that SIGTERM or SIGINT cancels. After `grace`, the process is ended if it has not ended
/// itself; a second signal ends it at once. Other workers take over its jobs when their leases
/// expire.
///
/// A thread of its own does all this: whatever hangs elsewhere (a server, a disk, a log that no
/// process reads) can't hold it up.
///
/// # Errors
/// If the handlers can't be installed.
pub fn stop_on_signals(grace: Duration) -> io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let asked = stop.clone();
    let (installed, outcome) = mpsc::channel();
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || match install() {
            Ok((runtime, signals)) => {
                let _ = installed.send(Ok(()));
                runtime.block_on(obey(signals, &asked, grace));
            }
            Err(error) => {
                let _ = installed.send(Err(error));
            }
        })?;
    outcome.recv().map_err(io::Error::other)??;
    Ok(stop)
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

fn install() -> io::Result<(Runtime, Signals)> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let context = runtime.enter();
    let signals = Signals {
        terminate: signal(SignalKind::terminate())?,
        interrupt: signal(SignalKind::interrupt())?,
    };
    drop(context);
    Ok((runtime, signals))
}

/// Never returns: if the process does not end, this thread ends it.
#[expect(clippy::disallowed_methods, reason = "the one end of a shutdown")]
async fn obey(mut signals: Signals, stop: &CancellationToken, grace: Duration) {
    let name = signals.next().await;
    stop.cancel();
    say(move || tracing::info!(signal = name, "stopping; a second signal ends at once"));
    tokio::select! {
        name = signals.next() => {
            say(move || tracing::warn!(signal = name, "ending at once"));
            process::exit(EXIT_BY_SECOND_SIGNAL);
        }
        () = tokio::time::sleep(grace + LATENESS) => {
            say(|| tracing::warn!("the grace period is over; whatever hangs is abandoned"));
            // It was asked to end, and no job is lost.
            process::exit(0);
        }
    }
}

impl Signals {
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// What shells report of a process that SIGINT has ended.
const EXIT_BY_SECOND_SIGNAL: i32 = 130;
/// The parts end themselves at the end of the grace period; this is for those that do not.
const LATENESS: Duration = Duration::from_secs(1);
/// Longest wait for a line of the log.
const SAYING: Duration = Duration::from_millis(100);

/// Logs, unless the log hangs.
fn say(line: impl FnOnce() + Send + 'static) {
    let (said, heard) = mpsc::channel();
    thread::spawn(move || {
        line();
        let _ = said.send(());
    });
    let _ = heard.recv_timeout(SAYING);
}
