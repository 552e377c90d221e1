//! Progress for people, as a renderer of burn-train: bars on a terminal, a line per epoch
//! elsewhere.

use std::collections::BTreeMap;
use std::fmt;
use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use burn::train::Interrupter;
use burn::train::logger::TrainingProgressLogger;
use burn::train::metric::MetricDefinition;
use burn::train::renderer::{MetricState, MetricsRenderer, MetricsRendererTraining};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use tinderbox_train::Silent;
use tinderbox_train::run_options::Options;

use crate::dashboard::Dashboard;
use crate::epoch_line::{EpochLine, fitting};
use crate::metric_names::{Entry, MetricNames};
use crate::output::stderr_width;
use crate::{TrainArgs, interrupter, note};

/// How fast a running value on the bar follows the batches.
const SMOOTHING: f64 = 0.05;

/// Columns that a bar takes without its metrics, at most as a rule.
const MARGIN: usize = 60;

/// Columns of the terminal; 80 where it does not say.
fn room() -> usize {
    stderr_width().unwrap_or(80)
}
/// How often a count is told where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// What `--quiet`, `--tui` and the terminal ask for.
pub fn renderer(args: &TrainArgs, interrupter: &Interrupter) -> Box<dyn MetricsRenderer> {
    if args.run.quiet {
        Box::new(Silent)
    } else if args.tui && std::io::stdout().is_terminal() {
        Box::new(Dashboard::new(interrupter.clone()))
    } else {
        Box::new(Progress::new(std::io::stderr().is_terminal()))
    }
}

/// Longest silence without a terminal.
const SILENCE: Duration = Duration::from_secs(30);

/// Watches a run of several trainings, each with its own progress, until it ends or is interrupted.
pub fn watch(args: &TrainArgs, dir: &Path, resume: bool) -> Options {
    let interrupter = interrupter();
    let quiet = args.run.quiet;
    let (args, handle) = (args.clone(), interrupter.clone());
    Options {
        resume,
        baselines: !args.no_baseline,
        renderer: Box::new(move |stage| {
            if !stage.name.is_empty() && !args.run.quiet {
                note(&stage.name);
            }
            renderer(&args, &handle)
        }),
        interrupter,
        on_damage: |error| note(&format!("{error}; using the previous checkpoint")),
        on_note: if quiet { |_| {} } else { note },
        ..Options::new(dir)
    }
}

/// A bar that counts `items` on a terminal, and a line every ten seconds elsewhere; nothing of what
/// takes less than that.
pub fn counter(items: &'static str) -> impl FnMut(usize, usize) {
    let terminal = std::io::stderr().is_terminal();
    let mut bar: Option<ProgressBar> = None;
    let mut told = Instant::now();
    move |done, total| {
        if terminal {
            let bar = bar.get_or_insert_with(|| {
                let style = ProgressStyle::with_template("{bar:20} {pos}/{len} {msg}, {eta} left");
                let bar = ProgressBar::new(total as u64).with_message(items);
                bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
            });
            bar.set_position(done as u64);
            if done == total {
                bar.finish_and_clear();
            }
        } else if told.elapsed() >= LINE_EVERY && done < total {
            told = Instant::now();
            note(&format!("{done} of {total} {items}"));
        }
    }
}

/// Bars, or a line per epoch.
pub struct Progress {
    bars: bool,
    bar: Option<ProgressBar>,
    names: MetricNames,
    running: BTreeMap<String, f64>,
    train: BTreeMap<String, f64>,
    valid: BTreeMap<String, f64>,
    epoch: usize,
    epochs: usize,
    /// Steps of a training that has no epochs.
    total_steps: Option<usize>,
    /// Set by the first number of steps of such a training.
    pace: Arc<OnceLock<Pace>>,
    started: Instant,
    /// Number of epochs that are over, and the time that they took.
    past: (u32, Duration),
    split: SplitProgress,
    last_line: Instant,
}

