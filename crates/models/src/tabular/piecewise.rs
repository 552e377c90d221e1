use burn::module::{Module, Param, RunningState};
use burn::nn::Initializer;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};
use thiserror::Error;

use super::numeric::PerColumn;
use crate::layers::init::fan_in_uniform;

/// Why bins of numeric columns are rejected.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BinsError {
    /// The embedding has no bins.
    #[error("the numeric embedding of the network has no bins")]
    Unused,
    /// The number of columns differs.
    #[error("bins for {columns} numeric columns, expected {expected}")]
    Columns {
        /// Number of columns with bins.
        columns: usize,
        /// Number of numeric columns of the network.
        expected: usize,
    },
    /// A column has too few or too many edges.
    #[error("numeric column {column} has {edges} bin edges, expected 2 to {max}")]
    Count {
        /// Index of the column.
        column: usize,
        /// Its number of edges.
        edges: usize,
        /// Maximum number for this network.
        max: usize,
    },
    /// The edges are not finite and increasing.
    #[error("the bin edges of numeric column {column} must be finite and increasing")]
    Order {
        /// Index of the column.
        column: usize,
    },
}

/// Computes the edges of quantile bins in increasing order: at most `n_bins + 1`, fewer with repeated
/// values (Gorishniy et al., 2022, section 3.2.1).
///
/// Ignores values that are not finite. A constant column gets one bin that starts at its value, an
/// empty column the bin from 0 to 1.
///
/// ```
/// use tinderbox_models::tabular::quantile_bins;
///
/// assert_eq!(quantile_bins(&[4.0, 1.0, 2.0, 3.0, 5.0], 2), [1.0, 3.0, 5.0]);
/// ```
pub fn quantile_bins(values: &[f32], n_bins: usize) -> Vec<f32> {
    let mut sorted: Vec<f32> = values.iter().copied().filter(|x| x.is_finite()).collect();
    sorted.sort_unstable_by(f32::total_cmp);
    let mut edges: Vec<f32> = (0..=n_bins)
        .filter_map(|edge| quantile(&sorted, edge, n_bins))
        .collect();
    edges.dedup();
    match edges[..] {
        [] => vec![0.0, 1.0],
        [only] => vec![only, only + only.abs().max(1.0)],
        _ => edges,
    }
}

/// The quantile `part / parts`, linearly interpolated.
fn quantile(sorted: &[f32], part: usize, parts: usize) -> Option<f32> {
    let last = sorted.len().checked_sub(1)?;
    let position = last as f64 * part as f64 / parts.max(1) as f64;
    let below = position.floor();
    let (left, right) = (
        f64::from(sorted[below as usize]),
        f64::from(sorted[(below as usize + 1).min(last)]),
    );
    Some((left + (right - left) * (position - below)) as f32)
}

/// Bins of every numeric column, and the piecewise-linear encoding.
///
/// They are statistics: stored with the weights, but without a gradient. The first bin of a column
/// comes first and its last bin last, so that these two, which are open outwards, have the same
/// position in every column; unused bins are between them and have slope 0.
#[derive(Module, Debug)]
pub(super) struct Bins {
    /// Left edge of each bin, `[n_numeric, n_bins]`.
    left: RunningState<Tensor<2>>,
    /// One over the width of each bin, `[n_numeric, n_bins]`.
    slope: RunningState<Tensor<2>>,
}

impl Bins {
    /// Bins of equal width from -3 to 3, until [`set`](Self::set) replaces them.
    pub(super) fn init(n: usize, n_bins: usize, device: &Device) -> Self {
        let edge = |index: usize| 6.0 * index as f32 / n_bins as f32 - 3.0;
        let edges: Vec<f32> = (0..=n_bins).map(edge).collect();
        Self::from_edges(&vec![edges; n], n_bins, device)
    }

    fn from_edges(columns: &[Vec<f32>], n_bins: usize, device: &Device) -> Self {
        let (mut left, mut slope) = (Vec::new(), Vec::new());
        for edges in columns {
            let (last, rest) = (edges.len() - 2, n_bins + 1 - edges.len());
            let position = |bin: usize| if bin == last { bin + rest } else { bin };
            let (start, end) = (left.len(), left.len() + n_bins);
            left.resize(end, 0.0);
            slope.resize(end, 0.0);
            for (bin, edge) in edges.windows(2).enumerate() {
                left[start + position(bin)] = edge[0];
                slope[start + position(bin)] = (edge[1] - edge[0]).recip();
            }
        }
        let tensor = |values: Vec<f32>| {
            let data = TensorData::new(values, [columns.len(), n_bins]);
            RunningState::new(Tensor::from_data(data, device))
        };
        Self {
            left: tensor(left),
            slope: tensor(slope),
        }
    }

