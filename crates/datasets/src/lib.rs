//! Readers of real data files, seeded splits and augmentation, and the loader that feeds a model.
//!
//! A reader checks everything a file claims before it believes it, and its error names the file.
//! What comes out is a [`Dataset`](burn::data::dataset::Dataset) of plain items, bytes and a label, or
//! a [`Table`](table::Table) of typed columns. [`atomic_file`] is how every crate writes a file.
//!
//! ```
//! use burn::data::dataset::Dataset;
//!
//! let (train, test) = tinderbox_datasets::sets::digits()?;
//! assert_eq!((train.len(), test.len()), (1437, 360));
//! let item = train.get(0)?;
//! assert_eq!((item.image.height, item.image.width, item.image.channels), (8, 8, 1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What it refuses to do:
//!
//! - know a model: it names no architecture, no loss and no metric;
//! - guess: an empty class, a truncated file or a label without a class is an error, not a warning,
//!   unless the caller asked for `skip_broken`;
//! - trust a download: a file whose SHA-256 is not known here is not fetched, and no source is
//!   asked before the cache;
//! - depend on chance it does not own: every random choice comes from [`random`], so equal seeds
//!   give equal items on every machine and with any number of workers.

#[cfg(feature = "archive")]
pub mod archive;
#[cfg(feature = "atomic-file")]
pub mod atomic_file;

pub mod content;
#[cfg(feature = "loader")]
mod dataset;
#[cfg(feature = "sets")]
pub mod download;
pub mod files;
pub mod image;
#[cfg(feature = "loader")]
pub mod loader;
pub mod panics;
mod parallel;
pub mod random;
#[cfg(feature = "sets")]
pub mod raster;
#[cfg(feature = "sets")]
pub mod sets;
pub mod split;
#[cfg(feature = "loader")]
mod subset;
pub mod table;
pub mod text;

pub use content::{ContentHasher, content_hash};
#[cfg(feature = "sets")]
pub use download::{DownloadError, PublicSet, fetch, public_set};
pub use parallel::parallel_map;
pub use random::Stream;
pub use split::{
    Fold, SplitError, count_duplicates, count_overlap, folds, folds_by_content, grouped_folds,
    grouped_indices, latest_indices, rolling_folds, split_indices, split_indices_by_content,
    stratified_folds, stratified_folds_by_content, stratified_indices,
    stratified_indices_by_content,
};
#[cfg(feature = "loader")]
pub use subset::Subset;
