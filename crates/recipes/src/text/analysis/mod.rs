//! Analyses of texts and of predictions for them.

mod contract_nli;
mod explain;
mod generate;
mod inspect;
mod mistakes;
mod samples;
mod similar;
mod summary;

pub use contract_nli::{ContractNliReport, Thresholds, VERDICTS};
pub use explain::{Explanation, explain};
pub use generate::generate;
pub use inspect::{Inspection, Quantiles, SplitInspection, inspect};
pub(super) use inspect::{alike_classes, counts, sources};
pub(super) use mistakes::mistakes;
pub(super) use samples::samples;
pub use similar::similar;
pub use summary::summarize;
