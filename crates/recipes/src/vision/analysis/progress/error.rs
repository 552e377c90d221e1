//! Why progress cannot be derived.

use std::path::PathBuf;

use super::plan_file::PlanError;

/// Most photos of a series.
pub(super) const MAX_PHOTOS: usize = 300;

/// Why progress cannot be derived from photos.
#[derive(Debug, thiserror::Error)]
pub enum ProgressError {
    /// The plan cannot be used.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// There is nothing to compare.
    #[error("progress is a comparison of photos and needs at least two (got {found})")]
    TooFew {
        /// Number of photos.
        found: usize,
    },
    /// There are too many photos for one page.
    #[error(
        "a page has at most {MAX_PHOTOS} photos (got {found}); choose fewer, such as one for each day"
    )]
    TooMany {
        /// Number of photos.
        found: usize,
    },
    /// Photos say nowhere when they were taken.
    #[error(
        "{count} of {total} photos have no date, neither in EXIF nor in the file name: {names}; put the date into \
         the name, as in `2020-10-05.jpg`"
    )]
    Undated {
        /// Photos without a date.
        count: usize,
        /// All photos.
        total: usize,
        /// The first of them.
        names: String,
    },
    /// The plan has an item that cannot be measured.
    #[error("`{}` line {line}: `{item}` cannot be measured; {known}", path.display())]
    UnknownItem {
        /// The plan.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The item.
        item: String,
        /// What can be measured.
        known: String,
    },
    /// The plan counts what is measured as a share, or the other way round.
    #[error(
        "`{}` line {line}: the plan has a {planned} of `{item}`, and its {measured} is measured",
        path.display()
    )]
    OtherUnit {
        /// The plan.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The item.
        item: String,
        /// `count` or `share`.
        planned: &'static str,
        /// The other one.
        measured: &'static str,
    },
    /// The page would take the place of a folder.
    #[error("`--out {}` is a folder; name an HTML file, such as `progress.html`", path.display())]
    OutIsFolder {
        /// The folder.
        path: PathBuf,
    },
    /// The folder of the page does not exist.
    #[error("the folder of `--out {}` does not exist", path.display())]
    NoFolder {
        /// The page.
        path: PathBuf,
    },
    /// The model does not count or measure.
    #[error(
        "progress needs a run of object detection or segmentation, and this is one of {kind}; without \
         `--run`, change and height are derived"
    )]
    OtherModel {
        /// What it is a model of.
        kind: &'static str,
    },
}
