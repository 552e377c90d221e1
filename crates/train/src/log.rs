//! `metrics.jsonl`, and what the loop reads back from the metrics.
//!
//! Metrics are computed on burn-train's own thread. This logger stands at its end: it writes the
//! file, keeps the mean of each metric over the epoch, and notices a loss that is not finite. Its
//! state is part of every checkpoint, so that a resumed run writes the very lines that the killed
//! one would have written.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use burn::train::logger::MetricLogger;
use burn::train::metric::store::{EpochSummary, MetricsUpdate, Split};
use burn::train::metric::{MetricAttributes, MetricDefinition, MetricId, NumericEntry};
use serde::{Deserialize, Serialize};

use super::metrics_writer::MetricLines;

/// The values of a split's metrics, by their names.
pub type Metrics = BTreeMap<String, f64>;

/// Where the step number of a batch comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) batches_per_epoch: usize,
    pub(crate) gradient_accumulation: usize,
    pub(crate) log_every: usize,
}

impl Pace {
    pub(crate) fn steps_per_epoch(self) -> usize {
        self.batches_per_epoch.div_ceil(self.gradient_accumulation)
    }

    /// The step (from 1) that a batch (from 0) of an epoch (from 1) belongs to.
    fn step(self, epoch: usize, batch: usize) -> usize {
        (epoch - 1) * self.steps_per_epoch() + batch / self.gradient_accumulation + 1
    }
}

/// The part of the logger that a checkpoint holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LogState {
    /// Length of `metrics.jsonl`, in bytes.
    bytes: u64,
    /// Batches of the current epoch seen.
    batches: usize,
    /// Sum of `value * count` and sum of `count` of each training metric in this epoch.
    sums: Sums,
    /// Time spent in earlier sittings, in s.
    wall_s: f64,
    /// The sums of the other ranks, from rank 1 on; of "loss" rank 0 has the sum of all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    others: Vec<Sums>,
}

/// Sum of `value * count` and sum of `count` of each metric.
type Sums = BTreeMap<String, (f64, f64)>;

impl LogState {
    /// The part of a rank in the state of a checkpoint that `ranks` ranks resume from. The sums of ranks
    /// that are gone are rank 0's.
    pub(crate) fn of_rank(mut self, rank: usize, ranks: usize) -> Self {
        let others = std::mem::take(&mut self.others);
        let same = others.len() + 1 == ranks;
        if rank > 0 {
            self.bytes = 0;
            let own = others.get(rank - 1).filter(|_| same);
            self.sums = own.cloned().unwrap_or_default();
        } else if !same {
            add_sums(&mut self.sums, &others);
        }
        self
    }

    /// The sums of this rank, for the others.
    pub(crate) fn sums(&self) -> serde_json::Result<Vec<u8>> {
        // As bits: JSON has no NaN, which some metrics of few items are.
        let bits =
            |(name, (sum, count)): (_, &(f64, f64))| (name, (sum.to_bits(), count.to_bits()));
        let sums: BTreeMap<&String, (u64, u64)> = self.sums.iter().map(bits).collect();
        serde_json::to_vec(&sums)
    }

    /// Takes in the sums of all ranks, of which the first is this one.
    pub(crate) fn set_others(&mut self, all: &[Vec<u8>]) -> serde_json::Result<()> {
        let number = |(name, (sum, count))| (name, (f64::from_bits(sum), f64::from_bits(count)));
        let parse = |sums: &Vec<u8>| {
            let sums: BTreeMap<String, (u64, u64)> = serde_json::from_slice(sums)?;
            Ok(sums.into_iter().map(number).collect())
        };
        let others = all.iter().skip(1).map(parse);
        self.others = others.collect::<serde_json::Result<_>>()?;
        Ok(())
    }
}

fn add_sums(sums: &mut Sums, others: &[Sums]) {
    for (name, other) in others.iter().flatten() {
        // The mean over the ranks is logged as the loss of each batch.
        if name != LOSS {
            let sum = sums.entry(name.clone()).or_default();
            sum.0 += other.0;
            sum.1 += other.1;
        }
    }
}

const LOSS: &str = "loss";

/// The logger, shared by burn-train's thread and the loop.
#[derive(Clone)]
pub(crate) struct MetricsFile(Arc<Mutex<Inner>>);

struct Inner {
    lines: MetricLines,
    state: LogState,
    started: Instant,
    pace: Pace,
    names: HashMap<MetricId, Name>,
    train: Metrics,
    valid: Metrics,
    not_finite: Option<usize>,
    /// The loss of batches of this epoch, from 0, over all ranks.
    losses: BTreeMap<usize, (f64, usize)>,
    failure: Option<io::Error>,
}

