//! The `model/` folder: everything inference needs and nothing else.
//!
//! `weights.safetensors` has the names and layouts of PyTorch, so that other software can read
//! it; `model.json` says what to build around the weights. The folder appears all at once.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleVisitor, Param};
use burn::store::{
    ApplyError, BurnToPyTorchAdapter, ModuleSnapshot as _, PyTorchToBurnAdapter, SafetensorsStore,
};
use burn::tensor::Tensor;
use serde::Serialize;
use tinderbox_datasets::atomic_file::{AtomicFile, write_atomic, write_dir_atomic};

use crate::BURN_VERSION;
use crate::file_error::FileError;
use crate::finite::non_finite;
use crate::layout::{BEST_DIR, MODEL_DIR, RECIPE_FILE, SUMMARY_FILE};

/// Name of the file that says what to build around the weights.
pub const SPEC_FILE: &str = "model.json";

/// Version of the folder's layout.
pub(crate) const FORMAT: u32 = 2;

/// Why a model folder cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The file system refused.
    #[error(transparent)]
    Io(#[from] FileError),
    /// `model.json` is not what this version writes.
    #[error("`{}` cannot be used: {reason}", path.display())]
    Spec {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// The weights are damaged or of another architecture.
    #[error("`{}` cannot be used: {reason}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// A number that JSON cannot hold, and that could not be read back.
    #[error(
        "the model cannot be saved: `{0}` is not a finite number; look for values in the data that \
         are too large"
    )]
    NotFinite(String),
    /// The weights cannot be written.
    #[error(transparent)]
    Memory(#[from] WeightsError),
}

/// Weights that cannot be written or read, or do not fit the model.
#[derive(Debug, thiserror::Error)]
#[error("the weights cannot be used: {0}")]
pub struct WeightsError(String);

impl WeightsError {
    /// What does not fit.
    pub(crate) fn reason(&self) -> &str {
        &self.0
    }
}

impl ModelError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let wrap = FileError::new(action, path);
        move |source| Self::Io(wrap(source))
    }

    /// `model.json` holds something that this version cannot build.
    pub fn spec(dir: &Path, reason: impl std::fmt::Display) -> Self {
        Self::Spec {
            path: dir.join(SPEC_FILE),
            reason: reason.to_string(),
        }
    }
}

/// A path as a model folder holds it: none of the machine that it was trained on. The recipe of the
/// run keeps it whole.
pub fn portable(path: &str) -> String {
    if Path::new(path).is_absolute() {
        return String::new();
    }
    path.to_owned()
}

#[derive(Serialize)]
struct Document<S> {
    format: u32,
    versions: Versions,
    #[serde(flatten)]
    spec: S,
}

#[derive(Serialize)]
struct Versions {
    tinderbox: String,
    burn: String,
}

/// Name of the weights of a network, which are several where networks predict together.
pub(crate) fn weights_file(member: usize) -> String {
    if member == 0 {
        "weights.safetensors".to_owned()
    } else {
        format!("weights-{member}.safetensors")
    }
}

/// Writes a model folder, or replaces the one that is there.
///
/// # Errors
///
/// If it cannot be written.
pub fn save<S: Serialize>(dir: &Path, weights: &[u8], spec: &S) -> Result<(), ModelError> {
    save_all(dir, &[weights], spec)
}

/// Writes a model folder with the weights of several networks.
///
/// # Errors
///
/// If it cannot be written.
pub fn save_all<S: Serialize>(
    dir: &Path,
    weights: &[impl AsRef<[u8]>],
    spec: &S,
) -> Result<(), ModelError> {
    save_with(dir, weights, spec, &[])
}

/// Writes a model folder with the weights of several networks and with further files, by their
/// names.
///
/// # Errors
///
/// If it cannot be written.
pub fn save_with<S: Serialize>(
    dir: &Path,
    weights: &[impl AsRef<[u8]>],
    spec: &S,
    files: &[(&str, &[u8])],
) -> Result<(), ModelError> {
    let json = document(dir, spec, None)?;
    write_dir_atomic(dir, |dir| {
        write(&dir.join(SPEC_FILE), &json)?;
        for (member, weights) in weights.iter().enumerate() {
            write(&dir.join(weights_file(member)), weights.as_ref())?;
        }
        for (name, content) in files {
            write(&dir.join(name), content)?;
        }
        Ok(())
    })
    .map_err(ModelError::io("write", dir))
}

