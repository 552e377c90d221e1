//! How well one column tells another: the measures behind the search for leaks.

/// Bins that numbers are cut into before they are counted against classes.
const BINS: usize = 32;

/// The area under the ROC curve of `values` as a score for `positive`, ties counting half; `None`
/// with fewer than five rows of either class. Rows without a value do not count.
pub(crate) fn auroc(
    order: &[u32],
    values: &[f64],
    positive: impl Fn(u32) -> Option<bool>,
) -> Option<f64> {
    let (mut seen_negative, mut pairs, mut counts) = (0.0, 0.0, [0.0_f64; 2]);
    for tie in ties(order, values) {
        let mut inside = [0.0; 2];
        for class in tie.iter().filter_map(|&row| positive(row)) {
            inside[usize::from(class)] += 1.0;
        }
        pairs += inside[1] * (seen_negative + inside[0] / 2.0);
        seen_negative += inside[0];
        counts = [counts[0] + inside[0], counts[1] + inside[1]];
    }
    (counts[0] >= 5.0 && counts[1] >= 5.0).then(|| pairs / (counts[0] * counts[1]))
}

/// Runs of rows of equal value, in ascending order of value.
fn ties<'a>(order: &'a [u32], values: &'a [f64]) -> impl Iterator<Item = &'a [u32]> {
    order.chunk_by(|&a, &b| values[a as usize] == values[b as usize])
}

/// Ranks from 1 of the rows in `order`, ties sharing their mean; NaN for all other rows.
pub(crate) fn ranks(order: &[u32], values: &[f64]) -> Vec<f64> {
    let mut ranks = vec![f64::NAN; values.len()];
    let mut before = 0;
    for tie in ties(order, values) {
        let mean = before as f64 + f64::midpoint(tie.len() as f64, 1.0);
        for &row in tie {
            ranks[row as usize] = mean;
        }
        before += tie.len();
    }
    ranks
}

/// A bin for each row, with about equally many rows in each and no tie cut; `None` without a value.
pub(crate) fn bins(order: &[u32], values: &[f64]) -> Vec<Option<u32>> {
    let mut bins = vec![None; values.len()];
    let mut before = 0;
    for tie in ties(order, values) {
        let bin = (before * BINS / order.len()) as u32;
        for &row in tie {
            bins[row as usize] = Some(bin);
        }
        before += tie.len();
    }
    bins
}

/// Pearson's correlation over the rows that have both; 0 if either does not vary.
pub(crate) fn correlation(pairs: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
    let present = pairs.filter(|(a, b)| !a.is_nan() && !b.is_nan());
    let (mut n, mut sums) = (0.0, [0.0; 2]);
    for (a, b) in present.clone() {
        n += 1.0;
        sums = [sums[0] + a, sums[1] + b];
    }
    let (mean_a, mean_b) = (sums[0] / n, sums[1] / n);
    let (mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0);
    for (a, b) in present {
        aa += (a - mean_a).powi(2);
        bb += (b - mean_b).powi(2);
        ab += (a - mean_a) * (b - mean_b);
    }
    if aa > 0.0 && bb > 0.0 {
        ab / (aa * bb).sqrt()
    } else {
        0.0
    }
}

/// Cramér's V of two columns of codes, corrected for its bias: Bergsma, *A bias-correction for
/// Cramér's V and Tschuprow's T*, 2013, <https://doi.org/10.1016/j.jkss.2012.10.002>. Rows without
/// either do not count; 0 if either does not vary.
pub(crate) fn cramers_v(pairs: impl Iterator<Item = (Option<u32>, Option<u32>)>) -> f64 {
    let mut pairs: Vec<(u32, u32)> = pairs.filter_map(|(a, b)| Some((a?, b?))).collect();
    let n = pairs.len() as f64;
    let (rows, columns) = (
        counts(pairs.iter().map(|pair| pair.0)),
        counts(pairs.iter().map(|pair| pair.1)),
    );
    pairs.sort_unstable();
    // Sum over the cells of observed² / (row total * column total), less 1, is chi² / n.
    let cells = pairs.chunk_by(|a, b| a == b);
    let sum: f64 = cells
        .map(|cell| {
            let total = rows[cell[0].0 as usize] * columns[cell[0].1 as usize];
            (cell.len() as f64).powi(2) / total
        })
        .sum();
    let used = |counts: &[f64]| counts.iter().filter(|&&count| count > 0.0).count() as f64;
    let (r, k) = (used(&rows), used(&columns));
    if r < 2.0 || k < 2.0 || n < 2.0 {
        return 0.0;
    }
    let phi = (sum - 1.0 - (r - 1.0) * (k - 1.0) / (n - 1.0)).max(0.0);
    let shrunk = |levels: f64| levels - (levels - 1.0).powi(2) / (n - 1.0);
    let scale = shrunk(r).min(shrunk(k)) - 1.0;
    if scale > 0.0 {
        (phi / scale).sqrt().min(1.0)
    } else {
        0.0
    }
}

