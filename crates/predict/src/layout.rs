//! Names of the files and folders of a run that inference reads.

/// Name of the resolved recipe in a run directory.
pub const RECIPE_FILE: &str = "recipe.toml";
/// Name of the result in a run directory, written last.
pub const SUMMARY_FILE: &str = "summary.json";
/// Name of the folder that inference needs.
pub const MODEL_DIR: &str = "model";
/// Name of the folder with the best weights so far of a run that is not finished.
pub const BEST_DIR: &str = "checkpoint/best";
