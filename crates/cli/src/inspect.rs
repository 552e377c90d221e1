//! The result of `inspect`: what a data set contains, and what may spoil a training.

use serde_json::{Map, Value};
use tinderbox_train::task::{Noun, Overview};

use crate::splits::split_lines;
use crate::{Failure, Output, sections};

/// Prints an overview of a data set, or its details as one JSON object.
///
/// # Errors
///
/// If nothing can be printed.
pub fn print(
    overview: &Overview,
    details: &Map<String, Value>,
    item: Noun,
    json: bool,
) -> Result<(), Failure> {
    let mut out = Output::Stdout;
    if json {
        return out.line(&Value::Object(details.clone()).to_string());
    }
    out.line(&overview.summary)?;
    if !overview.splits.is_empty() {
        let item = overview.item.unwrap_or(item);
        out.line(&split_lines(&overview.splits, item).join("\n"))?;
    }
    for section in &overview.sections {
        out.line(&sections::text(section))?;
    }
    for note in &overview.notes {
        out.line(&format!("note: {note}"))?;
    }
    for warning in &overview.warnings {
        out.line(&format!("warning: {warning}"))?;
    }
    if overview.warnings.is_empty() {
        out.line("no issues found")?;
    }
    Ok(())
}