#[derive(Clone)]
struct Name {
    name: String,
    scale: f64,
}

impl MetricsFile {
    /// Opens the file and cuts it to what `state` knows, which is nothing for a new run.
    pub(crate) fn open(path: Option<&Path>, state: LogState, pace: Pace) -> io::Result<Self> {
        let lines = MetricLines::open(path, state.bytes)?;
        Ok(Self(Arc::new(Mutex::new(Inner {
            lines,
            state,
            started: Instant::now(),
            pace,
            names: HashMap::new(),
            train: Metrics::new(),
            valid: Metrics::new(),
            not_finite: None,
            losses: BTreeMap::new(),
            failure: None,
        }))))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state for a checkpoint, after everything logged so far is on the disk.
    pub(crate) fn checkpoint(&self) -> io::Result<LogState> {
        let mut inner = self.lock();
        Ok(LogState {
            bytes: inner.lines.sync()?,
            wall_s: inner.wall_s(),
            ..inner.state.clone()
        })
    }

    /// The state so far, for a checkpoint that is written later.
    pub(crate) fn state(&self) -> LogState {
        let inner = self.lock();
        LogState {
            bytes: inner.lines.bytes(),
            wall_s: inner.wall_s(),
            ..inner.state.clone()
        }
    }

    /// Time spent on this run in all sittings, in s.
    pub(crate) fn wall_s(&self) -> f64 {
        self.lock().wall_s()
    }

    /// The metrics of the latest validation.
    pub(crate) fn valid(&self) -> Metrics {
        self.lock().valid.clone()
    }

    /// The first step whose loss was not finite.
    pub(crate) fn not_finite(&self) -> Option<usize> {
        self.lock().not_finite
    }

    /// The loss of a batch (from 0) of the epoch over all ranks and its weight in the mean of the epoch,
    /// before that of this rank is logged.
    pub(crate) fn set_loss(&self, batch: usize, loss: (f64, usize)) {
        self.lock().losses.insert(batch, loss);
    }

    /// Makes the metrics of the epoch those of all ranks, before it ends.
    pub(crate) fn add_ranks(&self, state: &LogState) {
        add_sums(&mut self.lock().state.sums, &state.others);
    }

    /// Why the file could not be written, once.
    pub(crate) fn failure(&self) -> Option<io::Error> {
        self.lock().failure.take()
    }

    /// Writes the metrics of the test split, after training.
    pub(crate) fn log_test(&self, metrics: &Metrics, epoch: usize) -> io::Result<()> {
        self.log_split("test", metrics, epoch)
    }

    /// Writes the metrics of a split at the end of an epoch.
    pub(crate) fn log_split(&self, split: &str, metrics: &Metrics, epoch: usize) -> io::Result<()> {
        let mut inner = self.lock();
        let step = epoch * inner.pace.steps_per_epoch();
        for (name, value) in metrics {
            inner.write(step, epoch, split, name, *value);
        }
        inner.lines.flush()?;
        inner.failure.take().map_or(Ok(()), Err)
    }
}

impl Inner {
    fn wall_s(&self) -> f64 {
        self.state.wall_s + self.started.elapsed().as_secs_f64()
    }

    fn name(&self, id: &MetricId) -> Option<Name> {
        self.names.get(id).cloned()
    }

    fn write(&mut self, step: usize, epoch: usize, split: &str, name: &str, value: f64) {
        let wall_s = self.wall_s();
        let at = [step, epoch];
        if let Err(error) = self.lines.write(at, split, name, value, wall_s) {
            self.failure.get_or_insert(error);
        }
    }

    fn train_batch(&mut self, update: &MetricsUpdate, epoch: usize) {
        let batch = self.state.batches;
        self.state.batches += 1;
        let step = self.pace.step(epoch, batch);
        let last_of_step = (batch + 1).is_multiple_of(self.pace.gradient_accumulation);
        let of_all_ranks = self.losses.remove(&batch);
        let logged = last_of_step && step.is_multiple_of(self.pace.log_every);
        for metric in &update.entries_numeric {
            let Some(Name { name, scale }) = self.name(&metric.entry.metric_id) else {
                continue;
            };
            let (value, count) = match metric.numeric_entry {
                Some(NumericEntry::Value(value) | NumericEntry::Final(value)) => (value, 1),
                Some(NumericEntry::Aggregated {
                    aggregated_value,
                    count,
                }) => (aggregated_value, count),
                None => continue,
            };
            let all = of_all_ranks.filter(|_| name == LOSS);
            let (value, count) = all.unwrap_or((value * scale, count));
            if name == LOSS && !value.is_finite() {
                self.not_finite.get_or_insert(step);
            }
            let sum = self.state.sums.entry(name.clone()).or_default();
            sum.0 += value * count as f64;
            sum.1 += count as f64;
            if logged {
                self.write(step, epoch, "train", &name, value);
            }
        }
    }

