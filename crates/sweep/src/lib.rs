//! Hyperparameter search over the keys of recipes.
//!
//! A search lives in a folder that several processes and machines share. A trial is an ordinary run in it:
//! when its process is killed, another one resumes it.
//!
//! - [`Space`]: ranges and choices of recipe keys, read from TOML or derived from a recipe.
//! - [`Search`]: suggests the values of the next trial and decides which trials stop early.
//! - [`SweepDir`]: the folder with its settings, its trials and the journal of finished ones.
//!
//! It does not train: `tinderbox-cli` runs the trials for the command `sweep`.

mod folder;
mod results;
mod search;
mod space;

pub use folder::{Settings, SweepDir, SweepError, Task as NextTrial, Trial, TrialLock};
pub use results::{Finished, Outcome, Tally, parallel_coordinates};
pub use search::{Importance, Pruner, Sampler, Search};
pub use space::{Parameter, Range, Space, SpaceError, Values, apply};