    /// Sets the bin edges of every column.
    pub(super) fn set(&mut self, columns: &[Vec<f32>]) -> Result<(), BinsError> {
        let left = self.left.value();
        let [expected, n_bins] = left.dims();
        if columns.len() != expected {
            let columns = columns.len();
            return Err(BinsError::Columns { columns, expected });
        }
        for (column, edges) in columns.iter().enumerate() {
            check_edges(column, edges, n_bins + 1)?;
        }
        *self = Self::from_edges(columns, n_bins, &left.device());
        Ok(())
    }

    /// Equation 1 of the paper. Neither values nor bins need a gradient, and without autodiff this takes
    /// a third of the time.
    ///
    /// - input: `[n_numeric, batch, 1]`
    /// - output: `[n_numeric, batch, n_bins]`, from 0 to 1, except in the outer bins beyond the edges
    pub(super) fn encode(&self, x: Tensor<3>) -> Tensor<3> {
        let is_autodiff = x.device().is_autodiff();
        let plain = |x: Tensor<3>| if is_autodiff { x.inner() } else { x };
        let [left, slope] = [&self.left, &self.slope].map(|part| part.value().unsqueeze_dim(1));
        let encoded = encode(plain(x), plain(left), plain(slope));
        if is_autodiff {
            Tensor::from_inner(encoded)
        } else {
            encoded
        }
    }
}

/// - x: `[n_numeric, batch, 1]`
/// - left, slope: `[n_numeric, 1, n_bins]`
fn encode(x: Tensor<3>, left: Tensor<3>, slope: Tensor<3>) -> Tensor<3> {
    let [n, _, n_bins] = left.dims();
    let [_, batch, _] = x.dims();
    let through = |bin: usize| {
        let bin = [0..n, 0..1, bin..bin + 1];
        (x.clone() - left.clone().slice(bin.clone())) * slope.clone().slice(bin)
    };
    if n_bins == 1 {
        return through(0);
    }
    // A column with one bin does not use the first position; its bin is open at both ends.
    let alone = slope.clone().slice([0..n, 0..1, 0..1]).equal_elem(0.0);
    let last = through(n_bins - 1);
    let last = last
        .clone()
        .clamp_min(0.0)
        .mask_where(alone.expand([n, batch, 1]), last);
    let first = through(0).clamp_max(1.0);
    ((x - left) * slope)
        .clamp(0.0, 1.0)
        .slice_assign([0..n, 0..batch, 0..1], first)
        .slice_assign([0..n, 0..batch, n_bins - 1..n_bins], last)
}

fn check_edges(column: usize, edges: &[f32], max: usize) -> Result<(), BinsError> {
    if !(2..=max).contains(&edges.len()) {
        let edges = edges.len();
        return Err(BinsError::Count { column, edges, max });
    }
    // A width can be too small for a slope, or too large.
    let fits = |pair: &[f32]| pair[0] < pair[1] && (pair[1] - pair[0]).recip().is_normal();
    if edges.iter().all(|edge| edge.is_finite()) && edges.windows(2).all(fits) {
        return Ok(());
    }
    Err(BinsError::Order { column })
}

/// A linear layer per column on the encoding, plus one on the value itself.
#[derive(Module, Debug)]
pub(super) struct PiecewiseLinear {
    linear: PerColumn,
    bins: Bins,
    /// `[n_numeric, n_bins, d_embedding]`
    weight: Param<Tensor<3>>,
    #[module(skip)]
    rectify: bool,
}

impl PiecewiseLinear {
    pub(super) fn init(n: usize, n_bins: usize, d: usize, rectify: bool, device: &Device) -> Self {
        // Zeros would stay zero before `ReLU`, which has no gradient there.
        let begin = if rectify {
            fan_in_uniform(n_bins)
        } else {
            Initializer::Zeros
        };
        Self {
            linear: PerColumn::init(n, d, device),
            bins: Bins::init(n, n_bins, device),
            weight: begin.init([n, n_bins, d], device),
            rectify,
        }
    }

    pub(super) fn bins_mut(&mut self) -> &mut Bins {
        &mut self.bins
    }

    /// - input: `[n_numeric, batch, 1]`
    /// - output: `[n_numeric, batch, d_embedding]`
    pub(super) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let encoded = self.bins.encode(x.clone()).matmul(self.weight.val());
        let encoded = if self.rectify { relu(encoded) } else { encoded };
        encoded + self.linear.forward(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, normal, values};

    /// The encoding of one number, by the cases of the paper's equation 1.
    fn by_definition(x: f32, edges: &[f32]) -> Vec<f32> {
        let last = edges.len() - 2;
        let bin = |t: usize| {
            let (left, right) = (edges[t], edges[t + 1]);
            if x < left && t > 0 {
                0.0
            } else if x >= right && t < last {
                1.0
            } else {
                (x - left) / (right - left)
            }
        };
        (0..=last).map(bin).collect()
    }