    /// The mean over all batches, or what a metric that has none per batch says at the end.
    fn train_epoch(&mut self, update: &MetricsUpdate, epoch: usize) {
        let step = epoch * self.pace.steps_per_epoch();
        let sums = std::mem::take(&mut self.state.sums);
        self.state.batches = 0;
        self.train.clear();
        for (name, value) in self.finals(update) {
            let value = sums.get(&name).map_or(value, |(sum, count)| sum / count);
            if name != "learning_rate" {
                self.write(step, epoch, "train", &format!("epoch_{name}"), value);
            }
            self.train.insert(name, value);
        }
    }

    fn valid_epoch(&mut self, update: &MetricsUpdate, epoch: usize) {
        let step = epoch * self.pace.steps_per_epoch();
        self.valid.clear();
        for (name, value) in self.finals(update) {
            self.write(step, epoch, "valid", &name, value);
            self.valid.insert(name, value);
        }
    }

    fn finals(&self, update: &MetricsUpdate) -> Vec<(String, f64)> {
        let value = |metric: &burn::train::metric::store::NumericMetricUpdate| {
            let Name { name, scale } = self.name(&metric.entry.metric_id)?;
            Some((name, metric.numeric_entry.as_ref()?.current() * scale))
        };
        update.entries_numeric.iter().filter_map(value).collect()
    }
}

impl MetricLogger for MetricsFile {
    fn log(&mut self, update: MetricsUpdate, epoch: usize, split: &Split) {
        let ends = |metric: &burn::train::metric::store::NumericMetricUpdate| {
            matches!(metric.numeric_entry, Some(NumericEntry::Final(_)))
        };
        let end = update.entries_numeric.iter().any(ends);
        let mut inner = self.lock();
        match (split, end) {
            (Split::Train, false) => inner.train_batch(&update, epoch),
            (Split::Train, true) => inner.train_epoch(&update, epoch),
            (Split::Valid, true) => inner.valid_epoch(&update, epoch),
            (Split::Valid, false) | (Split::Test(_), _) => {}
        }
    }

    fn read_numeric(
        &mut self,
        name: &str,
        _epoch: usize,
        split: &Split,
    ) -> Result<Vec<NumericEntry>, String> {
        let inner = self.lock();
        let metrics = match split {
            Split::Train => &inner.train,
            Split::Valid => &inner.valid,
            Split::Test(_) => return Ok(Vec::new()),
        };
        let value = metrics.get(&metric_name(name));
        Ok(value
            .map(|value| NumericEntry::Value(*value))
            .into_iter()
            .collect())
    }

    fn log_metric_definition(&mut self, definition: MetricDefinition) {
        let percent = matches!(
            &definition.attributes,
            MetricAttributes::Numeric(attributes) if attributes.unit.as_deref() == Some("%")
        );
        let name = Name {
            name: metric_name(&definition.name),
            scale: if percent { 0.01 } else { 1.0 },
        };
        self.lock().names.insert(definition.metric_id, name);
    }

    fn log_epoch_summary(&mut self, _summary: EpochSummary) {}
}

/// The contract's name of a burn-train metric: `Top-K Accuracy` is `top_k_accuracy`.
pub fn metric_name(name: &str) -> String {
    let words = name.split(|letter: char| !letter.is_alphanumeric());
    let words: Vec<String> = words
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    words.join("_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_contracts() {
        assert_eq!(metric_name("Accuracy"), "accuracy");
        assert_eq!(metric_name("Learning Rate"), "learning_rate");
        assert_eq!(
            metric_name("Top-K Accuracy @ TopK(5)"),
            "top_k_accuracy_topk_5"
        );
    }

    #[test]
    fn micro_batches_of_one_step_share_its_number() {
        let pace = Pace {
            batches_per_epoch: 5,
            gradient_accumulation: 2,
            log_every: 1,
        };
        assert_eq!(pace.steps_per_epoch(), 3);
        let steps: Vec<usize> = (0..5).map(|batch| pace.step(2, batch)).collect();
        assert_eq!(steps, [4, 4, 5, 5, 6]);
    }
}