/// The epochs after the current one, which are part of the time left.
#[derive(Clone, Copy)]
struct Rest {
    epochs: usize,
    /// Time for each of them, as far as an epoch, or the training part of one, was seen.
    epoch_time: Option<Duration>,
}

impl Rest {
    /// Time to the end of the training, from what the split has taken and has left.
    fn left(self, elapsed: Duration, split_left: Duration) -> Duration {
        let epoch_time = self.epoch_time.unwrap_or(elapsed + split_left);
        split_left + epoch_time.mul_f64(self.epochs as f64)
    }
}

/// The pace of a training that has no epochs: its bars begin anew after each evaluation, and a resumed one not at 0.
#[derive(Debug)]
struct Pace {
    first: usize,
    since: Instant,
}

impl Pace {
    /// Steps per second.
    fn rate(&self, done: usize, elapsed: Duration) -> f64 {
        done.saturating_sub(self.first) as f64 / elapsed.as_secs_f64().max(1e-3)
    }

    /// Time to the end; none before it is known how long a step takes.
    fn left(&self, done: usize, total: usize, elapsed: Duration) -> Option<Duration> {
        let steps = done.checked_sub(self.first).filter(|steps| *steps > 0)?;
        Some(elapsed.mul_f64(total.saturating_sub(done) as f64 / steps as f64))
    }
}

/// How far a split of an epoch is.
struct SplitProgress {
    is_train: bool,
    items: usize,
    done: usize,
    started: Instant,
}

impl SplitProgress {
    fn new(is_train: bool, items: usize) -> Self {
        Self {
            is_train,
            items,
            done: 0,
            started: Instant::now(),
        }
    }

    /// Time to the end of the split at its pace so far.
    fn left(&self, elapsed: Duration) -> Duration {
        let left = self.items.saturating_sub(self.done) as f64;
        elapsed.mul_f64(left / self.done.max(1) as f64)
    }
}

impl Progress {
    /// Bars if `bars`, else a line per epoch.
    pub fn new(bars: bool) -> Self {
        Self {
            bars,
            bar: None,
            names: MetricNames::default(),
            running: BTreeMap::new(),
            train: BTreeMap::new(),
            valid: BTreeMap::new(),
            epoch: 1,
            epochs: 1,
            total_steps: None,
            pace: Arc::default(),
            started: Instant::now(),
            past: (0, Duration::ZERO),
            split: SplitProgress::new(true, 0),
            last_line: Instant::now(),
        }
    }

    /// What follows the current split.
    fn rest(&self) -> Rest {
        // At its first validation, an epoch is known but for that.
        let seen = (!self.split.is_train)
            .then(|| self.split.started.saturating_duration_since(self.started));
        Rest {
            epochs: self.epochs.saturating_sub(self.epoch),
            epoch_time: self.past.1.checked_div(self.past.0).or(seen),
        }
    }

    /// The position in the training, as in `epoch 3/10` or `step 512/50000`.
    fn position(&self, epoch: usize) -> String {
        let (unit, done, total) = match self.total_steps {
            Some(total) => ("step", self.split.done, total),
            None => ("epoch", epoch, self.epochs),
        };
        let digits = total.to_string().len();
        format!("{unit} {done:>digits$}/{total}")
    }

    fn epoch_line(&self, epoch: usize) -> String {
        let line = EpochLine {
            position: self.position(epoch),
            train: &self.train,
            valid: &self.valid,
            seconds: self.started.elapsed().as_secs_f64(),
        };
        match stderr_width().filter(|_| self.bars) {
            Some(columns) => line.fitted(columns),
            None => line.full(),
        }
    }

    /// A line within a long epoch, as in `epoch 1/10, 45%, loss 1.9200, 32 min left`: the time left of all epochs.
    fn split_line(&self, elapsed: Duration) -> String {
        let split = &self.split;
        let mut parts = vec![self.position(self.epoch)];
        if !split.is_train {
            parts.push("validation".to_owned());
        }
        parts.push(format!("{}%", 100 * split.done / split.items.max(1)));
        if split.is_train
            && let Some(loss) = self.running.get("loss")
        {
            parts.push(format!("loss {loss:.4}"));
        }
        let left = match self.pace.get() {
            Some(pace) => pace.left(split.done, split.items, pace.since.elapsed()),
            None => Some(self.rest().left(elapsed, split.left(elapsed))),
        };
        parts.extend(left.map(|left| format!("{} left", rounded(left))));
        parts.join(", ")
    }

