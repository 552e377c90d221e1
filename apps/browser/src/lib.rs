//! Trained models in a web page: the program that runs in the page, compiled to WebAssembly.
//!
//! A page hands over the files of a model folder, or one ZIP file, and gets a description to build its
//! inputs from; then it hands over images or tables and gets the JSON lines of the command `predict`.
//! Everything but the few exported functions also compiles for a computer, where the tests run.
//!
//! Non-goals: drawing and texts for people, which are JavaScript's; models of texts, whose tokenizers do not
//! compile for a browser as they are.

mod dropped;
mod session;
#[cfg(target_family = "wasm")]
mod wasm;

pub use dropped::{DroppedError, model_files};
pub use session::{Answer, Description, Session};
