//! Inference on images.

mod classifier;
mod ensemble;
mod net;
mod normalize;
pub mod published;
mod tiles;

pub use classifier::{ImageClassifier, ImageClassifierSpec};
pub use ensemble::ImageEnsemble;
pub use net::{ImageModel, ImageModelConfig};
pub use normalize::Normalize;
pub use published::{PublishedError, PublishedModel};
pub use tiles::{Tile, Tiles};