fn counts(codes: impl Iterator<Item = u32>) -> Vec<f64> {
    let mut counts = Vec::new();
    for code in codes {
        let code = code as usize;
        if code >= counts.len() {
            counts.resize(code + 1, 0.0);
        }
        counts[code] += 1.0;
    }
    counts
}

/// The share of the variance of `target` between the groups, adjusted for their number; 0 if the
/// target does not vary.
pub(crate) fn explained(groups: impl Iterator<Item = Option<u32>>, target: &[f64]) -> f64 {
    let (mut sums, mut sizes): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
    let (mut n, mut total, mut squares) = (0.0, 0.0, 0.0);
    // Values around one of them lose fewer digits when they are squared.
    let origin = target.iter().copied().find(|y| !y.is_nan()).unwrap_or(0.0);
    for (group, y) in groups.zip(target).filter(|(_, y)| !y.is_nan()) {
        let Some(group) = group.map(|group| group as usize) else {
            continue;
        };
        if group >= sums.len() {
            sums.resize(group + 1, 0.0);
            sizes.resize(group + 1, 0.0);
        }
        let y = y - origin;
        sums[group] += y;
        sizes[group] += 1.0;
        n += 1.0;
        total += y;
        squares += y * y;
    }
    let means = total * total / n;
    let between: f64 = sums
        .iter()
        .zip(&sizes)
        .filter(|(_, size)| **size > 0.0)
        .map(|(sum, size)| sum * sum / size)
        .sum();
    let groups = sizes.iter().filter(|&&size| size > 0.0).count() as f64;
    if n <= groups || squares - means <= 0.0 {
        return 0.0;
    }
    let within = (squares - between) / (squares - means);
    (1.0 - within * (n - 1.0) / (n - groups)).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(values: &[f64]) -> Vec<u32> {
        let mut order: Vec<u32> = (0..values.len() as u32)
            .filter(|&row| !values[row as usize].is_nan())
            .collect();
        order.sort_by(|&a, &b| values[a as usize].total_cmp(&values[b as usize]));
        order
    }

    #[test]
    fn auroc_counts_pairs_and_half_of_the_ties() {
        let values = [1.0, 2.0, 2.0, 3.0, 4.0, 1.0, 2.0, 5.0, 6.0, 7.0, f64::NAN];
        let positive = [
            false, false, true, false, true, false, false, true, true, true, true,
        ];
        let area = auroc(&order(&values), &values, |row| Some(positive[row as usize])).unwrap();
        // scikit-learn's roc_auc_score of the ten rows: 23 of 25 pairs.
        assert!((area - 23.0 / 25.0).abs() < 1e-12, "{area}");
        assert_eq!(
            auroc(&order(&values[..4]), &values, |row| Some(
                positive[row as usize]
            )),
            None
        );
    }

    #[test]
    fn ties_share_their_rank() {
        let values = [3.0, 1.0, 3.0, f64::NAN];
        let ranks = ranks(&order(&values), &values);
        assert_eq!(ranks[..3], [2.5, 1.0, 2.5]);
        assert!(ranks[3].is_nan());
    }

    #[test]
    fn correlation_is_one_on_a_line_and_zero_on_a_constant() {
        let line = (0..10).map(|x| (f64::from(x), 3.0 - 2.0 * f64::from(x)));
        assert!((correlation(line) + 1.0).abs() < 1e-12);
        assert_eq!(correlation((0..10).map(|x| (f64::from(x), 1.0))), 0.0);
    }

    #[test]
    fn v_is_one_for_a_renaming_and_zero_for_noise() {
        let same = (0..200).map(|row| (Some(row % 4), Some((row + 1) % 4)));
        assert!((cramers_v(same) - 1.0).abs() < 1e-9);
        let apart = (0..200).map(|row| (Some(row % 4), Some(row / 4 % 5)));
        assert!(cramers_v(apart) < 1e-9);
        // Distinct codes explain anything, but mean nothing.
        let distinct = (0..200).map(|row| (Some(row), Some(row % 2)));
        assert!(cramers_v(distinct) < 0.1);
    }

    #[test]
    fn v_agrees_with_the_formula_of_its_paper() {
        // A table of 30, 10 / 10, 50; chi² / n = 0.339506 (scipy, without correction), n = 100.
        let cells = [(0, 0, 30), (0, 1, 10), (1, 0, 10), (1, 1, 50)];
        let pairs = cells
            .into_iter()
            .flat_map(|(a, b, n)| vec![(Some(a), Some(b)); n]);
        let phi: f64 = 0.340_277_777_777 - 1.0 / 99.0;
        let shrunk = 2.0 - 1.0 / 99.0 - 1.0;
        assert!((cramers_v(pairs) - (phi / shrunk).sqrt()).abs() < 1e-6);
    }

    #[test]
    fn groups_explain_what_is_equal_within_them() {
        let target: Vec<f64> = (0..100).map(|row| f64::from(row % 5)).collect();
        assert!((explained((0..100).map(|row| Some(row % 5)), &target) - 1.0).abs() < 1e-9);
        assert!(explained((0..100).map(|row| Some(row / 20)), &target) < 1e-9);
        assert!(explained((0..100).map(Some), &target) < 1e-9);
    }
}
