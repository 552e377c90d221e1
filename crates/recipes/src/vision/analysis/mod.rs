//! Analyses of images and of what is learned from them.

mod explain;
mod grad_cam;
mod heatmap;
mod inspect;
mod inspect_boxes;
mod inspect_landmarks;
mod inspect_masks;
mod outputs;
mod progress;
mod skipped;
mod track;

pub use explain::{ExplainOptions, explain};
pub use grad_cam::{Attribution, grad_cam};
pub use heatmap::{HeatmapOptions, PatchListener, heatmap};
pub use inspect::{Inspection, inspect};
pub use inspect_boxes::{ConvertFrom, convert};
pub use progress::{
    Daily, Deviation, ItemPlan, PlanError, ProgressError, ProgressOptions, Unit, progress,
    read_plan,
};
pub use tinderbox_datasets::detection::LabelFormat;
pub use track::{TrackOptions, track};
