//! The flags and the result of an `explain` with bars: text, JSON or SVG.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use tinderbox_report::svg::bars_file;
use tinderbox_train::section::Analysis;

use crate::app::ModelOf;
use crate::output::check_extension;
use crate::{App, Failure, ModelArgs, Output, sections};

/// What every `explain` with bars takes.
#[derive(Args, Clone, Debug)]
pub struct ExplainChartArgs {
    /// The model.
    #[command(flatten)]
    pub model: ModelArgs,
    /// Write the chart as SVG
    #[arg(long, value_name = "FILE.svg")]
    pub out: Option<PathBuf>,
}

impl ExplainChartArgs {
    /// Reads the model.
    ///
    /// # Errors
    ///
    /// If the device or the model cannot be used, or the chart is no SVG file.
    pub fn load<A: App>(&self) -> Result<ModelOf<A>, Failure> {
        if let Some(path) = &self.out {
            check_extension(path, &["svg"])?;
        }
        self.model.load::<A>()
    }

    /// Prints an explanation, with the run in its data, and writes its bars as SVG.
    ///
    /// # Errors
    ///
    /// If nothing can be printed, or the chart cannot be written.
    pub fn print(&self, mut analysis: Analysis) -> Result<(), Failure> {
        for line in analysis.lines.iter_mut().filter_map(Value::as_object_mut) {
            line.insert("run".to_owned(), json!(self.model.run));
        }
        sections::print(&analysis, self.model.json)?;
        if let (Some(path), Some((title, bars))) = (&self.out, sections::bars(&analysis.sections)) {
            let mut file = Output::new(Some(path))?;
            file.write_all(bars_file(title, bars).as_bytes())?;
            file.finish()?;
            if !self.model.json {
                Output::Stdout.line(&format!("chart {}", path.display()))?;
            }
        }
        Ok(())
    }
}
