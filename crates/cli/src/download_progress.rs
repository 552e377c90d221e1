//! How much of a download has arrived.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::escape::escape_cell;
use crate::note;

/// Time between two lines where there is no terminal.
const EVERY: Duration = Duration::from_secs(10);

/// A bar on a terminal, else a line every 10 s; both on stderr. Small files come without.
#[derive(Debug)]
pub struct DownloadProgress {
    name: String,
    file: String,
    bar: Option<ProgressBar>,
    /// When the last line was due.
    last: Instant,
}

impl DownloadProgress {
    /// Least size of a file that is shown, in bytes.
    const SHOWN_FROM: u64 = 1 << 20;

    /// Of the files of `name`.
    pub fn new(name: &str) -> Self {
        Self {
            name: escape_cell(name).into_owned(),
            file: String::new(),
            bar: None,
            last: Instant::now(),
        }
    }

    /// Shows how many bytes of a file have arrived, and all of them if that is known.
    pub fn set(&mut self, file: &str, bytes: u64, total: Option<u64>) {
        if total.is_some_and(|total| total < Self::SHOWN_FROM) {
            return;
        }
        if self.file != file {
            self.start(file, total);
        }
        match &self.bar {
            Some(bar) => bar.set_position(bytes),
            None if self.last.elapsed() >= EVERY => {
                self.last = Instant::now();
                note(&self.line(bytes, total));
            }
            None => {}
        }
    }

    fn start(&mut self, file: &str, total: Option<u64>) {
        self.finish();
        file.clone_into(&mut self.file);
        let size = total.map_or(String::new(), |total| format!(" ({})", HumanBytes(total)));
        note(&format!("downloading {file} of `{}`{size}", self.name));
        self.bar = std::io::stderr().is_terminal().then(|| {
            let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
            bar.set_draw_target(ProgressDrawTarget::stderr());
            let template = if total.is_some() {
                "{bar:20} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left"
            } else {
                "{spinner} {bytes}, {bytes_per_sec}"
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar
        });
    }

    fn line(&self, bytes: u64, total: Option<u64>) -> String {
        let of = total.map_or(String::new(), |total| format!(" of {}", HumanBytes(total)));
        format!("{}: {}{of}", self.file, HumanBytes(bytes))
    }

    fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for DownloadProgress {
    fn drop(&mut self) {
        self.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_size_if_it_is_known() {
        let mut progress = DownloadProgress::new("timm/resnet18");
        progress.set("config.json", 100, Some(400));
        assert_eq!(progress.file, "");
        progress.set("model.safetensors", 3 << 20, Some(12 << 20));
        let line = progress.line(3 << 20, Some(12 << 20));
        assert_eq!(line, "model.safetensors: 3.00 MiB of 12.00 MiB");
        let line = progress.line(3 << 20, None);
        assert_eq!(line, "model.safetensors: 3.00 MiB");
    }
}
