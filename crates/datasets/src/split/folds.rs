//! Folds, groups and time.

use std::collections::HashMap;

use super::{SplitError, check_fraction, finish, share};
use crate::random::{permutation, stream};

/// Rows to train on and rows to test on, each in ascending order.
pub type Fold = (Vec<usize>, Vec<usize>);

/// Cuts `0..rows` into `k` parts of nearly equal size, each of which is the test part of one fold.
///
/// ```
/// let folds = tinderbox_datasets::folds(10, 3, 42)?;
/// assert_eq!(folds.iter().map(|(_, test)| test.len()).collect::<Vec<_>>(), [4, 3, 3]);
/// # Ok::<(), tinderbox_datasets::SplitError>(())
/// ```
///
/// # Errors
///
/// If `k` is less than 2 or more than `rows`.
pub fn folds(rows: usize, k: usize, seed: u64) -> Result<Vec<Fold>, SplitError> {
    check_folds(rows, k)?;
    let mut part = vec![0; rows];
    for (place, row) in permutation(rows, &mut stream(seed, &[]))
        .into_iter()
        .enumerate()
    {
        part[row] = place % k;
    }
    Ok(from_parts(&part, k))
}

/// As [`folds`], with every class spread evenly over the parts.
///
/// A label is a position in `names`; names serve for messages only.
///
/// ```
/// let labels = [0, 0, 0, 0, 1, 1];
/// let folds = tinderbox_datasets::stratified_folds(&labels, &["no", "yes"], 2, 42)?;
/// assert!(folds.iter().all(|(_, test)| test.iter().filter(|&&row| labels[row] == 1).count() == 1));
/// # Ok::<(), tinderbox_datasets::SplitError>(())
/// ```
///
/// # Errors
///
/// If `k` is less than 2 or more than the number of rows of a class.
pub fn stratified_folds(
    labels: &[u16],
    names: &[impl AsRef<str>],
    k: usize,
    seed: u64,
) -> Result<Vec<Fold>, SplitError> {
    check_folds(labels.len(), k)?;
    let classes = labels.iter().max().map_or(0, |&last| usize::from(last) + 1);
    let mut rows_of = vec![Vec::new(); classes];
    for (row, &label) in labels.iter().enumerate() {
        rows_of[usize::from(label)].push(row);
    }
    let (mut part, mut next) = (vec![0; labels.len()], 0);
    for (class, rows) in rows_of
        .iter()
        .enumerate()
        .filter(|(_, rows)| !rows.is_empty())
    {
        if rows.len() < k {
            let class = names
                .get(class)
                .map_or_else(|| class.to_string(), |name| name.as_ref().to_owned());
            return Err(SplitError::SmallClass {
                class,
                rows: rows.len(),
                folds: k,
            });
        }
        // Each class continues where the last one ended, which keeps the parts of one size.
        for at in permutation(rows.len(), &mut stream(seed, &[class as u64])) {
            part[rows[at]] = next % k;
            next += 1;
        }
    }
    Ok(from_parts(&part, k))
}

/// As [`folds`], with all rows of a group in one part.
///
/// Large groups are placed first, each into the part that is smallest so far, so parts differ little
/// in size unless a group is larger than a part.
///
/// # Errors
///
/// If `k` is less than 2 or more than the number of groups.
pub fn grouped_folds(groups: &[u32], k: usize, seed: u64) -> Result<Vec<Fold>, SplitError> {
    check_folds(groups.len(), k)?;
    let groups = Groups::new(groups, seed);
    groups.check(k)?;
    let (mut part, mut sizes) = (vec![0; groups.group_of.len()], vec![0; k]);
    let mut part_of = vec![0; groups.order.len()];
    let mut by_size = groups.order.clone();
    by_size.sort_by_key(|&group| std::cmp::Reverse(groups.sizes[group]));
    for group in by_size {
        let smallest = (0..k).min_by_key(|&part| sizes[part]).unwrap_or(0);
        part_of[group] = smallest;
        sizes[smallest] += groups.sizes[group];
    }
    for (part, &group) in part.iter_mut().zip(&groups.group_of) {
        *part = part_of[group];
    }
    Ok(from_parts(&part, k))
}

