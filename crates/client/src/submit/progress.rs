//! A bar on a terminal; nothing elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::report::Tally;

const SPIN: Duration = Duration::from_millis(200);

pub struct Progress {
    bar: ProgressBar,
    has_size: bool,
    waits: bool,
}

impl Progress {
    /// `size` has the unit of the positions that [`Self::show`] gets.
    pub fn new(size: Option<u64>, waits: bool) -> Self {
        // Hidden unless standard error is a terminal.
        let bar = ProgressBar::with_draw_target(size, ProgressDrawTarget::stderr());
        let template = match size {
            Some(_) => "{wide_bar} {percent:>3}% {msg} {elapsed}",
            None => "{spinner} {msg} {elapsed}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        if !bar.is_hidden() {
            bar.enable_steady_tick(SPIN);
        }
        Self {
            bar,
            has_size: size.is_some(),
            waits,
        }
    }

    pub fn show(&self, tally: Tally, position: Option<u64>) {
        if self.bar.is_hidden() {
            return;
        }
        if let Some(position) = position
            && self.has_size
        {
            // Lines end in another order than they begin.
            self.bar.set_position(position.max(self.bar.position()));
        }
        let verb = if self.waits { "completed" } else { "accepted" };
        let open = tally.begun - tally.good - tally.failed;
        self.bar.set_message(format!(
            "{} {verb}, {} failed, {open} under way",
            tally.good, tally.failed
        ));
    }

    /// Prints something without tearing the bar.
    pub fn aside<R>(&self, print: impl FnOnce() -> R) -> R {
        self.bar.suspend(print)
    }

    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
