//! How sure a metric is: over seeds or folds, and over the rows it was measured on.

use tinderbox_datasets::random::{below, stream};

use crate::Metrics;

/// Mean and standard deviation of a metric over seeds or folds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// The sample's standard deviation (with `n - 1`), and 0 for a single value.
    pub deviation: f64,
}

impl Spread {
    /// Measures `values`; `None` if there are none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mean = super::mean(values.iter().copied())?;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let freedom = (values.len() - 1).max(1) as f64;
        Some(Self {
            mean,
            deviation: (squares / freedom).sqrt(),
        })
    }
}

impl std::fmt::Display for Spread {
    /// As in `0.8480 ± 0.0021`; another number of digits is asked for by precision, `{:.2}`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = f.precision().unwrap_or(4);
        write!(f, "{:.digits$} ± {:.digits$}", self.mean, self.deviation)
    }
}

/// The interval that holds a metric in 95 of 100 of `rounds` test sets, each drawn from the one at
/// hand with replacement (Efron, *Bootstrap methods: another look at the jackknife*, 1979,
/// <https://doi.org/10.1214/aos/1176344552>).
///
/// `metric` is given the numbers of the rows drawn; draws it is undefined on do not count. `None`
/// if there are no rows or it never is defined.
///
/// ```
/// use tinderbox_train::metrics::bootstrap;
///
/// let errors = [0.1, 0.2, 0.3, 0.4, 0.2, 0.3];
/// let mean = |rows: &[usize]| Some(rows.iter().map(|&row| errors[row]).sum::<f64>() / 6.0);
/// let [low, high] = bootstrap(errors.len(), 1000, 42, mean).unwrap();
/// assert!(low < 0.25 && 0.25 < high);
/// ```
pub fn bootstrap(
    rows: usize,
    rounds: usize,
    seed: u64,
    mut metric: impl FnMut(&[usize]) -> Option<f64>,
) -> Option<[f64; 2]> {
    if rows == 0 {
        return None;
    }
    let mut draw = |round: usize| {
        let mut random = stream(seed, &[round as u64]);
        let drawn: Vec<usize> = (0..rows).map(|_| below(&mut random, rows)).collect();
        metric(&drawn)
    };
    let mut values: Vec<f64> = (0..rounds).filter_map(&mut draw).collect();
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let at = |share: f64| values[(share * last as f64).round() as usize];
    Some([at(0.025), at(0.975)])
}

/// Mean and deviation of each metric over folds.
pub fn spread(folds: &[Metrics]) -> Vec<(String, Spread)> {
    let names = folds.first().map(Metrics::keys).into_iter().flatten();
    let of = |name: &String| {
        let values: Vec<f64> = folds
            .iter()
            .filter_map(|metrics| metrics.get(name).copied())
            .collect();
        Some((name.clone(), Spread::of(&values)?))
    };
    names.filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_is_that_of_a_sample() {
        let spread = Spread::of(&[0.8, 0.9, 1.0]).unwrap();
        assert!((spread.mean - 0.9).abs() < 1e-12 && (spread.deviation - 0.1).abs() < 1e-12);
        assert_eq!(spread.to_string(), "0.9000 ± 0.1000");
        assert_eq!(format!("{spread:.2}"), "0.90 ± 0.10");
        assert!(Spread::of(&[0.5]).unwrap().deviation.abs() < 1e-12);
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn the_bootstrap_finds_the_error_of_a_mean() {
        let values: Vec<f64> = (0..400).map(|at| f64::from(at % 2)).collect();
        let mean = |rows: &[usize]| {
            Some(rows.iter().map(|&row| values[row]).sum::<f64>() / rows.len() as f64)
        };
        let [low, high] = bootstrap(400, 2000, 1, mean).unwrap();
        // Standard error 0.025.
        assert!((low - 0.451).abs() < 0.005 && (high - 0.549).abs() < 0.005);
        assert_eq!(bootstrap(400, 2000, 1, mean), Some([low, high]));
    }

    #[test]
    fn what_is_never_defined_has_no_interval() {
        assert_eq!(bootstrap(10, 100, 1, |_| None), None);
        assert_eq!(bootstrap(0, 100, 1, |_| Some(1.0)), None);
    }
}
