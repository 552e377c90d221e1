//! The choice of feature columns.

use tinderbox_datasets::table::{Cells, Kind, Table};

use crate::tabular::recipe::{Data, Split, SplitBy};

/// The feature columns, and the others with the reasons.
pub(super) fn choose_columns(
    table: &Table,
    data: &Data,
    split: &Split,
) -> (Vec<String>, Vec<String>) {
    let (mut kept, mut dropped) = (Vec::new(), Vec::new());
    for column in table.columns() {
        let name = column.name();
        if name == data.target {
            continue;
        }
        let reason = if data.drop.iter().any(|dropped| dropped == name) {
            "listed in `data.drop`"
        } else if matches!(split.by, SplitBy::Group | SplitBy::Time) && name == split.column {
            "used for the split"
        } else if column.kind() == Kind::Identifier {
            "an identifier (to use it as a number or a category, list it in `data.numeric` or \
             `data.categorical`)"
        } else if column.kind() == Kind::Text {
            "free text"
        } else if column.missing() == column.len() {
            "empty"
        } else if is_constant(column.cells()) {
            "the same in every row"
        } else {
            kept.push(name.to_owned());
            continue;
        };
        dropped.push(format!("`{name}`: {reason}"));
    }
    (kept, dropped)
}

fn is_constant(cells: &Cells) -> bool {
    match cells {
        Cells::Numbers(numbers) => {
            let first = numbers.get(0);
            numbers.iter().all(|number| {
                number.to_bits() == first.to_bits() || (number.is_nan() && first.is_nan())
            })
        }
        Cells::Words(words) => words.codes().iter().all(|code| *code == words.codes()[0]),
    }
}
