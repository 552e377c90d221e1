//! Splits that keep duplicates together.
//!
//! An item that is in the training split must not be in the test split a second time: the score
//! would measure memory. Items are identified by a hash of their content without the label, from
//! [`content_hash`](crate::content_hash) or [`ContentHasher`](crate::ContentHasher). Where no two
//! items are equal, every function here gives exactly the split of its counterpart without
//! contents.

use std::collections::{HashMap, HashSet};

use super::{
    Fold, SplitError, check_fraction, finish, folds, share, split_indices, stratified_folds,
    stratified_indices,
};
use crate::random::{permutation, stream};

/// Number of items that duplicate an earlier one.
///
/// ```
/// assert_eq!(tinderbox_datasets::count_duplicates(&[7, 8, 7, 7]), 2);
/// ```
pub fn count_duplicates(contents: &[u64]) -> usize {
    contents.len() - contents.iter().collect::<HashSet<_>>().len()
}

/// Number of `items` whose content is also among `others`: of test items, those that were trained
/// on where the split was given and not made here.
///
/// ```
/// assert_eq!(tinderbox_datasets::count_overlap([7, 7, 9], [5, 7]), 2);
/// ```
pub fn count_overlap(
    items: impl IntoIterator<Item = u64>,
    others: impl IntoIterator<Item = u64>,
) -> usize {
    let others: HashSet<u64> = others.into_iter().collect();
    let items = items.into_iter();
    items.filter(|content| others.contains(content)).count()
}

/// As [`split_indices`], with all duplicates of an item on one side.
///
/// ```
/// let contents = [1, 1, 2, 3, 4, 4];
/// let (train, test) = tinderbox_datasets::split_indices_by_content(&contents, 0.5, 42)?;
/// assert!(train.iter().all(|&a| test.iter().all(|&b| contents[a] != contents[b])));
/// # Ok::<(), tinderbox_datasets::SplitError>(())
/// ```
///
/// # Errors
///
/// If `fraction` is not in `(0, 1)`, or there are fewer than two different items.
pub fn split_indices_by_content(
    contents: &[u64],
    fraction: f64,
    seed: u64,
) -> Result<Fold, SplitError> {
    if count_duplicates(contents) == 0 {
        return split_indices(contents.len(), fraction, seed);
    }
    check_fraction(fraction)?;
    let order = permutation(contents.len(), &mut stream(seed, &[]));
    let wanted = share(contents.len(), fraction).clamp(1, contents.len() - 1);
    let labels = vec![0; contents.len()];
    HoldOut::new(&labels, contents, vec![wanted]).run(&[order], fraction)
}

/// As [`stratified_indices`], with all duplicates of an item on one side, whatever their labels.
///
/// Each class is held out in proportion as nearly as the numbers of copies allow.
///
/// # Errors
///
/// If `fraction` is not in `(0, 1)`, or there are fewer than two different items.
pub fn stratified_indices_by_content(
    labels: &[u16],
    contents: &[u64],
    fraction: f64,
    seed: u64,
) -> Result<Fold, SplitError> {
    if count_duplicates(contents) == 0 {
        return stratified_indices(labels, fraction, seed);
    }
    check_fraction(fraction)?;
    let orders = orders_by_class(labels, seed);
    let wanted = orders.iter().map(|rows| match rows.len() {
        0 | 1 => 0,
        rows => share(rows, fraction).clamp(1, rows - 1),
    });
    HoldOut::new(labels, contents, wanted.collect()).run(&orders, fraction)
}

/// As [`folds`], with all duplicates of an item in one fold.
///
/// # Errors
///
/// If `k` is less than 2 or more than the number of different items.
pub fn folds_by_content(contents: &[u64], k: usize, seed: u64) -> Result<Vec<Fold>, SplitError> {
    if count_duplicates(contents) == 0 {
        return folds(contents.len(), k, seed);
    }
    let order = permutation(contents.len(), &mut stream(seed, &[]));
    let labels = vec![0; contents.len()];
    folds_of(&labels, contents, &[order], k)
}