    #[test]
    fn the_encoding_agrees_with_the_definition() {
        let device = Device::flex();
        let columns = [
            vec![-1.0, 0.0, 0.5, 2.0],
            vec![0.0, 4.0],
            vec![-2.0, 1.0, 1.5],
        ];
        let mut bins = Bins::init(3, 3, &device);
        bins.set(&columns).unwrap();
        let inputs = [-3.0_f32, -1.0, -0.25, 0.5, 1.25, 2.0, 7.0];
        let x = Tensor::<1>::from_floats(inputs, &device).reshape([1, 7, 1]);
        let encoded = values(bins.encode(x.expand([3, 7, 1])));
        for (edges, encoded) in columns.iter().zip(encoded.chunks(7 * 3)) {
            for (&x, encoded) in inputs.iter().zip(encoded.chunks(3)) {
                let mut expected = by_definition(x, edges);
                // The last bin comes last, with zeros before it.
                let last = expected.pop().unwrap();
                expected.resize(2, 0.0);
                expected.push(last);
                let encoded = Tensor::<1>::from_floats(encoded, &device);
                assert_close(encoded, &expected);
            }
        }
    }

    #[test]
    fn a_single_bin_is_linear_everywhere() {
        let device = Device::flex();
        let mut bins = Bins::init(1, 1, &device);
        bins.set(&[vec![1.0, 3.0]]).unwrap();
        let x = Tensor::<3>::from_floats([[[-1.0], [2.0], [5.0]]], &device);
        assert_close(bins.encode(x), &[-1.0, 0.5, 2.0]);
    }

    #[test]
    fn the_linear_layer_reads_the_value_and_its_encoding() {
        let device = Device::flex();
        let mut layer = PiecewiseLinear::init(2, 4, 3, false, &device);
        let x = normal([2, 6, 1], &device);
        // Initially it is a linear embedding.
        assert_close(
            layer.forward(x.clone()),
            &values(layer.linear.forward(x.clone())),
        );
        layer.weight = Param::from_tensor(normal([2, 4, 3], &device));
        let encoded = layer.bins.encode(x.clone()).matmul(layer.weight.val());
        let linear = values(layer.linear.forward(x.clone()));
        let sums = |encoded: Vec<f32>| -> Vec<f32> {
            encoded.iter().zip(&linear).map(|(e, l)| e + l).collect()
        };
        assert_close(layer.forward(x.clone()), &sums(values(encoded.clone())));
        layer.rectify = true;
        assert_close(layer.forward(x), &sums(values(relu(encoded))));
    }

    #[test]
    fn quantiles_are_interpolated_and_edges_are_unique() {
        let column: Vec<f32> = (0..=10).map(|i| i as f32).collect();
        assert_eq!(quantile_bins(&column, 4), [0.0, 2.5, 5.0, 7.5, 10.0]);
        let often = [0.0, 0.0, 0.0, 0.0, 1.0, 2.0];
        assert_eq!(quantile_bins(&often, 4), [0.0, 0.75, 2.0]);
        assert_eq!(quantile_bins(&[f32::NAN, 3.0, 3.0], 8), [3.0, 6.0]);
        assert_eq!(quantile_bins(&[], 8), [0.0, 1.0]);
    }

    #[test]
    fn bins_that_do_not_match_are_rejected() {
        let mut bins = Bins::init(2, 2, &Device::flex());
        let good = vec![0.0, 1.0];
        let refused = |bins: &mut Bins, columns: &[Vec<f32>]| bins.set(columns).unwrap_err();
        let error = refused(&mut bins, std::slice::from_ref(&good));
        assert_eq!(error.to_string(), "bins for 1 numeric columns, expected 2");
        let error = refused(&mut bins, &[good.clone(), vec![0.0; 4]]);
        assert_eq!(
            error.to_string(),
            "numeric column 1 has 4 bin edges, expected 2 to 3"
        );
        for wrong in [
            vec![],
            vec![1.0],
            vec![1.0, 1.0],
            vec![1.0, 0.0],
            vec![0.0, f32::NAN],
            vec![0.0, f32::INFINITY],
            vec![f32::MIN, f32::MAX],
            vec![0.0, 1e-42],
        ] {
            let error = refused(&mut bins, &[good.clone(), wrong.clone()]);
            assert!(!matches!(error, BinsError::Columns { .. }), "{wrong:?}");
        }
        assert_eq!(bins.set(&[good.clone(), good]), Ok(()));
    }

    #[test]
    fn training_does_not_change_the_bins() {
        let device = Device::flex();
        let layer = PiecewiseLinear::init(1, 2, 3, false, &device).train();
        let x = normal([1, 4, 1], &device.clone().autodiff());
        let gradients = layer.forward(x).sum().backward();
        assert!(layer.weight.val().grad(&gradients).is_some());
        for bins in [&layer.bins.left, &layer.bins.slope] {
            assert!(!bins.value().is_require_grad());
            assert!(bins.value().grad(&gradients).is_none());
        }
    }
}
