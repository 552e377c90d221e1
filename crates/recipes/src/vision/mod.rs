//! Tasks on images.
//!
//! [`ImageClassification`] is one; its [`Recipe`], splits and inputs use the same images as every
//! other.

pub mod analysis;
mod batch;
mod classify;
mod concat;
mod data;
mod source;
mod splits;

pub use batch::{ImageCollate, measure};
pub use classify::{BUILTIN, ImageClassification, InferredRecipe, Recipe};
pub use data::{DataError, ImageData, NamedSplit, open, open_other};
pub use source::{Data, Preprocess};
pub use splits::ImageSplits;