    fn show_running(&self) {
        let Some(bar) = &self.bar else { return };
        let shown = self
            .running
            .iter()
            .filter(|(name, _)| *name != "learning_rate");
        let text: Vec<String> = shown
            .map(|(name, value)| format!("{name} {value:.4}"))
            .collect();
        bar.set_message(fitting(&text, room().saturating_sub(MARGIN)));
    }
}

impl TrainingProgressLogger for Progress {
    fn start(&mut self, epochs: usize, first: usize, steps: Option<usize>, _: Option<&str>) {
        self.total_steps = steps.filter(|_| epochs == 0);
        self.pace = Arc::default();
        self.epochs = epochs;
        self.epoch = first;
        self.past = (0, Duration::ZERO);
        self.started = Instant::now();
    }

    fn update_epoch(&mut self, epoch: usize) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        note(&self.epoch_line(epoch));
        self.last_line = Instant::now();
        self.epoch = epoch + 1;
        self.past.0 += 1;
        self.past.1 += self.started.elapsed();
        self.started = Instant::now();
        self.running.clear();
    }

    fn start_split(&mut self, split: &str, items: usize) {
        // The steps of a training without epochs continue after an evaluation.
        let done = match self.total_steps {
            Some(_) => self.split.done,
            None => 0,
        };
        self.split = SplitProgress::new(split == "train", items);
        self.split.done = done;
        if !self.bars {
            return;
        }
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let bar = ProgressBar::with_draw_target(Some(items as u64), ProgressDrawTarget::hidden());
        bar.set_position(done as u64);
        let template = if room() < MARGIN {
            "{prefix} {percent}%  {rest} left"
        } else {
            "{prefix} {bar:12} {pos}/{len}  {rate}  {rest} left  {msg}"
        };
        let rest = self.rest();
        let [pace_of_rate, pace_of_rest] = [Arc::clone(&self.pace), Arc::clone(&self.pace)];
        bar.set_style(
            ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                // indicatif's own has four digits behind the point.
                .with_key(
                    "rate",
                    move |state: &ProgressState, out: &mut dyn fmt::Write| {
                        let rate = match pace_of_rate.get() {
                            Some(pace) => pace.rate(state.pos() as usize, pace.since.elapsed()),
                            None => state.per_sec(),
                        };
                        let _ = write!(out, "{rate:.0}/s");
                    },
                )
                .with_key(
                    "rest",
                    move |state: &ProgressState, out: &mut dyn fmt::Write| {
                        let left = match pace_of_rest.get() {
                            Some(pace) => {
                                let elapsed = pace.since.elapsed();
                                pace.left(state.pos() as usize, items, elapsed)
                            }
                            None if state.pos() == 0 => None,
                            None => Some(rest.left(state.elapsed(), state.eta())),
                        };
                        let _ = out.write_str(&left.map_or("-".to_owned(), rounded));
                    },
                )
                .progress_chars("=> "),
        );
        bar.set_prefix(match self.total_steps {
            Some(_) => "step".to_owned(),
            None => format!("{} {split:<5}", self.position(self.epoch)),
        });
        bar.set_draw_target(ProgressDrawTarget::stderr());
        bar.enable_steady_tick(Duration::from_millis(200));
        self.bar = Some(bar);
    }

    fn update_split(&mut self, items: usize) {
        if self.total_steps.is_some() {
            let _ = self.pace.get_or_init(|| Pace {
                first: items,
                since: Instant::now(),
            });
        }
        if let Some(bar) = &self.bar {
            bar.set_position(items as u64);
        }
        self.split.done = items;
        if !self.bars && self.last_line.elapsed() >= SILENCE {
            note(&self.split_line(self.split.started.elapsed()));
            self.last_line = Instant::now();
        }
    }

    fn end_split(&mut self) {}

    fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn log_event_training(&mut self, _: String) {}
}

