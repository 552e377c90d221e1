//! How much of a large input has been read.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::escape::escape_cell;
use crate::note;
use tinderbox_train::format::thousands;

/// Time between two lines where there is no terminal.
const EVERY: Duration = Duration::from_secs(30);

/// A bar on a terminal, else a line every 30 s; both on stderr.
#[derive(Debug)]
pub struct ReadProgress {
    name: String,
    bar: Option<ProgressBar>,
    /// When the last line was due.
    last: Instant,
}

impl ReadProgress {
    /// Of an input called `name`, of which `total` units are to be read if that is known. Nothing is
    /// drawn while results are printed to the same terminal.
    pub fn new(name: &str, total: Option<u64>, to_stdout: bool) -> Self {
        let mixed = to_stdout && std::io::stdout().is_terminal();
        let bar = (std::io::stderr().is_terminal() && !mixed).then(|| {
            let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
            bar.set_draw_target(ProgressDrawTarget::stderr());
            let template = if total.is_some() {
                "{msg} {wide_bar} {percent}% {eta}"
            } else {
                "{msg} {spinner} {elapsed}"
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.set_message(escape_cell(name).into_owned());
            bar
        });
        Self {
            name: name.to_owned(),
            bar,
            last: Instant::now(),
        }
    }

    /// Says how far reading has come: the position in units of the total, and the number of items.
    pub fn set(&mut self, position: u64, items: usize) {
        match &self.bar {
            Some(bar) => bar.set_position(position),
            None if self.last.elapsed() >= EVERY => {
                self.last = Instant::now();
                note(&format!("{}: {} done", self.name, thousands(items)));
            }
            None => {}
        }
    }
}

impl Drop for ReadProgress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