/// As [`stratified_folds`], with all duplicates of an item in one fold, whatever their labels.
///
/// # Errors
///
/// If `k` is less than 2 or more than the number of different items of a class.
pub fn stratified_folds_by_content(
    labels: &[u16],
    contents: &[u64],
    names: &[impl AsRef<str>],
    k: usize,
    seed: u64,
) -> Result<Vec<Fold>, SplitError> {
    if count_duplicates(contents) == 0 {
        return stratified_folds(labels, names, k, seed);
    }
    let orders = orders_by_class(labels, seed);
    for (class, rows) in orders.iter().enumerate() {
        let different: HashSet<u64> = rows.iter().map(|&row| contents[row]).collect();
        if !rows.is_empty() && different.len() < k {
            let name = names.get(class).map(|name| name.as_ref().to_owned());
            return Err(SplitError::SmallClass {
                class: name.unwrap_or_else(|| class.to_string()),
                rows: different.len(),
                folds: k,
            });
        }
    }
    folds_of(labels, contents, &orders, k)
}

/// The rows of each class, in the random order in which splits without contents take them.
fn orders_by_class(labels: &[u16], seed: u64) -> Vec<Vec<usize>> {
    let classes = labels.iter().max().map_or(0, |&last| usize::from(last) + 1);
    let mut rows_of = vec![Vec::new(); classes];
    for (row, &label) in labels.iter().enumerate() {
        rows_of[usize::from(label)].push(row);
    }
    let shuffled = |(class, rows): (usize, Vec<usize>)| {
        let order = permutation(rows.len(), &mut stream(seed, &[class as u64]));
        order.into_iter().map(|at| rows[at]).collect()
    };
    rows_of.into_iter().enumerate().map(shuffled).collect()
}

/// The copies of each item.
struct Duplicates {
    group_of: Vec<usize>,
    rows: Vec<Vec<usize>>,
}

impl Duplicates {
    fn new(contents: &[u64]) -> Self {
        let (mut number, mut rows) = (HashMap::new(), Vec::<Vec<usize>>::new());
        let group_of = contents.iter().enumerate().map(|(row, content)| {
            let group = *number.entry(content).or_insert(rows.len());
            if group == rows.len() {
                rows.push(Vec::with_capacity(1));
            }
            rows[group].push(row);
            group
        });
        Self {
            group_of: group_of.collect(),
            rows,
        }
    }

    /// Number of copies of the item in `row`, for each class that has one.
    fn counts(&self, row: usize, labels: &[u16]) -> Vec<(usize, usize)> {
        let mut counts: Vec<(usize, usize)> = Vec::with_capacity(1);
        for &copy in &self.rows[self.group_of[row]] {
            let class = usize::from(labels[copy]);
            match counts.iter_mut().find(|(known, _)| *known == class) {
                Some((_, count)) => *count += 1,
                None => counts.push((class, 1)),
            }
        }
        counts
    }

    fn check(&self, parts: usize) -> Result<(), SplitError> {
        let different = self.rows.len();
        if different < parts {
            return Err(SplitError::Duplicates {
                items: self.group_of.len(),
                different,
                parts,
            });
        }
        Ok(())
    }
}

/// A split under construction.
struct HoldOut<'a> {
    labels: &'a [u16],
    duplicates: Duplicates,
    /// Rows of each class: to be held out, held out so far, and in all.
    wanted: Vec<usize>,
    held: Vec<usize>,
    total: Vec<usize>,
    is_held: Vec<bool>,
}

impl<'a> HoldOut<'a> {
    fn new(labels: &'a [u16], contents: &[u64], wanted: Vec<usize>) -> Self {
        let mut total = vec![0; wanted.len()];
        for &label in labels {
            total[usize::from(label)] += 1;
        }
        Self {
            labels,
            duplicates: Duplicates::new(contents),
            held: vec![0; wanted.len()],
            wanted,
            total,
            is_held: vec![false; labels.len()],
        }
    }

