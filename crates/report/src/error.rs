//! Why there is no report.

use std::path::PathBuf;

use tinderbox_predict::FileError;
use tinderbox_train::MetricLinesError;
use tinderbox_train::run_dir::RunError;

/// Why a run cannot be reported.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// Nothing is there.
    #[error("`{}` contains no run: there is no such directory", .0.display())]
    NotFound(PathBuf),
    /// Something else is there.
    #[error(
        "`{}` contains no run: it has no `recipe.toml`; name the directory that `train` wrote to",
        .0.display()
    )]
    NoRun(PathBuf),
    /// The run has no result yet.
    #[error(
        "the run in `{}` is not finished: it has no `summary.json`",
        .0.display()
    )]
    Unfinished(PathBuf),
    /// A file of the run is not what `train` writes.
    #[error(
        "`{}`{} is damaged: {reason}; restore the file or train again", path.display(),
        line.map_or(String::new(), |line| format!(" line {line}"))
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Its line, from 1, where there are many.
        line: Option<usize>,
        /// What is wrong.
        reason: String,
    },
    /// The file system refused.
    #[error(transparent)]
    Io(#[from] FileError),
    /// The sections cannot be read.
    #[error(transparent)]
    Sections(#[from] RunError),
}

impl From<MetricLinesError> for ReportError {
    fn from(error: MetricLinesError) -> Self {
        match error {
            MetricLinesError::File(error) => Self::Io(error),
            MetricLinesError::Damaged { path, line, reason } => Self::Damaged {
                path,
                line: Some(line),
                reason,
            },
        }
    }
}

impl ReportError {
    /// Whether the user can fix it: everything but a failure of the file system.
    pub fn is_input(&self) -> bool {
        !matches!(self, Self::Io(_) | Self::Sections(_))
    }
}
