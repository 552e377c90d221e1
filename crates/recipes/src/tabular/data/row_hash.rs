//! Hashes of rows, to keep copies in one split and to recognize the rows of a run.

use rayon::prelude::*;
use tinderbox_datasets::content_hash;
use tinderbox_datasets::table::{Cells, Column, Table, TableError};
use tinderbox_predict::tabular::Target;
use tinderbox_train::splits::Item;

use crate::tabular::targets::Targets;

/// Bytes of a cell in the content of a row: a missing flag, and its number or word.
const CELL: usize = 9;

/// A hash of each row: of the feature columns called `names`, and not the target.
pub(in crate::tabular) fn row_hashes<'a>(
    table: &Table,
    names: impl Iterator<Item = &'a str>,
) -> Result<Vec<u64>, TableError> {
    let columns = names.map(|name| Ok(Hashed::new(table.column(name)?)));
    let columns: Vec<Hashed<'_>> = columns.collect::<Result<_, TableError>>()?;
    let row = |row: usize| {
        let mut content = Vec::with_capacity(CELL * columns.len());
        for column in &columns {
            column.add(row, &mut content);
        }
        content_hash(&content)
    };
    Ok((0..table.rows()).into_par_iter().map(row).collect())
}

/// A column with the hash of each of its words.
struct Hashed<'a> {
    column: &'a Column,
    levels: Vec<u64>,
}

impl<'a> Hashed<'a> {
    fn new(column: &'a Column) -> Self {
        let words = column.words().map(|words| words.levels().iter());
        let levels = words.map(|levels| levels.map(|word| content_hash(word.as_bytes())));
        Self {
            levels: levels.map(Iterator::collect).unwrap_or_default(),
            column,
        }
    }

    fn add(&self, row: usize, content: &mut Vec<u8>) {
        let (missing, bits) = match self.column.cells() {
            Cells::Numbers(numbers) => {
                let number = numbers.get(row);
                // Both zeros are one number.
                (number.is_nan(), (number + 0.0).to_bits())
            }
            Cells::Words(words) => match self.levels.get(words.codes()[row] as usize) {
                Some(&hash) => (false, hash),
                None => (true, 0),
            },
        };
        content.push(u8::from(missing));
        content.extend_from_slice(&(if missing { 0 } else { bits }).to_le_bytes());
    }
}

/// Rows with their targets for a split list.
pub(in crate::tabular) fn items(hashes: &[u64], targets: &Targets, target: &Target) -> Vec<Item> {
    match (targets, target) {
        (Targets::Classes(labels), Target::Classes { labels: names }) => {
            let classes: Vec<Item> = names.iter().map(|name| Item::new(0, name)).collect();
            let item = |(&content, &label): (&u64, &usize)| Item {
                content,
                ..classes[label]
            };
            hashes.iter().zip(labels).map(item).collect()
        }
        (Targets::Classes(labels), Target::Number { .. }) => {
            let item = |(&content, label): (&u64, &usize)| Item::new(content, label.to_string());
            hashes.iter().zip(labels).map(item).collect()
        }
        (Targets::Numbers(values), _) => {
            let item = |(&content, value): (&u64, &f64)| Item::new(content, value.to_le_bytes());
            hashes.iter().zip(values).map(item).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_a_row_depends_on_its_cells_alone() {
        let number = Column::numeric("a", vec![1.0, 1.0, 2.0, f64::NAN, 0.0, -0.0, 1.0]);
        let words = ["x", "x", "x", "x", "y", "y", ""];
        let words = words.map(|word| (!word.is_empty()).then_some(word));
        let other = Column::numeric("id", (0..7).map(f64::from).collect());
        let table = Table::new("t", vec![number, Column::categorical("b", words), other]);
        let hashes = row_hashes(&table.unwrap(), ["a", "b"].into_iter()).unwrap();
        assert_eq!(hashes[0], hashes[1]);
        assert_eq!(hashes[4], hashes[5]);
        let mut different = hashes.clone();
        different.sort_unstable();
        different.dedup();
        assert_eq!(different.len(), 5);
    }

    #[test]
    fn the_order_of_levels_does_not_matter() {
        let table = |words: [&str; 3]| {
            let column = Column::categorical("b", words.map(Some));
            row_hashes(&Table::new("t", vec![column]).unwrap(), ["b"].into_iter()).unwrap()
        };
        let (first, second) = (table(["m", "a", "z"]), table(["m", "m", "b"]));
        assert_eq!(first[0], second[0]);
        assert_ne!(first[1], second[2]);
    }
}
