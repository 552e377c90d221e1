//! Inference on images.

mod classifier;
mod coco_results;
mod detector;
mod ensemble;
mod guided;
mod landmarks;
mod letterbox;
mod net;
mod normalize;
mod probabilities;
pub mod published;
mod segment_net;
mod segmenter;
mod tiles;
mod views;

pub use classifier::{ImageClassifier, ImageClassifierSpec};
pub use coco_results::{CocoResult, write_coco_results};
pub use detector::{
    DetectionInput, DetectionModel, DetectionModelConfig, DetectionNetwork, Detector, DetectorSpec,
    PublishedDetector, is_detector, non_maximum_suppression, objects_of, place, scale_image,
};
pub use ensemble::ImageEnsemble;
pub use landmarks::{
    CropFrame, LandmarkInput, LandmarkModel, LandmarkModelConfig, Landmarker, LandmarkerSpec,
};
pub use letterbox::{Placement, letterbox, mirror_pad, pick_pixels, reflect, scaled_size};
pub use net::{ImageModel, ImageModelConfig};
pub use normalize::Normalize;
pub use probabilities::{Probabilities, Segmented};
pub use published::{PublishedError, PublishedModel};
pub use segment_net::{SegmentationModel, SegmentationModelConfig};
pub use segmenter::{
    InputScale, SegmentationEnsemble, SegmentationInput, Segmenter, SegmenterSpec,
};
pub use tiles::{Tile, Tiles};
pub use views::Views;
