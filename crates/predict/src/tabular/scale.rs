//! Numbers on one scale.

use serde::{Deserialize, Serialize};

/// Largest number of quantiles kept of a column.
const MAX_QUANTILES: usize = 1_000;

/// Training rows behind each of them.
const ROWS_PER_QUANTILE: usize = 30;

/// Distance of the outermost numbers from the ends of the distribution, as a share.
const MARGIN: f64 = 1e-7;

/// Scales the numbers of a column for a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Scale {
    /// Mean 0 and standard deviation 1.
    Standard {
        /// Mean of the column.
        mean: f64,
        /// Standard deviation of the column.
        deviation: f64,
    },
    /// To the normal distribution, through the distribution of the column.
    Quantile {
        /// The column's quantiles, from the lowest number to the highest.
        quantiles: Vec<f64>,
    },
}

impl Scale {
    /// Fits mean and standard deviation.
    pub fn standard(numbers: &[f64]) -> Self {
        let count = numbers.len().max(1) as f64;
        let mean = numbers.iter().sum::<f64>() / count;
        let variance = numbers.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
        // A constant stays a constant.
        let deviation = if variance > 0.0 { variance.sqrt() } else { 1.0 };
        Self::Standard { mean, deviation }
    }

    /// Fits the quantiles of numbers in ascending order.
    pub fn quantile(sorted: &[f64]) -> Self {
        let count = (sorted.len() / ROWS_PER_QUANTILE).clamp(10, MAX_QUANTILES);
        let at = |index: usize| {
            let position = index as f64 / (count - 1) as f64 * (sorted.len() - 1) as f64;
            let (low, share) = (position.floor() as usize, position.fract());
            let next = sorted[(low + 1).min(sorted.len() - 1)];
            sorted[low] + (next - sorted[low]) * share
        };
        let quantiles = if sorted.is_empty() {
            vec![0.0, 0.0]
        } else {
            (0..count).map(at).collect()
        };
        Self::Quantile { quantiles }
    }

    /// Whether JSON can hold every number.
    pub fn is_finite(&self) -> bool {
        match self {
            Self::Standard { mean, deviation } => mean.is_finite() && deviation.is_finite(),
            Self::Quantile { quantiles } => quantiles.iter().all(|value| value.is_finite()),
        }
    }

    /// A number on the scale.
    pub fn apply(&self, number: f64) -> f32 {
        match self {
            Self::Standard { mean, deviation } => {
                // Beyond this a network sees nothing but this column.
                ((number - mean) / deviation).clamp(-1e6, 1e6) as f32
            }
            Self::Quantile { quantiles } => {
                let share = share_below(quantiles, number);
                normal_quantile(share.clamp(MARGIN, 1.0 - MARGIN)) as f32
            }
        }
    }
}

/// The share of a column below a number; half of its equals count as below.
fn share_below(quantiles: &[f64], number: f64) -> f64 {
    let last = quantiles.len() - 1;
    let first_above = quantiles.partition_point(|&quantile| quantile <= number);
    let first_equal = quantiles.partition_point(|&quantile| quantile < number);
    let steps = if first_above > first_equal {
        (first_equal + first_above - 1) as f64 / 2.0
    } else if first_above == 0 {
        0.0
    } else if first_above > last {
        last as f64
    } else {
        let (low, high) = (quantiles[first_above - 1], quantiles[first_above]);
        (first_above - 1) as f64 + (number - low) / (high - low)
    };
    steps / last as f64
}

/// The number below which a share of the normal distribution lies.
///
/// Reference: Wichura, *Algorithm AS 241: the percentage points of the normal distribution*, 1988,
/// <https://doi.org/10.2307/2347330>; its single-precision variant, right to seven digits.
fn normal_quantile(share: f64) -> f64 {
    let center = share - 0.5;
    if center.abs() <= 0.425 {
        let r = 0.180_625 - center * center;
        let over =
            ((59.109_374_72 * r + 159.291_132_02) * r + 50.434_271_938) * r + 3.387_132_717_9;
        let under = ((67.187_563_6 * r + 78.757_757_664) * r + 17.895_169_469) * r + 1.0;
        return center * over / under;
    }
    let tail = if center < 0.0 { share } else { 1.0 - share };
    let r = (-tail.ln()).sqrt();
    let size = if r <= 5.0 {
        let r = r - 1.6;
        let over =
            ((0.170_238_211_03 * r + 1.306_728_481_6) * r + 2.756_815_39) * r + 1.423_437_277_7;
        let under = (0.120_211_329_75 * r + 0.737_001_642_5) * r + 1.0;
        over / under
    } else {
        let r = r - 5.0;
        let over =
            ((0.017_337_203_997 * r + 0.428_682_943_37) * r + 3.081_226_386) * r + 6.657_905_115;
        let under = (0.012_258_202_635 * r + 0.241_978_942_25) * r + 1.0;
        over / under
    };
    size.copysign(center)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_quantiles_are_those_of_the_tables() {
        for (share, expected) in [
            (0.5, 0.0),
            (0.841_344_746, 1.0),
            (0.025, -1.959_963_985),
            (0.999, 3.090_232_306),
            (1e-7, -5.199_337_582),
            (1e-12, -7.034_483_825),
        ] {
            let found = normal_quantile(share);
            assert!(
                (found - expected).abs() < 2e-6,
                "{share}: {found} is not {expected}"
            );
        }
    }

    #[test]
    fn ranks_become_normal_and_outliers_stay_near() {
        let mut numbers: Vec<f64> = (0..3_000).map(|i| (f64::from(i) / 100.0).exp()).collect();
        numbers[2_999] = 1e300;
        let scale = Scale::quantile(&numbers);
        let middle = scale.apply(15.0_f64.exp());
        assert!(middle.abs() < 0.01, "{middle}");
        assert!(scale.apply(1e305) < 5.3 && scale.apply(-4.0) > -5.3);
        let order: Vec<f32> = numbers.iter().map(|&number| scale.apply(number)).collect();
        assert!(order.is_sorted());
    }

    #[test]
    fn equals_lie_in_the_middle_of_their_place() {
        let numbers: Vec<f64> = [vec![0.0; 60], vec![1.0; 40]].concat();
        let scale = Scale::quantile(&numbers);
        // Between the shares 0 and 0.6, and 0.6 and 1.
        assert!((scale.apply(0.0) + 0.6).abs() < 0.2, "{}", scale.apply(0.0));
        assert!((scale.apply(1.0) - 0.8).abs() < 0.3, "{}", scale.apply(1.0));
        assert!((Scale::quantile(&[2.0]).apply(2.0)).abs() < 1e-6);
        assert!(Scale::quantile(&[]).apply(2.0).is_finite());
    }

    #[test]
    fn a_constant_is_no_division_by_zero() {
        let scale = Scale::standard(&[7.0; 5]);
        assert_eq!(scale.apply(7.0).to_bits(), 0.0_f32.to_bits());
        assert!(scale.apply(1e300).is_finite());
    }
}
