//! The real binary, on tiny data; one test binary, because each would link all of Burn again.

mod bad_input;
mod bad_weights;
mod boxes;
mod common;
mod contract;
mod detect;
mod determinism;
mod ensemble;
mod heatmap;
mod landmarks;
mod masks;
mod odd_images;
mod own_images;
mod progress;
mod transfer;