/// Holds out whole groups, until about `fraction` of the rows are held out.
///
/// Groups are taken in a random order; one is left out where without it the share is nearer.
///
/// ```
/// let patients = [7, 7, 7, 9, 9, 4];
/// let (train, test) = tinderbox_datasets::grouped_indices(&patients, 0.4, 1)?;
/// assert!(train.iter().all(|&a| test.iter().all(|&b| patients[a] != patients[b])));
/// # Ok::<(), tinderbox_datasets::SplitError>(())
/// ```
///
/// # Errors
///
/// If `fraction` is not in `(0, 1)` or there are fewer than two groups.
pub fn grouped_indices(groups: &[u32], fraction: f64, seed: u64) -> Result<Fold, SplitError> {
    check_fraction(fraction)?;
    let groups = Groups::new(groups, seed);
    groups.check(2)?;
    let wanted = share(groups.group_of.len(), fraction).max(1);
    let (mut held, mut is_held) = (0, vec![false; groups.order.len()]);
    // The last group stays, so that something is left to train on.
    for &group in &groups.order[..groups.order.len() - 1] {
        let with = held + groups.sizes[group];
        if held == 0 || with.abs_diff(wanted) < held.abs_diff(wanted) {
            (held, is_held[group]) = (with, true);
        }
    }
    let (test, train) = (0..groups.group_of.len()).partition(|&row| is_held[groups.group_of[row]]);
    Ok((train, test))
}

/// Holds out the latest rows, about `fraction` of all, cut between two times.
///
/// Rows of one time stay on one side; of the two places to cut, the nearer to the share asked for is
/// taken. `times` may be in any unit.
///
/// ```
/// let days = [5.0, 1.0, 3.0, 2.0, 4.0];
/// let (past, future) = tinderbox_datasets::latest_indices(&days, 0.4)?;
/// assert_eq!((past, future), (vec![1, 2, 3], vec![0, 4]));
/// # Ok::<(), tinderbox_datasets::SplitError>(())
/// ```
///
/// # Errors
///
/// If `fraction` is not in `(0, 1)`, a time is NaN, or all rows are of one time.
pub fn latest_indices(times: &[f64], fraction: f64) -> Result<Fold, SplitError> {
    check_fraction(fraction)?;
    let order = by_time(times)?;
    let wanted = order.len() - share(order.len(), fraction).min(order.len());
    let cut = cut_near(times, &order, wanted).ok_or(SplitError::OneTime { parts: 2 })?;
    finish(order[..cut].to_vec(), order[cut..].to_vec(), fraction)
}

/// Cuts the rows into `k + 1` parts by time; each fold trains on all parts before its test part.
///
/// # Errors
///
/// If `k` is 0, a time is NaN, or too many rows are of one time.
pub fn rolling_folds(times: &[f64], k: usize) -> Result<Vec<Fold>, SplitError> {
    check_folds(times.len(), k + 1)?;
    let order = by_time(times)?;
    let cut = |part: usize| cut_near(times, &order, order.len() * part / (k + 1));
    let cuts: Option<Vec<usize>> = (1..=k).map(cut).collect();
    let cuts = cuts.filter(|cuts| cuts.windows(2).all(|pair| pair[0] < pair[1]));
    let mut cuts = cuts.ok_or(SplitError::OneTime { parts: k + 1 })?;
    cuts.push(order.len());
    let fold = |pair: &[usize]| {
        let (mut train, mut test) = (order[..pair[0]].to_vec(), order[pair[0]..pair[1]].to_vec());
        train.sort_unstable();
        test.sort_unstable();
        (train, test)
    };
    Ok(cuts.windows(2).map(fold).collect())
}