impl MetricsRendererTraining for Progress {
    fn update_train(&mut self, state: MetricState) {
        let Some(Entry {
            name,
            value,
            is_final,
        }) = self.names.value(state)
        else {
            return;
        };
        if name == "learning_rate" {
            // The latest, not the mean of the epoch.
            if !is_final {
                self.train.insert(name, value);
            }
            return;
        }
        if is_final {
            self.train.insert(name, value);
            return;
        }
        let running = self.running.entry(name).or_insert(value);
        *running += SMOOTHING * (value - *running);
        self.show_running();
    }

    fn update_valid(&mut self, state: MetricState) {
        if let Some(entry) = self.names.value(state).filter(|entry| entry.is_final) {
            self.valid.insert(entry.name, entry.value);
        }
    }
}

tinderbox_train::without_evaluation!(Progress);

impl MetricsRenderer for Progress {
    fn manual_close(&mut self) {}

    fn register_metric(&mut self, definition: MetricDefinition) {
        self.names.register(definition);
    }
}

/// A duration as a person says it, as in `2 min`.
fn rounded(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..90 => format!("{seconds} s"),
        seconds @ 90..5400 => format!("{} min", (seconds + 30) / 60),
        seconds => format!("{:.1} h", seconds as f64 / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_epoch_says_how_far_it_is() {
        let mut progress = Progress::new(false);
        progress.start(10, 1, None, None);
        progress.start_split("train", 200);
        progress.running.insert("loss".to_owned(), 1.92);
        progress.update_split(90);
        let line = progress.split_line(Duration::from_secs(90));
        // 200 s for each of ten epochs, of which 90 s are over.
        assert_eq!(line, "epoch  1/10, 45%, loss 1.9200, 32 min left");
        progress.past = (2, Duration::from_secs(200));
        let line = progress.split_line(Duration::from_secs(90));
        assert_eq!(line, "epoch  1/10, 45%, loss 1.9200, 17 min left");
        progress.epoch = 10;
        progress.start_split("valid", 40);
        progress.update_split(10);
        let line = progress.split_line(Duration::from_secs(3));
        assert_eq!(line, "epoch 10/10, validation, 25%, 9 s left");
    }

    #[test]
    fn a_training_without_epochs_counts_its_steps() {
        let mut progress = Progress::new(false);
        progress.start(0, 1, Some(50_000), None);
        progress.start_split("train", 50_000);
        progress.update_split(512);
        progress.valid.insert("return_mean".to_owned(), 21.5);
        let line = progress.epoch_line(1);
        assert!(line.starts_with("step   512/50000  "), "{line}");
        assert!(line.contains("valid  return_mean 21.5000"), "{line}");
    }

    #[test]
    fn the_pace_of_steps_is_that_since_the_start_of_the_training() {
        let mut progress = Progress::new(false);
        progress.start(0, 1, Some(50_000), None);
        progress.start_split("train", 50_000);
        progress.update_split(10_000);
        // A new bar after an evaluation.
        progress.start_split("train", 50_000);
        progress.update_split(12_000);
        let pace = progress.pace.get().unwrap();
        assert_eq!(pace.first, 10_000);
        let second = Duration::from_secs(1);
        assert!((pace.rate(12_000, second) - 2_000.0).abs() < 1e-9);
        assert_eq!(pace.left(12_000, 50_000, second), Some(19 * second));
        assert_eq!(pace.left(10_000, 50_000, second), None);
    }

    #[test]
    fn durations_are_rounded() {
        for (seconds, text) in [
            (0, "0 s"),
            (89, "89 s"),
            (90, "2 min"),
            (3_600, "60 min"),
            (9_000, "2.5 h"),
        ] {
            assert_eq!(rounded(Duration::from_secs(seconds)), text);
        }
    }
}
