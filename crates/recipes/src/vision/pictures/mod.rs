//! Drawing: the images that a run leaves next to its numbers.
//!
//! | what | for |
//! |---|---|
//! | [`Canvas`] | pixels: boxes, lines, images, text |
//! | [`draw_boxes`] | boxes on a photo, each with a caption |
//! | [`draw_landmarks`] | points of faces on a photo |
//! | [`precision_recall`] | precision against recall of a detector |
//! | [`Plot`] | curves over a common axis |
//! | [`confusion_matrix`] | which class was taken for which |
//! | [`Sheet`] | images in a grid, each with a caption |
//! | [`learning_curves`] | loss and metrics of a run, epoch by epoch |
//! | [`Gallery`] | the folder `images/` of a run |
//!
//! The same numbers give the same bytes. Text is in Latin letters; see [`drawable`].
//!
//! Non-goals: charts for the terminal and as SVG, which `cli` has.

mod boxes;
mod canvas;
mod curves;
mod gallery;
mod heat;
mod landmarks;
mod matrix;
mod plot;
mod precision_recall;
mod sheet;
mod text;

pub use boxes::{LabeledBox, draw_boxes};
pub use canvas::{Canvas, Color, color};
pub use curves::learning_curves;
pub use gallery::{Gallery, IMAGES_DIR};
pub use heat::heat_color;
pub use landmarks::draw_landmarks;
pub use matrix::{confusion_matrix, detection_confusion};
pub use plot::{Line, Plot};
pub use precision_recall::precision_recall;
pub use sheet::{Sheet, Tile};
pub use text::{Align, LINE_HEIGHT, drawable, drawable_names, shorten, width};
