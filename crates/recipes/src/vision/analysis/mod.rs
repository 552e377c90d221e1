//! Analyses of images and of what is learned from them.

mod inspect;

pub use inspect::{Inspection, inspect};