pub(super) fn check_folds(rows: usize, folds: usize) -> Result<(), SplitError> {
    if folds < 2 || folds > rows {
        return Err(SplitError::Folds { rows, folds });
    }
    Ok(())
}

pub(super) fn from_parts(part: &[usize], k: usize) -> Vec<Fold> {
    let fold = |fold| {
        let (test, train) = (0..part.len()).partition(|&row: &usize| part[row] == fold);
        (train, test)
    };
    (0..k).map(fold).collect()
}

/// Groups numbered by their first rows, with a random order of them.
struct Groups {
    group_of: Vec<usize>,
    sizes: Vec<usize>,
    order: Vec<usize>,
}

impl Groups {
    fn new(groups: &[u32], seed: u64) -> Self {
        let (mut number, mut sizes) = (HashMap::new(), Vec::new());
        let mut group_of = Vec::with_capacity(groups.len());
        for group in groups {
            let next = number.len();
            let at = *number.entry(group).or_insert(next);
            if at == sizes.len() {
                sizes.push(0);
            }
            sizes[at] += 1;
            group_of.push(at);
        }
        let order = permutation(sizes.len(), &mut stream(seed, &[]));
        Self {
            group_of,
            sizes,
            order,
        }
    }

    fn check(&self, parts: usize) -> Result<(), SplitError> {
        let groups = self.sizes.len();
        if groups < parts {
            return Err(SplitError::Groups { groups, parts });
        }
        Ok(())
    }
}

/// Rows by time, those of one time in their own order.
fn by_time(times: &[f64]) -> Result<Vec<usize>, SplitError> {
    if let Some(row) = times.iter().position(|time| time.is_nan()) {
        return Err(SplitError::NoTime { row });
    }
    let mut order: Vec<usize> = (0..times.len()).collect();
    order.sort_by(|&a, &b| times[a].total_cmp(&times[b]));
    Ok(order)
}