/// `model.json`, with another number of networks if one is given.
fn document<S: Serialize>(
    dir: &Path,
    spec: &S,
    members: Option<usize>,
) -> Result<Vec<u8>, ModelError> {
    check(spec)?;
    let versions = Versions {
        tinderbox: env!("CARGO_PKG_VERSION").to_owned(),
        burn: BURN_VERSION.to_owned(),
    };
    let document = Document {
        format: FORMAT,
        versions,
        spec,
    };
    let refuse = |error| ModelError::spec(dir, error);
    let Some(members) = members else {
        return serde_json::to_vec_pretty(&document).map_err(refuse);
    };
    let mut document = serde_json::to_value(&document).map_err(refuse)?;
    if let Some(value) = document.get_mut("members") {
        *value = members.into();
    }
    serde_json::to_vec_pretty(&document).map_err(refuse)
}

/// Checks that what is to be saved of a model can be read back.
///
/// # Errors
///
/// Names the first number that is not finite.
pub fn check(spec: &impl Serialize) -> Result<(), ModelError> {
    non_finite(spec).map_or(Ok(()), |path| Err(ModelError::NotFinite(path)))
}

/// The model of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The folder that [`ModelFiles`](crate::ModelFiles) reads.
    pub dir: PathBuf,
    /// Whether its run is finished; if not, the weights are the best so far.
    pub finished: bool,
}

/// Finds the model of a run: `model/`, or the best weights so far of a run that is not finished.
///
/// If both are there, a finished run was resumed to train longer: then the model of more networks
/// is taken, and the later one of equals.
pub fn locate(run: &Path) -> Option<Located> {
    let finished = run.join(SUMMARY_FILE).exists() || !run.join(RECIPE_FILE).exists();
    let model = run.join(MODEL_DIR);
    let best = run.join(BEST_DIR);
    let dir = match (model.is_dir(), best.join(SPEC_FILE).is_file()) {
        (true, true) if !finished && members(&best) >= members(&model) => best,
        (true, _) => model,
        (false, true) if !finished => best,
        (false, _) => return None,
    };
    Some(Located { dir, finished })
}

/// Networks of a model, which is one where it does not say.
fn members(dir: &Path) -> u64 {
    let read = || {
        let text = fs::read(dir.join(SPEC_FILE)).ok()?;
        let spec: serde_json::Value = serde_json::from_slice(&text).ok()?;
        spec.get("members")?.as_u64()
    };
    read().unwrap_or(1)
}

/// Writes the weights of the best epoch so far of a run that is not finished, as those of network
/// `member`, from 0: a folder with what [`save_with`] writes, for this network and those before it.
///
/// # Errors
///
/// If it cannot be written.
pub fn save_best<S: Serialize>(
    dir: &Path,
    member: usize,
    weights: &[u8],
    spec: &S,
    files: &[(&str, &[u8])],
) -> Result<(), ModelError> {
    let json = document(dir, spec, Some(member + 1))?;
    let name = weights_file(member);
    // What to build comes last: it counts the networks.
    let all = [&[(name.as_str(), weights)], files, &[(SPEC_FILE, &json)]].concat();
    let save = || {
        fs::create_dir_all(dir)?;
        for (name, content) in all {
            let mut file = AtomicFile::create(&dir.join(name))?;
            file.write_all(content)?;
            // Such a folder can be lost in a power cut, and training is not to wait for the disk.
            file.commit_unsynced()?;
        }
        Ok(())
    };
    save().map_err(ModelError::io("write", dir))
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_atomic(path, |file| file.write_all(bytes))
}

/// The weights of a model as the SafeTensors file that [`save`] takes, with the names and layouts
/// of PyTorch.
///
/// # Errors
///
/// If Burn cannot write them.
pub fn to_bytes<M: Module>(model: &M) -> Result<Vec<u8>, WeightsError> {
    let mut store = SafetensorsStore::from_bytes(None)
        .with_to_adapter(BurnToPyTorchAdapter)
        // More than one entry would come out in a random order, and no two files be equal.
        .clear_metadata()
        .metadata("format", "pt");
    model
        .save_into(&mut store)
        .and_then(|()| store.get_bytes())
        .map_err(|error| WeightsError(error.to_string()))
}

/// Fills a model with weights as [`to_bytes`] gives them.
///
/// # Errors
///
/// If they are damaged or do not fit the model.
pub fn from_bytes<M: Module>(bytes: Vec<u8>, mut model: M) -> Result<M, WeightsError> {
    // The store would refuse with a list of all tensors: one is enough.
    let mut store = SafetensorsStore::from_bytes(Some(bytes))
        .with_from_adapter(PyTorchToBurnAdapter)
        .validate(false)
        .allow_partial(true);
    let result = model
        .load_from(&mut store)
        .map_err(|error| WeightsError(error.to_string()))?;
    if let Some(error) = result.errors.first() {
        return Err(WeightsError(misfit(error)));
    }
    match result.missing.first() {
        Some((missing, _)) => Err(WeightsError(format!("it has no `{missing}`"))),
        None => Ok(model),
    }
}