    fn run(mut self, orders: &[Vec<usize>], fraction: f64) -> Result<Fold, SplitError> {
        self.duplicates.check(2)?;
        for (class, order) in orders.iter().enumerate() {
            for &row in order {
                if self.held[class] >= self.wanted[class] {
                    break;
                }
                self.hold_if(row, |gain| gain > 0);
            }
            if self.held[class] == 0 && self.wanted[class] > 0 {
                // Every item has too many copies: the one with the fewest is nearest.
                let fewest =
                    |&&row: &&usize| self.duplicates.rows[self.duplicates.group_of[row]].len();
                if let Some(&row) = order.iter().min_by_key(fewest) {
                    self.hold_if(row, |_| true);
                }
            }
        }
        let (held, kept) = (0..self.labels.len()).partition(|&row| self.is_held[row]);
        finish(kept, held, fraction)
    }

    /// Holds out all copies of an item, if they bring the classes nearer to their shares and leave
    /// something of each class.
    fn hold_if(&mut self, row: usize, accepts: impl Fn(i64) -> bool) {
        if self.is_held[row] {
            return;
        }
        let counts = self.duplicates.counts(row, self.labels);
        let gain = |&(class, count): &(usize, usize)| {
            let distance =
                |held: usize| i64::try_from(held.abs_diff(self.wanted[class])).unwrap_or(i64::MAX);
            distance(self.held[class]) - distance(self.held[class] + count)
        };
        let leaves_some = |&(class, count): &(usize, usize)| {
            self.total[class] == count || self.held[class] + count < self.total[class]
        };
        let only_item =
            |&(class, count): &(usize, usize)| self.total[class] == count && self.wanted[class] > 0;
        if counts.iter().any(only_item)
            || !counts.iter().all(leaves_some)
            || !accepts(counts.iter().map(gain).sum())
        {
            return;
        }
        for (class, count) in counts {
            self.held[class] += count;
        }
        for &copy in &self.duplicates.rows[self.duplicates.group_of[row]] {
            self.is_held[copy] = true;
        }
    }
}