/// The place nearest to `wanted` where the time changes; the earlier of two.
fn cut_near(times: &[f64], order: &[usize], wanted: usize) -> Option<usize> {
    let changes = |&place: &usize| times[order[place - 1]] < times[order[place]];
    (1..order.len())
        .filter(changes)
        .min_by_key(|place| place.abs_diff(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_partition(folds: &[Fold], rows: usize) {
        let mut tested: Vec<usize> = folds.iter().flat_map(|(_, test)| test.clone()).collect();
        tested.sort_unstable();
        assert_eq!(tested, (0..rows).collect::<Vec<_>>());
        for (train, test) in folds {
            assert!(train.is_sorted() && test.is_sorted());
            let mut all = [train.as_slice(), test].concat();
            all.sort_unstable();
            assert_eq!(all, (0..rows).collect::<Vec<_>>());
        }
    }

    #[test]
    fn every_row_is_tested_once() {
        check_partition(&folds(103, 5, 1).unwrap(), 103);
        let labels: Vec<u16> = (0..103).map(|row| row % 3).collect();
        check_partition(&stratified_folds(&labels, &[""; 0], 4, 1).unwrap(), 103);
        let groups: Vec<u32> = (0..103).map(|row| row / 7).collect();
        check_partition(&grouped_folds(&groups, 4, 1).unwrap(), 103);
    }

    #[test]
    fn equal_seeds_give_equal_folds_and_others_do_not() {
        assert_eq!(folds(50, 5, 3), folds(50, 5, 3));
        assert_ne!(folds(50, 5, 3), folds(50, 5, 4));
        let groups: Vec<u32> = (0..50).map(|row| row / 2).collect();
        assert_ne!(grouped_folds(&groups, 5, 3), grouped_folds(&groups, 5, 4));
        assert_ne!(
            grouped_indices(&groups, 0.2, 3),
            grouped_indices(&groups, 0.2, 4)
        );
    }

    #[test]
    fn parts_have_the_classes_in_proportion_and_one_size() {
        let labels: Vec<u16> = (0..100)
            .map(|row| u16::from(row % 10 == 0) + 2 * u16::from(row % 7 == 3))
            .collect();
        for (_, test) in stratified_folds(&labels, &["a", "b", "c", "d"], 2, 9).unwrap() {
            assert_eq!(test.len(), 50);
            for class in [0, 1, 2] {
                let all = labels.iter().filter(|&&label| label == class).count();
                let here = test.iter().filter(|&&row| labels[row] == class).count();
                assert!(
                    here == all / 2 || here == all.div_ceil(2),
                    "class {class}: {here} of {all}"
                );
            }
        }
    }

    #[test]
    fn a_class_with_fewer_rows_than_folds_is_named() {
        let error = stratified_folds(&[0, 0, 0, 1, 1], &["good", "bad"], 3, 0).unwrap_err();
        assert!(
            matches!(&error, SplitError::SmallClass { class, rows: 2, folds: 3 } if class == "bad")
        );
        for (rows, k) in [(3, 4), (3, 1), (0, 2), (3, 0)] {
            assert_eq!(folds(rows, k, 0), Err(SplitError::Folds { rows, folds: k }));
        }
    }

    #[test]
    fn no_group_is_on_both_sides() {
        let groups: Vec<u32> = (0..200).map(|row| row * row % 23).collect();
        let mut splits = grouped_folds(&groups, 5, 2).unwrap();
        splits.push(grouped_indices(&groups, 0.25, 2).unwrap());
        for (train, test) in splits {
            assert!(!test.is_empty() && !train.is_empty());
            assert!(
                test.iter()
                    .all(|&a| train.iter().all(|&b| groups[a] != groups[b]))
            );
        }
        assert_eq!(
            grouped_folds(&[5, 5, 5], 2, 0),
            Err(SplitError::Groups {
                groups: 1,
                parts: 2
            })
        );
        assert_eq!(
            grouped_indices(&[5, 5], 0.5, 0),
            Err(SplitError::Groups {
                groups: 1,
                parts: 2
            })
        );
    }

    #[test]
    fn held_out_groups_come_near_the_share_asked_for() {
        let groups: Vec<u32> = (0..1000).map(|row| row / 10).collect();
        let (train, test) = grouped_indices(&groups, 0.2, 5).unwrap();
        assert_eq!((train.len(), test.len()), (800, 200));
    }

    #[test]
    fn the_future_is_tested_and_one_time_is_not_cut() {
        let times: Vec<f64> = (0..100).map(|row| f64::from(row * 37 % 100 / 10)).collect();
        let (past, future) = latest_indices(&times, 0.25).unwrap();
        let last = past.iter().map(|&row| times[row]).fold(0.0, f64::max);
        assert!(future.iter().all(|&row| times[row] > last));
        assert_eq!(future.len(), 30);
        assert_eq!(
            latest_indices(&[1.0, 1.0], 0.5),
            Err(SplitError::OneTime { parts: 2 })
        );
        assert_eq!(
            latest_indices(&[1.0, f64::NAN], 0.5),
            Err(SplitError::NoTime { row: 1 })
        );
    }

    #[test]
    fn each_rolling_fold_trains_on_all_that_came_before() {
        let times: Vec<f64> = (0..40).map(|row| f64::from(row * 7 % 40)).collect();
        let folds = rolling_folds(&times, 3).unwrap();
        assert_eq!(
            folds
                .iter()
                .map(|(train, test)| (train.len(), test.len()))
                .collect::<Vec<_>>(),
            [(10, 10), (20, 10), (30, 10)]
        );
        for (train, test) in folds {
            assert!(
                train
                    .iter()
                    .all(|&a| test.iter().all(|&b| times[a] < times[b]))
            );
        }
        assert_eq!(
            rolling_folds(&[1.0; 9], 2),
            Err(SplitError::OneTime { parts: 3 })
        );
    }
}
