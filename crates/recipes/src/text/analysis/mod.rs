//! Analyses of texts and of predictions for them.

mod contract_nli;
mod explain;
mod inspect;

pub use contract_nli::{ContractNliReport, Thresholds, VERDICTS};
pub use explain::{Explanation, explain};
pub use inspect::{Inspection, Quantiles, SplitInspection, inspect};
pub(super) use inspect::{counts, sources};
