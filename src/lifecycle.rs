//! Asks a process to end, and makes sure that it does; asks it to read its settings anew.

use std::io::{self, IsTerminal};
use std::process;
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// What signals ask of this process, from [`catch_signals`] on.
///
/// SIGTERM and SIGINT ask for the end. SIGHUP asks to read settings anew; but where standard input
/// was a terminal, the hangup means that the terminal has gone, and it asks for the end too.
#[derive(Clone)]
pub struct Signals {
    stop: CancellationToken,
    reload: Arc<Notify>,
    grace: Arc<OnceLock<Duration>>,
}

/// Catches the signals of this process. From here on none of them kills it, whatever it is at.
///
/// A thread of its own does all this: whatever hangs elsewhere (a server, a disk, a log that no
/// process reads) can't hold it up.
///
/// # Errors
/// If the handlers can't be installed.
pub fn catch_signals() -> io::Result<Signals> {
    let asked = Signals {
        stop: CancellationToken::new(),
        reload: Arc::default(),
        grace: Arc::default(),
    };
    let hangup = match io::stdin().is_terminal() {
        true => Wish::End("SIGHUP"),
        false => Wish::Reload,
    };
    let obeying = asked.clone();
    let (installed, outcome) = mpsc::channel();
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || match install(hangup) {
            Ok((runtime, caught)) => {
                let _ = installed.send(Ok(()));
                runtime.block_on(obey(caught, &obeying));
            }
            Err(error) => {
                let _ = installed.send(Err(error));
            }
        })?;
    outcome.recv().map_err(io::Error::other)??;
    Ok(asked)
}

impl Signals {
    /// A token that a signal cancels. After `grace`, the process is ended if it has not ended
    /// itself; a second signal ends it at once. Other workers take over its jobs when their leases
    /// expire.
    pub fn stop_within(&self, grace: Duration) -> CancellationToken {
        // Set once; a start that calls it twice means the same.
        let _ = self.grace.set(grace);
        self.stop.clone()
    }

    /// Ends when settings are to be read anew, now or since the last call.
    pub async fn reload_asked_for(&self) {
        self.reload.notified().await;
    }
}

/// What a signal asks for, with its name where it is logged.
#[derive(Clone, Copy)]
enum Wish {
    End(&'static str),
    Reload,
}

struct Caught {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    meaning_of_hangup: Wish,
}

fn install(meaning_of_hangup: Wish) -> io::Result<(Runtime, Caught)> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let context = runtime.enter();
    let caught = Caught {
        terminate: signal(SignalKind::terminate())?,
        interrupt: signal(SignalKind::interrupt())?,
        hangup: signal(SignalKind::hangup())?,
        meaning_of_hangup,
    };
    drop(context);
    Ok((runtime, caught))
}

/// Never returns: if the process does not end, this thread ends it.
#[expect(clippy::disallowed_methods, reason = "the one end of a shutdown")]
async fn obey(mut caught: Caught, asked: &Signals) {
    let name = loop {
        match caught.next().await {
            Wish::End(name) => break name,
            Wish::Reload => asked.reload.notify_one(),
        }
    };
    asked.stop.cancel();
    say(move || tracing::info!(signal = name, "stopping; a second signal ends at once"));
    // Without a grace period yet, nothing has begun that could be handed back.
    let grace = asked.grace.get().copied().unwrap_or_default();
    tokio::select! {
        name = caught.next_end() => {
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

impl Caught {
    async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.terminate.recv() => Wish::End("SIGTERM"),
            _ = self.interrupt.recv() => Wish::End("SIGINT"),
            _ = self.hangup.recv() => self.meaning_of_hangup,
        }
    }

    /// Of hangups a terminal that goes away sends several, and a supervisor may ask a process that
    /// is ending to reload: neither is a wish to end at once.
    async fn next_end(&mut self) -> &'static str {
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
