//! Tasks on images.

mod batch;
mod classify;
mod concat;
mod data;
mod docs;
mod net;
mod predict;
mod recipe;
