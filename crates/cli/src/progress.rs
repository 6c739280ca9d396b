//! The one line that says how far something is.

use std::time::Duration;

use indicatif::ProgressBar;

/// A line on the terminal; nothing where there is none.
#[derive(Debug, Clone)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn new(what: &'static str) -> Self {
        let bar = ProgressBar::new_spinner().with_prefix(what);
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }

    pub(crate) fn show(&self, frames: u64, bytes: u64) {
        let elapsed = self.0.elapsed().as_secs_f64();
        let rate = bytes as f64 * 8.0 / 1000.0 / elapsed.max(0.1);
        let message = format!("{elapsed:.0} s, {frames} frames, {rate:.0} kbit/s");
        self.0.set_message(message);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
