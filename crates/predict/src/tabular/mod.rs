//! Models of tables: from a model folder and a file to a prediction for each row.
//!
//! ```no_run
//! use std::path::Path;
//! use burn::tensor::Device;
//! use tinderbox_predict::tabular::Predictor;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let model = Predictor::load(Path::new("runs/churn/model"), &Device::flex())?;
//! let table = model.read(Path::new("customers.csv"))?;
//! for prediction in model.predict(&table)? {
//!     println!("{}", prediction.text());
//! }
//! # Ok(())
//! # }
//! ```

mod columns;
mod dates;
mod encoded;
mod encoder;
mod ensemble;
mod features;
mod format;
mod input;
mod net;
mod predictor;
mod rows;
mod scale;
mod target;

pub use columns::InputColumn;
pub use encoded::{Encoded, EncodedColumn};
pub use encoder::{Coding, Encoder, Feature, UnseenCategories};
pub use ensemble::Ensemble;
pub use features::{Features, NumericScaling, TargetScaling};
pub use format::{Format, Header};
pub use input::{InputError, check_range};
pub use net::{Architecture, Sizes, TabularNet};
pub use predictor::{Predictor, Spec};
pub use rows::RowError;
pub use scale::Scale;
pub use target::Target;

/// The kind of these models in `model.json`.
pub const KIND: &str = "table-model";
