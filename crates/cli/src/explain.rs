//! The flags and the result of `explain`: bars on a terminal and as SVG, or JSON.

use std::io::Write as _;
use std::path::PathBuf;

use burn::tensor::Device;
use clap::Args;
use serde_json::{Map, Value, json};
use tinderbox_backend::DeviceSpec;
use tinderbox_train::Section;

use crate::args::{DEVICE_HELP, RUN_HELP};
use crate::output::check_extension;
use crate::{App, Failure, Output, chart, model_dir, open_device, sections};

/// What every `explain` with bars takes.
#[derive(Args, Clone, Debug)]
pub struct ExplainArgs {
    /// Directory of a finished run
    #[arg(long, value_name = "DIR", help = RUN_HELP)]
    pub run: PathBuf,
    /// Write the chart as SVG
    #[arg(long, value_name = "FILE.svg")]
    pub out: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Device to compute on
    #[arg(long, value_name = "DEV", default_value_t, help = DEVICE_HELP)]
    pub device: DeviceSpec,
}

impl ExplainArgs {
    /// The model folder and the device that the flags name.
    ///
    /// # Errors
    ///
    /// If there is no model of this app, no such device, or the chart is no SVG file.
    pub fn open<A: App>(&self) -> Result<(PathBuf, Device), Failure> {
        if let Some(path) = &self.out {
            check_extension(path, &["svg"])?;
        }
        let device = open_device(self.device, A::NAME)?.device;
        Ok((model_dir(&self.run, A::NAME)?, device))
    }

    /// Prints an explanation, or its details as one JSON object, and writes its bars as SVG.
    ///
    /// # Errors
    ///
    /// If nothing can be printed, or the chart cannot be written.
    pub fn print(&self, section: &Section, details: &Map<String, Value>) -> Result<(), Failure> {
        let mut out = Output::Stdout;
        if self.json {
            let mut line = Map::from_iter([("run".to_owned(), json!(self.run))]);
            line.extend(details.clone());
            return out.line(&Value::Object(line).to_string());
        }
        out.line(&sections::text(section))?;
        let all = std::slice::from_ref(section);
        if let (Some(path), Some((title, bars))) = (&self.out, sections::bars(all)) {
            let mut file = Output::new(Some(path))?;
            file.write_all(chart::svg(title, bars).as_bytes())?;
            file.finish()?;
            out.line(&format!("chart {}", path.display()))?;
        }
        Ok(())
    }
}
