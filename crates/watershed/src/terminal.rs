//! Progress bars, on a terminal only.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tsdb::inspect::Progress;

/// A bar on standard error for as long as this lives; nothing where that is no terminal.
pub(crate) struct Bar {
    bar: ProgressBar,
}

impl Bar {
    pub(crate) fn new() -> Self {
        let target =
            if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let style = ProgressStyle::with_template("{msg:>28} [{bar:40}] {percent:>3} %  {eta}");
        let bar = ProgressBar::with_draw_target(Some(1), target);
        Bar { bar: style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style.progress_chars("=> "))) }
    }
}

impl Progress for Bar {
    fn begin(&mut self, what: &str, total: u64) {
        // One step where nobody knows how many there will be: a bar of none is full from the start.
        self.bar.set_length(total.max(1));
        self.bar.set_message(what.to_owned());
        self.bar.reset();
    }

    fn advance(&mut self, steps: u64) {
        self.bar.inc(steps);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
