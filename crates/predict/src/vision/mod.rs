//! Inference on images.

mod classifier;
mod ensemble;
mod net;
mod normalize;
mod tiles;

pub use classifier::{ImageClassifier, ImageClassifierSpec};
pub use ensemble::ImageEnsemble;
pub use net::{ImageModel, ImageModelConfig};
pub use normalize::Normalize;
pub use tiles::{Tile, Tiles};
