//! Networks that find objects: a box, a class and a score for each.
//!
//! Every network here is anchor-free: each cell of a feature map predicts one box. A [`CellGrid`] lists the
//! cells of all maps in the order of the predictions.
//!
//! | part | file |
//! |---|---|
//! | backbone | [`CspDarknet`] |
//! | neck | [`PathAggregation`] |
//! | head | [`YoloxHead`] |
//! | network | [`Yolox`], [`FastDetector`] |

mod blocks;
mod csp_darknet;
mod fast_detector;
mod grid;
mod output;
mod path_aggregation;
mod yolox;
mod yolox_head;
mod yolox_names;

pub use csp_darknet::CspDarknet;
pub use fast_detector::{FastDetector, FastDetectorConfig};
pub use grid::{CellGrid, STRIDES};
pub use output::DetectorOutput;
pub use path_aggregation::PathAggregation;
pub use yolox::{Yolox, YoloxConfig};
pub use yolox_head::YoloxHead;
