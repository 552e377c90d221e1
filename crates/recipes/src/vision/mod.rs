//! Tasks on images.
//!
//! [`VisionTask`] is all of them: its [`VisionRecipe`] names the one that it does.
//!
//! A trained network is compared with classical methods on the same splits, unless they are skipped:
//!
//! | task | method |
//! |---|---|
//! | classification | logistic regression on the pixels; the network from scratch, if it starts from published weights |
//! | object detection | histograms of oriented gradients (HOG) in sliding windows, with logistic regression |
//! | landmarks | the mean shape; ridge regression on the pixels |
//! | segmentation | pixel classification: boosted trees on filter responses |

pub mod analysis;
mod batch;
mod classify;
mod concat;
mod data;
mod decoded;
mod detect;
mod eval_rows;
mod group_splits;
mod inputs;
mod landmarks;
mod photos;
pub mod pictures;
mod recipe;
mod saving;
mod segment;
mod source;
mod splits;
mod task;
mod transfer;
mod worst;

pub use batch::{ImageCollate, measure};
pub use classify::{InferredRecipe, Recipe};
pub use data::{DataError, ImageData, NamedSplit, open, open_other};
pub use detect::{
    BoxData, CocoFile, DetectionRecipe, DetectionTag, FINE_TUNING, InferredDetection,
};
pub use landmarks::{CascadeFit, InferredLandmarks, LandmarkData, LandmarkRecipe, LandmarkTag};
pub use photos::PhotoOptions;
pub use recipe::{BUILTIN, VisionRecipe};
pub use segment::{
    Background, InferredSegmentation, MaskedData, SegmentationRecipe, SegmentationTag,
};
pub use source::{Data, Preprocess};
pub use splits::ImageSplits;
pub use task::{VisionModel, VisionTask};
pub use transfer::{
    DEFAULT_WEIGHTS, Transfer, TransferError, TransferMode, fetch_weights, find_published,
    open_weights,
};
