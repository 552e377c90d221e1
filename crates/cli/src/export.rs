//! The command `export` of every app: a trained model as a file for other software.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use tinderbox_backend::DeviceSpec;
use tinderbox_export::ExportError;
use tinderbox_predict::layout::RECIPE_FILE;
use tinderbox_predict::{Model, ModelFiles};

use crate::app::App;
use crate::model_dir::{model_dir_for, recipe_file};
use crate::output::check_extension;
use crate::{Failure, Output, note, open_device};

/// What `export` takes.
#[derive(Args, Clone, Debug)]
pub struct ExportArgs {
    /// Directory of a trained run
    #[arg(long, value_name = "DIR")]
    pub run: PathBuf,
    /// Format of the file: onnx, with preprocessing, or safetensors, weights with the names of PyTorch
    #[arg(long, value_name = "FORMAT", hide_possible_values = true)]
    pub format: ExportFormat,
    /// Write to this file [default: model.onnx or model.safetensors in the run directory]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Format of an exported model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// A graph with preprocessing and calibration.
    Onnx,
    /// Weights, with Python code that loads them.
    Safetensors,
}

impl ExportFormat {
    /// The end of the name of a file.
    fn extension(self) -> &'static str {
        match self {
            Self::Onnx => "onnx",
            Self::Safetensors => "safetensors",
        }
    }
}

/// Writes the file and prints where it is.
pub(crate) fn run<A: App>(args: &ExportArgs) -> Result<(), Failure> {
    let extension = args.format.extension();
    if let Some(out) = &args.out {
        check_extension(out, &[extension])?;
    }
    let dir = model_dir_for(&args.run, A::NAME, "export")?;
    let out = match &args.out {
        Some(out) => out.clone(),
        None => folder(&args.run, &dir)
            .join("model")
            .with_extension(extension),
    };
    let files = ModelFiles::open(&dir);
    match args.format {
        ExportFormat::Onnx => write(&out, &A::onnx(&files)?)?,
        ExportFormat::Safetensors => {
            let exported = tinderbox_export::safetensors(&files).map_err(failure)?;
            write(&out, &exported.weights)?;
            match exported.loader(&file_name(&out)) {
                Some(code) => write_code(&out.with_extension("py"), &code)?,
                None => note(
                    "no Python code: there is none for this architecture, so only the weights are written",
                ),
            }
        }
    }
    Output::Stdout.line(&format!("model {}", out.display()))
}

/// The run directory, or the model folder where it is not part of a run.
fn folder(run: &Path, model: &Path) -> PathBuf {
    if run.join(RECIPE_FILE).is_file() {
        return run.to_owned();
    }
    let recipe = recipe_file(model);
    let run = recipe.as_deref().and_then(Path::parent);
    run.unwrap_or(model).to_owned()
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// The model of a folder as an ONNX file.
///
/// # Errors
///
/// If it cannot be read or ONNX cannot express it.
pub(crate) fn onnx(files: &ModelFiles, app: &str) -> Result<Vec<u8>, Failure> {
    let kind = files.kind().map_err(ExportError::from);
    kind.and_then(|kind| tinderbox_export::check_kind(&kind))
        .map_err(failure)?;
    let device = open_device(DeviceSpec::Cpu, app)?.device;
    let model = Model::load(files, &device).map_err(ExportError::from);
    let model = model.map_err(failure)?;
    let file = tinderbox_export::onnx(&model).map_err(failure)?;
    if let Some(omitted) = tinderbox_export::not_in_graph(&model) {
        note(omitted);
    }
    Ok(file)
}

/// A failure by what the error says of itself.
pub fn failure(error: ExportError) -> Failure {
    let is_user = error.is_user();
    Failure::of(error, false, is_user)
}

/// Writes the code that loads weights, unless somebody else has written a file there.
fn write_code(path: &Path, code: &str) -> Result<(), Failure> {
    let is_ours = |text: String| text.lines().next() == code.lines().next();
    if path.exists() && !fs::read_to_string(path).is_ok_and(is_ours) {
        note(&format!(
            "warning: `{}` was not written by this program and stays as it is: no PyTorch code",
            path.display()
        ));
        return Ok(());
    }
    write(path, code.as_bytes())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut out = Output::new(Some(path))?;
    out.write_all(bytes)?;
    out.finish()
}
