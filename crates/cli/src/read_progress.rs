//! How much of a large input has been read.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::escape::escape_cell;
use crate::note;
use crate::summary::per_second;
use tinderbox_train::format::thousands;

/// Time between two lines where there is no terminal.
const EVERY: Duration = Duration::from_secs(30);

/// Time after which a rate says something.
const SETTLED: Duration = Duration::from_millis(500);

/// A bar on a terminal, else a line every 30 s; both on stderr.
#[derive(Debug)]
pub struct ReadProgress {
    name: String,
    bar: Option<ProgressBar>,
    total: Option<u64>,
    started: Instant,
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
                "{msg} {wide_bar} {percent}% {prefix}"
            } else {
                "{msg} {spinner} {elapsed} {prefix}"
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
            total,
            started: Instant::now(),
            last: Instant::now(),
        }
    }

    /// Says how far reading has come: the position in units of the total, and the number of items.
    pub fn set(&mut self, position: u64, items: usize) {
        let taken = self.started.elapsed();
        match &self.bar {
            Some(bar) => {
                bar.set_position(position);
                if taken >= SETTLED {
                    bar.set_prefix(self.speed(position, items, taken));
                }
            }
            None if self.last.elapsed() >= EVERY => {
                self.last = Instant::now();
                note(&format!(
                    "{}: {} done, {}",
                    self.name,
                    thousands(items),
                    self.speed(position, items, taken)
                ));
            }
            None => {}
        }
    }

    /// Items per second, and the time left if that is known.
    fn speed(&self, position: u64, items: usize, taken: Duration) -> String {
        let left = self
            .total
            .and_then(|total| time_left(position, total, taken));
        let left = left.map_or(String::new(), |left| format!(", {left} left"));
        format!("{}{left}", rate(items, taken))
    }
}

/// Items per second.
fn rate(items: usize, taken: Duration) -> String {
    let rate = items as f64 / taken.as_secs_f64().max(1e-9);
    format!("{}/s", per_second(rate))
}

/// How long the rest takes if it goes on as so far.
fn time_left(position: u64, total: u64, taken: Duration) -> Option<String> {
    let done = position as f64 / total as f64;
    let left = taken.as_secs_f64() * (1.0 - done) / done;
    let left = Duration::try_from_secs_f64(left.max(0.0)).ok()?;
    Some(HumanDuration(left).to_string())
}

impl Drop for ReadProgress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_takes_as_long_as_its_share() {
        let taken = Duration::from_mins(1);
        assert_eq!(time_left(25, 100, taken).as_deref(), Some("3 minutes"));
        assert_eq!(time_left(100, 100, taken).as_deref(), Some("0 seconds"));
        assert_eq!(time_left(0, 100, taken), None);
        assert_eq!(rate(90_000, taken), "1,500/s");
        assert_eq!(rate(90, taken), "1.5/s");
    }
}
