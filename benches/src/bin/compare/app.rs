//! Start-up time and peak memory of `vision`, compared with PyTorch's.

use std::error::Error;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde::Deserialize;

use crate::peers::TORCH_STEPS;
use crate::{Options, median};

/// Values of every round.
#[derive(Default)]
pub(crate) struct Measured {
    start_ms: Vec<f64>,
    train_mib: Vec<f64>,
    peer_start_ms: Vec<f64>,
    peer_train_mib: Vec<f64>,
}

#[derive(Deserialize)]
struct Summary {
    peak_rss_bytes: f64,
}

impl Measured {
    /// Measures once; what cannot run is left out.
    pub(crate) fn round(&mut self, options: &Options) -> Result<(), Box<dyn Error>> {
        let vision = vision()?;
        if vision.is_file() {
            self.start_ms
                .extend(time(Command::new(&vision).arg("recipes")));
            let out = std::env::temp_dir().join(format!("compare-{}", std::process::id()));
            let mut train = Command::new(&vision);
            train.args(["train", "--quiet", "--set", "train.epochs=1", "--out"]);
            if time(train.arg(&out)).is_some() {
                let text = std::fs::read(out.join("summary.json"))?;
                self.train_mib.push(mib(&text)?);
            }
            std::fs::remove_dir_all(&out)?;
        }
        let import = ["-c", "import torch"];
        self.peer_start_ms
            .extend(time(Command::new(&options.python).args(import)));
        let mut train = Command::new(&options.python);
        train.args([TORCH_STEPS, "--case", "cnn", "--seconds", "0.1"]);
        if let Ok(output) = train.output()
            && output.status.success()
        {
            self.peer_train_mib.push(mib(&output.stdout)?);
        }
        Ok(())
    }

    /// Rows of a table: what, ours, theirs.
    pub(crate) fn rows(&self) -> [(&'static str, [Option<f64>; 2]); 2] {
        let median = |values: &Vec<f64>| median(values.iter().copied());
        let start = [&self.start_ms, &self.peer_start_ms].map(median);
        let train = [&self.train_mib, &self.peer_train_mib].map(median);
        [
            ("start-up, ms: `vision recipes`, `import torch`", start),
            (
                "peak memory, MiB: `vision train` with its default recipe (CNN, 8x8), the CNN \
                 above",
                train,
            ),
        ]
    }
}

/// Where `cargo build -p vision` puts it.
fn vision() -> Result<PathBuf, Box<dyn Error>> {
    let name = format!("vision{}", std::env::consts::EXE_SUFFIX);
    Ok(std::env::current_exe()?.with_file_name(name))
}

/// How long the command takes if it succeeds, in ms.
fn time(command: &mut Command) -> Option<f64> {
    let started = Instant::now();
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    let elapsed = started.elapsed().as_secs_f64() * 1e3;
    status
        .is_ok_and(|status| status.success())
        .then_some(elapsed)
}

fn mib(json: &[u8]) -> Result<f64, serde_json::Error> {
    let Summary { peak_rss_bytes } = serde_json::from_slice(json)?;
    Ok(peak_rss_bytes / f64::from(1 << 20))
}
