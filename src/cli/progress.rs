//! Progress, on a terminal only.

use indicatif::{ProgressBar, ProgressStyle};

/// How far a long run has come.
pub struct Progress(ProgressBar);

impl Progress {
    /// Starts with nothing done of `total`; shows nothing unless `visible`.
    pub fn start(visible: bool, total: usize) -> Self {
        let bar = if visible {
            ProgressBar::new(total as u64)
        } else {
            ProgressBar::hidden()
        };
        // The template is fixed and valid; without it the bar only looks plainer.
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {wide_msg}") {
            bar.set_style(style);
        }
        Progress(bar)
    }

    /// Says what is being done.
    pub fn show(&self, what: &str) {
        self.0.set_message(what.to_owned());
    }

    /// One more is done.
    pub fn advance(&self) {
        self.0.inc(1);
    }

    /// So many are done.
    pub fn set(&self, done: usize) {
        self.0.set_position(done as u64);
    }

    /// Runs `print` with the bar out of its way.
    pub fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        self.0.suspend(print)
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}
