//! Readers of tables, texts and images, seeded splits, augmentation, and the data loader.
//!
//! # Readers
//!
//! | module | reads |
//! |---|---|
//! | [`table`] | CSV, TSV, JSON and (feature `parquet`) Parquet, into typed columns |
//! | [`text`] | labeled texts, pairs, multi-label texts, tagged sentences and plain text, from CSV, JSON, `CoNLL`, text files and archives |
//! | [`image`] | JPEG, PNG, GIF, TIFF, WebP and BMP; image folders, archives, tables of paths, and IDX |
//! | [`raster`] | `GeoTIFF` maps |
//! | [`archive`] | ZIP and tar |
//!
//! [`escape`] shows text from data in pages, Markdown, YAML and terminals, where none of it may act, and
//! [`mod@format`] writes counts, hashes and the beginnings of texts.
//!
//! A reader checks its input and reports the file and, where there is one, the line and column of an
//! error. Data sets implement Burn's [`Dataset`](burn::data::dataset::Dataset); [`loader`] batches
//! them on worker threads. [`split`] makes splits and folds, [`sets`] has the bundled and the public data
//! sets, [`download`] fetches the public ones, and [`atomic_file`] is how every crate writes a file.
//!
//! ```
//! use burn::data::dataset::Dataset;
//! use tinderbox_datasets::image::Augment;
//! use tinderbox_datasets::random::stream;
//! use tinderbox_datasets::sets::digits;
//! use tinderbox_datasets::stratified_indices;
//!
//! let (images, test) = digits()?;
//! let (train, valid) = stratified_indices(images.labels(), 0.1, 42)?;
//! assert_eq!((train.len() + valid.len(), test.len()), (1437, 360));
//!
//! let sample = images.get(train[0])?;
//! let augment = Augment { rotate: 10.0, ..Augment::default() };
//! let rotated = augment.apply(sample.image, &mut stream(42, &[0, 0]));
//! assert_eq!((rotated.height, rotated.width, rotated.channels), (8, 8, 1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//!
//! All but `parquet` are on by default. Without any, images, tables and texts are read from files and from
//! memory for inference; that also builds for `wasm32-unknown-unknown`.
//!
//! | feature | adds |
//! |---|---|
//! | `archive` | [`archive`], and archives of texts |
//! | `atomic-file` | [`atomic_file`] |
//! | `download` | downloads of public datasets over HTTPS |
//! | `loader` | [`loader`], image folders, and Burn's `Dataset` for every data set |
//! | `parquet` | tables from Parquet files |
//! | `rayon` | work on all cores |
//! | `sets` | [`sets`], [`download`] and [`raster`] |
//!
//! # Non-goals
//!
//! - Models: this crate knows no architecture, no loss and no metric.
//! - Guessing: an empty class, a truncated file or an unknown label is an error, not a warning, unless the
//!   caller asked for `skip_broken`.
//! - Trusting downloads: only files whose SHA-256 is listed here are fetched, and the cache comes first.
//! - Hidden randomness: every random choice comes from [`random`], so equal seeds give equal items on
//!   every machine and with any number of workers.

#[cfg(feature = "archive")]
pub mod archive;
#[cfg(feature = "atomic-file")]
pub mod atomic_file;

pub mod content;
#[cfg(feature = "loader")]
mod dataset;
#[cfg(feature = "loader")]
pub mod detection;
#[cfg(feature = "sets")]
pub mod download;
pub mod escape;
pub mod files;
mod flip;
pub mod format;
pub mod image;
#[cfg(feature = "loader")]
pub mod landmarks;
#[cfg(feature = "loader")]
pub mod loader;
pub mod memory;
pub mod panics;
mod parallel;
pub mod random;
#[cfg(feature = "sets")]
pub mod raster;
#[cfg(feature = "sets")]
pub mod sets;
mod shard;
pub mod split;
#[cfg(feature = "loader")]
mod subset;
pub mod table;
pub mod text;
#[cfg(feature = "loader")]
mod xml;

pub use content::{ContentHasher, content_hash};
#[cfg(feature = "sets")]
pub use download::{DownloadError, PublicSet, fetch, public_set};
pub use flip::{IBUG_POINTS, flip_order};
pub use parallel::parallel_map;
pub use random::Stream;
pub use shard::{FileHash, InputRange, MAX_SHARDS, Shard, ShardError, hash_folder};
pub use split::{
    Fold, SplitError, count_duplicates, count_overlap, folds, folds_by_content, grouped_folds,
    grouped_indices, latest_indices, rolling_folds, split_indices, split_indices_by_content,
    stratified_folds, stratified_folds_by_content, stratified_indices,
    stratified_indices_by_content,
};
#[cfg(feature = "loader")]
pub use subset::Subset;