/// Deals the items of each class to `k` parts, each to the part that has the fewest of its class.
fn folds_of(
    labels: &[u16],
    contents: &[u64],
    orders: &[Vec<usize>],
    k: usize,
) -> Result<Vec<Fold>, SplitError> {
    super::folds::check_folds(labels.len(), k)?;
    let copies = Duplicates::new(contents);
    copies.check(k)?;
    let mut part: Vec<Option<usize>> = vec![None; labels.len()];
    let mut counts = vec![vec![0; k]; orders.len()];
    let mut next = 0;
    for (class, order) in orders.iter().enumerate() {
        // Each class starts where the last one ended, which keeps the parts of one size.
        let start = next % k;
        next += order.len();
        for &row in order {
            if part[row].is_some() {
                continue;
            }
            let fewest = (0..k).min_by_key(|&at| (counts[class][at], (at + k - start) % k));
            let chosen = fewest.unwrap_or(0);
            for &copy in &copies.rows[copies.group_of[row]] {
                part[copy] = Some(chosen);
                counts[usize::from(labels[copy])][chosen] += 1;
            }
        }
    }
    let part: Vec<usize> = part.into_iter().map(|part| part.unwrap_or(0)).collect();
    Ok(super::folds::from_parts(&part, k))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `items` different items, each `copies` times and not in a row.
    fn contents(items: u64, copies: u64) -> Vec<u64> {
        (0..items * copies).map(|row| row % items).collect()
    }

    fn shared(contents: &[u64], (train, test): &Fold) -> usize {
        let of = |rows: &[usize]| rows.iter().map(|&row| contents[row]).collect::<Vec<_>>();
        count_overlap(of(test), of(train))
    }

    #[test]
    fn without_copies_every_split_is_as_without_contents() {
        let own: Vec<u64> = (100..203).collect();
        let labels: Vec<u16> = (0..103).map(|row| (row % 7 % 3) as u16).collect();
        for seed in 0..5 {
            for fraction in [0.01, 0.2, 0.5, 0.99] {
                assert_eq!(
                    split_indices_by_content(&own, fraction, seed),
                    split_indices(103, fraction, seed)
                );
                assert_eq!(
                    stratified_indices_by_content(&labels, &own, fraction, seed),
                    stratified_indices(&labels, fraction, seed)
                );
            }
            assert_eq!(folds_by_content(&own, 5, seed), folds(103, 5, seed));
            assert_eq!(
                stratified_folds_by_content(&labels, &own, &["a"], 5, seed),
                stratified_folds(&labels, &["a"], 5, seed)
            );
            // So is the walk that copies take, which keeps data with few copies near to that.
            let order = permutation(103, &mut stream(seed, &[]));
            let walked =
                HoldOut::new(&[0; 103], &own, vec![21]).run(std::slice::from_ref(&order), 0.2);
            assert_eq!(walked, split_indices(103, 0.2, seed));
            assert_eq!(folds_of(&[0; 103], &own, &[order], 5), folds(103, 5, seed));
            let orders = orders_by_class(&labels, seed);
            assert_eq!(
                folds_of(&labels, &own, &orders, 5),
                stratified_folds(&labels, &["a"], 5, seed)
            );
        }
    }

    #[test]
    fn copies_stay_together_and_the_shares_are_kept() {
        for (items, copies) in [(50, 8), (300, 2), (5, 40)] {
            let contents = contents(items, copies);
            let rows = contents.len();
            // Labels that have nothing to do with the content.
            let labels: Vec<u16> = (0..rows).map(|row| u16::from(row * 7 % 11 < 4)).collect();
            for seed in 0..5 {
                let plain = split_indices_by_content(&contents, 0.2, seed).unwrap();
                let stratified =
                    stratified_indices_by_content(&labels, &contents, 0.2, seed).unwrap();
                for fold in [&plain, &stratified] {
                    assert_eq!(shared(&contents, fold), 0);
                    assert_eq!(fold.0.len() + fold.1.len(), rows);
                    let off = fold.1.len().abs_diff(rows / 5);
                    assert!(off <= copies as usize, "{} of {rows}", fold.1.len());
                }
                let names = ["a", "b"];
                let folds = folds_by_content(&contents, 5, seed).unwrap();
                let by_class =
                    stratified_folds_by_content(&labels, &contents, &names, 5, seed).unwrap();
                for fold in folds.iter().chain(&by_class) {
                    assert_eq!(shared(&contents, fold), 0);
                    let off = fold.1.len().abs_diff(rows / 5);
                    assert!(off <= 2 * copies as usize, "{} of {rows}", fold.1.len());
                }
            }
        }
    }

    #[test]
    fn a_class_is_in_both_parts_if_it_has_two_different_items() {
        // Class 1 has two items with five copies each; class 0 has twenty single items.
        let contents: Vec<u64> = (0..20).chain([50; 5]).chain([51; 5]).collect();
        let labels: Vec<u16> = (0..30).map(|row| u16::from(row >= 20)).collect();
        for seed in 0..10 {
            let (train, test) =
                stratified_indices_by_content(&labels, &contents, 0.1, seed).unwrap();
            let count = |rows: &[usize]| rows.iter().filter(|&&row| labels[row] == 1).count();
            assert_eq!([count(&train), count(&test)], [5, 5]);
        }
        // A class with a single item stays in training.
        let contents: Vec<u64> = (0..20).chain([50; 10]).collect();
        let (train, _) = stratified_indices_by_content(&labels, &contents, 0.1, 1).unwrap();
        assert_eq!(train.iter().filter(|&&row| labels[row] == 1).count(), 10);
    }

    #[test]
    fn too_few_different_items_are_refused() {
        let copies = |result: Result<Fold, SplitError>| {
            assert!(
                matches!(result, Err(SplitError::Duplicates { .. })),
                "{result:?}"
            );
        };
        copies(split_indices_by_content(&[3; 9], 0.2, 0));
        copies(stratified_indices_by_content(&[0; 9], &[3; 9], 0.2, 0));
        assert!(matches!(
            folds_by_content(&[3, 3, 3, 4], 3, 0),
            Err(SplitError::Duplicates {
                different: 2,
                parts: 3,
                ..
            })
        ));
        let small = stratified_folds_by_content(&[0, 0, 1, 1], &[1, 2, 3, 3], &["a", "b"], 2, 0);
        let expected = SplitError::SmallClass {
            class: "b".to_owned(),
            rows: 1,
            folds: 2,
        };
        assert_eq!(small, Err(expected));
    }
}