/// What does not fit, in words.
fn misfit(error: &ApplyError) -> String {
    match error {
        ApplyError::ShapeMismatch {
            path,
            expected,
            found,
        } => format!(
            "it is not of the network in `{SPEC_FILE}`: `{path}` has the shape {:?}, not {:?}",
            found.as_slice(),
            expected.as_slice()
        ),
        error => error.to_string(),
    }
}

/// The model, if all of its weights are numbers.
///
/// For models whose outputs hide it, such as the best of several actions.
///
/// # Errors
///
/// If a weight is NaN or infinite.
pub fn with_finite_weights<M: Module>(model: M) -> Result<M, WeightsError> {
    let mut finite = Finite(true);
    model.visit(&mut finite);
    if finite.0 {
        return Ok(model);
    }
    let reason = "it has weights that are NaN or infinite; train the model again";
    Err(WeightsError(reason.to_owned()))
}

struct Finite(bool);

impl ModuleVisitor for Finite {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let values = param.val().into_data().iter::<f32>().all(f32::is_finite);
        self.0 = self.0 && values;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use burn::nn::LinearConfig;
    use burn::tensor::Device;

    use super::*;

    fn spec(members: usize) -> BTreeMap<&'static str, usize> {
        BTreeMap::from([("members", members)])
    }

    fn located(run: &Path, best: bool, finished: bool) {
        let dir = run.join(if best { BEST_DIR } else { MODEL_DIR });
        assert_eq!(locate(run), Some(Located { dir, finished }));
    }

    #[test]
    fn the_model_of_an_unfinished_run_is_the_best_so_far() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path();
        fs::write(run.join(RECIPE_FILE), "").unwrap();
        assert_eq!(locate(run), None);
        let [best, model] = [BEST_DIR, MODEL_DIR].map(|name| run.join(name));
        save_best(&best, 0, b"a", &spec(2), &[("more", b"x")]).unwrap();
        located(run, true, false);
        assert_eq!(members(&best), 1);
        assert_eq!(fs::read(best.join("more")).unwrap(), b"x");
        save_all(&model, &["a", "b"], &spec(2)).unwrap();
        // One network of two is less than both.
        located(run, false, false);
        save_best(&best, 1, b"c", &spec(2), &[]).unwrap();
        located(run, true, false);
        assert_eq!(fs::read(best.join("weights-1.safetensors")).unwrap(), b"c");
        fs::write(run.join(SUMMARY_FILE), "").unwrap();
        located(run, false, true);
        // A model alone, as somebody copies it.
        fs::remove_file(run.join(SUMMARY_FILE)).unwrap();
        fs::remove_file(run.join(RECIPE_FILE)).unwrap();
        located(run, false, true);
    }

    #[test]
    fn a_number_that_could_not_be_read_back_is_not_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model");
        let spec = BTreeMap::from([("mean", f64::INFINITY)]);
        let error = save(&path, b"", &spec).unwrap_err().to_string();
        assert!(error.contains("`mean` is not a finite number"), "{error}");
        assert!(!path.exists());
    }

    #[test]
    fn weights_that_do_not_fit_are_refused_in_one_sentence() {
        let device = Device::flex();
        let linear = |d_output| LinearConfig::new(2, d_output).init(&device);
        let bytes = to_bytes(&linear(3)).unwrap();
        assert!(from_bytes(bytes.clone(), linear(3)).is_ok());
        let error = from_bytes(bytes, linear(4)).unwrap_err();
        let reason = error.reason();
        assert!(reason.starts_with("it is not of the network in `model.json`: `"));
        assert!(
            reason.ends_with(", 4]") || reason.ends_with("[4]"),
            "{reason}"
        );
        assert!(reason.len() < 120, "{reason}");
    }

    #[test]
    fn weights_that_are_not_numbers_are_refused() {
        let device = Device::flex();
        let linear = LinearConfig::new(2, 3).init(&device);
        assert!(with_finite_weights(linear.clone()).is_ok());
        for value in [f32::NAN, f32::INFINITY] {
            let mut linear = linear.clone();
            linear.weight = linear.weight.clone().map(|weight| weight.full_like(value));
            let error = with_finite_weights(linear).unwrap_err();
            assert!(error.reason().contains("NaN or infinite"), "{error}");
        }
    }

    #[test]
    fn only_relative_paths_are_portable() {
        for (path, kept) in [
            ("/home/me/data.csv", ""),
            ("data/a.csv", "data/a.csv"),
            ("", ""),
        ] {
            assert_eq!(portable(path), kept);
        }
    }
}
