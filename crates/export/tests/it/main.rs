//! Exported models in another runtime, and what cannot be exported.

#[path = "../cases/mod.rs"]
mod cases;
mod files;
#[cfg(feature = "text")]
mod no_writer;
mod runtime;
