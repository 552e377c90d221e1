//! Single operations next to PyTorch's, and next to the peak of the processor.

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;

use serde::Deserialize;
use tinderbox_backend::Opened;
use tinderbox_benches::{Op, Peak, compared_ops};

use crate::page::rounded;
use crate::peers::{TORCH, last_line, torch};
use crate::{OPS, OURS, Options, faster_half, median, threads};

/// Times of every round, in seconds.
#[derive(Default)]
pub(crate) struct Measured {
    rows: Vec<Row>,
    peak: Option<Peak>,
}

struct Row {
    op: Op,
    ours: Vec<f64>,
    theirs: Vec<f64>,
}

/// What the peer prints about an operation.
#[derive(Deserialize)]
struct Line {
    /// Its index among the operations that were asked for.
    op: usize,
    ms: f64,
    output: [usize; 4],
}

impl Measured {
    pub(crate) fn new(options: &Options) -> Self {
        if !options.wants(OPS) {
            return Self::default();
        }
        let row = |op| Row {
            op,
            ours: Vec::new(),
            theirs: Vec::new(),
        };
        Self {
            rows: compared_ops().into_iter().map(row).collect(),
            peak: None,
        }
    }

    /// Measures every operation once, ours and the peer's.
    pub(crate) fn round(
        &mut self,
        options: &Options,
        opened: &Opened,
    ) -> Result<(), Box<dyn Error>> {
        if self.rows.is_empty() {
            return Ok(());
        }
        if opened.backend == "flex" {
            let peak = Peak::measure(threads());
            self.peak = Some(self.peak.map_or(peak, |before| before.max(peak)));
        }
        for row in &mut self.rows {
            let time = row.op.time(&opened.device);
            let seconds = faster_half(options.seconds / 2.0, |passes| Ok(time(passes)))?;
            row.ours.push(seconds);
        }
        if options.alone {
            return Ok(());
        }
        self.round_of_the_peer(options)
    }

    fn round_of_the_peer(&mut self, options: &Options) -> Result<(), Box<dyn Error>> {
        let mut command = torch(options, options.seconds / 2.0);
        for row in &self.rows {
            command.args(["--op", &serde_json::to_string(&row.op)?]);
        }
        let output = command.output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let lines = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        let lines: Vec<Line> = lines.collect();
        if lines.is_empty() {
            let why = last_line(&output.stderr);
            writeln!(std::io::stderr(), "{TORCH} does not run: {why}")?;
        }
        for Line { op, ms, output } in lines {
            let row = self.rows.get_mut(op).ok_or("an operation too many")?;
            if output != row.op.output() {
                let ours = row.op.output();
                let name = row.op.name();
                return Err(format!("`{name}` gives {output:?} in {TORCH}, {ours:?} here").into());
            }
            row.theirs.push(ms / 1e3);
        }
        Ok(())
    }

    /// The line about the processor.
    pub(crate) fn peak(&self) -> Option<String> {
        let Peak {
            instructions,
            one,
            all,
        } = self.peak?;
        let threads = threads();
        Some(format!(
            "fused multiply-adds in float32, measured: {one:.0} GFLOP/s on one thread, {all:.0} on \
             {threads} ({instructions})"
        ))
    }

    /// A table of the operations, if there are some.
    pub(crate) fn write(&self, page: &mut String) -> Result<(), std::fmt::Error> {
        if self.rows.is_empty() {
            return Ok(());
        }
        writeln!(
            page,
            "## One operation, forward and backward, ms\n\n\
             GFLOP/s count a multiply-add as two operations; the peak is that of all threads.\n\n\
             | operation | shape | {OURS} | {TORCH} | ratio | {OURS}, GFLOP/s | {TORCH}, GFLOP/s \
             | {OURS}, of peak | {TORCH}, of peak |\n|---|---|---|---|---|---|---|---|---|"
        )?;
        for row in &self.rows {
            writeln!(page, "| {} |", row.cells(self.peak).join(" | "))?;
        }
        writeln!(page)
    }
}

impl Row {
    fn cells(&self, peak: Option<Peak>) -> Vec<String> {
        let times = [&self.ours, &self.theirs].map(|times| median(times.iter().copied()));
        let ratio = times[0].zip(times[1]).map(|(ours, theirs)| theirs / ours);
        // The gradients of the input and of the weights take as many operations each.
        let operations = self.op.flops().map(|flops| 3.0 * flops as f64 / 1e9);
        let speeds = times.map(|time| Some(operations? / time?));
        let shares = speeds.map(|speed| Some(100.0 * speed? / peak?.all));
        let number = |value: Option<f64>| value.map_or("-".to_owned(), rounded);
        let percent = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.0}%"));
        let mut cells = vec![self.op.name(), self.op.to_string()];
        cells.extend(times.map(|time| number(time.map(|time| time * 1e3))));
        cells.push(ratio.map_or("-".into(), |ratio| format!("{ratio:.2}")));
        cells.extend(speeds.map(number));
        cells.extend(shares.map(percent));
        cells
    }
}
