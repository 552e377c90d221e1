use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::periodic::Periodic;
use super::piecewise::{Bins, BinsError, PiecewiseLinear};
use crate::config::{ConfigError, check_positive, check_range, check_size};
use crate::layers::init::fan_in_uniform;

/// Maximum number of bins of a numeric column.
const MAX_BINS: usize = 4096;

/// Embedding of numeric columns, such as
/// `{ kind = "piecewise-linear", n_bins = 48, rectify = false }`.
///
/// Reference: Gorishniy, Rubachev and Babenko, *On embeddings for numerical features in tabular deep
/// learning*, 2022, <https://arxiv.org/abs/2203.05556>.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum NumericEmbedding {
    /// The plain value.
    None,
    /// A linear layer per column ("L"); the tokens of the FT-Transformer.
    Linear,
    /// A linear layer per column and `ReLU` ("LR").
    LinearRelu,
    /// Piecewise-linear encoding ("Q"), without parameters.
    Encoding {
        /// Maximum number of bins of a column.
        n_bins: usize,
    },
    /// A linear layer per column on the piecewise-linear encoding, plus that of `linear` ("Q-L", or
    /// "Q-LR" with `ReLU`). Without `ReLU` its weights are initially zero, as in version "B" of the
    /// authors' package.
    PiecewiseLinear {
        /// Maximum number of bins of a column.
        n_bins: usize,
        /// Whether the encoded part is followed by `ReLU`.
        rectify: bool,
    },
    /// Sines and cosines of learned frequencies, a linear layer and `ReLU` ("PLR").
    Periodic {
        /// Number of frequencies of a column.
        n_frequencies: usize,
        /// Initial standard deviation of the frequencies, in periods per unit of the column;
        /// typically tuned between 0.01 and 10.
        sigma: f64,
        /// Whether all columns share the linear layer ("PLR lite").
        lite: bool,
    },
}

impl NumericEmbedding {
    /// Maximum number of bins of a column, for embeddings with bins, which are computed from the
    /// training rows and set with `with_bins`.
    pub fn n_bins(&self) -> Option<usize> {
        match *self {
            Self::Encoding { n_bins } | Self::PiecewiseLinear { n_bins, .. } => Some(n_bins),
            _ => None,
        }
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if let Some(n_bins) = self.n_bins() {
            check_range("numeric.n_bins", n_bins, 1..=MAX_BINS)?;
        }
        if let Self::Periodic {
            n_frequencies,
            sigma,
            ..
        } = *self
        {
            check_size("numeric.n_frequencies", n_frequencies)?;
            check_positive("numeric.sigma", sigma)?;
        }
        Ok(())
    }

    /// Number of features of a column: `d_embedding` for learned embeddings.
    pub(super) fn width(&self, d_embedding: usize) -> usize {
        match *self {
            Self::None => 1,
            Self::Encoding { n_bins } => n_bins,
            _ => d_embedding,
        }
    }

    /// Number of parameters for `n` columns; saturates.
    pub(super) fn parameters(&self, n: usize, d: usize) -> usize {
        let per_column = match *self {
            Self::None | Self::Encoding { .. } => 0,
            Self::Linear | Self::LinearRelu => d.saturating_mul(2),
            Self::PiecewiseLinear { n_bins, .. } => d.saturating_mul(n_bins + 2),
            Self::Periodic {
                n_frequencies: k,
                lite,
                ..
            } => {
                let layer = d.saturating_mul(2 * k + 1);
                if lite {
                    return n.saturating_mul(k).saturating_add(layer);
                }
                layer.saturating_add(k)
            }
        };
        per_column.saturating_mul(n)
    }

    pub(super) fn describe(&self) -> String {
        match *self {
            Self::None => "plain".into(),
            Self::Linear => "linear".into(),
            Self::LinearRelu => "linear + relu".into(),
            Self::Encoding { n_bins } => format!("{n_bins} bins"),
            Self::PiecewiseLinear { n_bins, rectify } => {
                format!(
                    "{n_bins} bins + linear{}",
                    if rectify { " + relu" } else { "" }
                )
            }
            Self::Periodic {
                n_frequencies,
                lite,
                ..
            } => {
                let shared = if lite { "shared " } else { "" };
                format!("{n_frequencies} frequencies + {shared}linear + relu")
            }
        }
    }

    /// Builds the layers for `n` columns, if the embedding has any.
    pub(super) fn init(&self, n: usize, d: usize, device: &Device) -> Option<Numeric> {
        Some(match *self {
            Self::None => return None,
            Self::Linear => Numeric::Linear(PerColumn::init(n, d, device)),
            Self::LinearRelu => Numeric::LinearRelu(PerColumn::init(n, d, device)),
            Self::Encoding { n_bins } => Numeric::Encoding(Bins::init(n, n_bins, device)),
            Self::PiecewiseLinear { n_bins, rectify } => {
                Numeric::PiecewiseLinear(PiecewiseLinear::init(n, n_bins, d, rectify, device))
            }
            Self::Periodic {
                n_frequencies,
                sigma,
                lite,
            } => Numeric::Periodic(Periodic::init([n, n_frequencies, d], sigma, lite, device)),
        })
    }
}

/// The layers of a [`NumericEmbedding`].
///
/// Columns come first inside, so that one batched matrix product covers all columns without copies.
#[derive(Module, Debug)]
pub(super) enum Numeric {
    Linear(PerColumn),
    LinearRelu(PerColumn),
    Encoding(Bins),
    PiecewiseLinear(PiecewiseLinear),
    Periodic(Periodic),
}

impl Numeric {
    /// - input: `[batch, n_numeric]`
    /// - output: `[batch, n_numeric, width]`
    pub(super) fn forward(&self, input: Tensor<2>) -> Tensor<3> {
        // [n_numeric, batch, 1]
        let x = input.transpose().unsqueeze_dim::<3>(2);
        let x = match self {
            Self::Linear(layer) => layer.forward(x),
            Self::LinearRelu(layer) => relu(layer.forward(x)),
            Self::Encoding(bins) => bins.encode(x),
            Self::PiecewiseLinear(layer) => layer.forward(x),
            Self::Periodic(layer) => layer.forward(x),
        };
        x.swap_dims(0, 1)
    }

    pub(super) fn bins_mut(&mut self) -> Result<&mut Bins, BinsError> {
        match self {
            Self::Encoding(bins) => Ok(bins),
            Self::PiecewiseLinear(layer) => Ok(layer.bins_mut()),
            _ => Err(BinsError::Unused),
        }
    }
}

/// A linear layer with one input per column.
#[derive(Module, Debug)]
pub(super) struct PerColumn {
    /// `[n_numeric, d_embedding]`
    weight: Param<Tensor<2>>,
    /// `[n_numeric, d_embedding]`
    bias: Param<Tensor<2>>,
}

impl PerColumn {
    pub(super) fn init(n: usize, d: usize, device: &Device) -> Self {
        // As in the authors' code, the embedding size, not the fan-in of 1, sets the scale.
        let begin = |initializer: Initializer| initializer.init([n, d], device);
        Self {
            weight: begin(fan_in_uniform(d)),
            bias: begin(fan_in_uniform(d)),
        }
    }

    /// - input: `[n_numeric, batch, 1]`
    /// - output: `[n_numeric, batch, d_embedding]`
    pub(super) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        x * self.weight.val().unsqueeze_dim(1) + self.bias.val().unsqueeze_dim(1)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::numeric_embeddings;
    use super::*;
    use crate::summary::trainable_parameters;
    use crate::testing::{assert_close, assert_round_trips, normal, values};

    #[test]
    fn a_linear_embedding_agrees_with_the_formula() {
        let device = Device::flex();
        for (embedding, relu) in [
            (NumericEmbedding::Linear, false),
            (NumericEmbedding::LinearRelu, true),
        ] {
            let layer = embedding.init(2, 3, &device).unwrap();
            let (Numeric::Linear(inner) | Numeric::LinearRelu(inner)) = &layer else {
                unreachable!("it is linear");
            };
            let (weight, bias) = (values(inner.weight.val()), values(inner.bias.val()));
            let x = normal([5, 2], &device);
            let expected: Vec<f32> = values(x.clone())
                .chunks(2)
                .flat_map(|row| {
                    (0..6)
                        .map(|i| row[i / 3] * weight[i] + bias[i])
                        .collect::<Vec<_>>()
                })
                .map(|x| if relu { x.max(0.0) } else { x })
                .collect();
            assert_close(layer.forward(x), &expected);
        }
    }

    #[test]
    fn widths_and_parameters_are_as_described() {
        let device = Device::flex();
        for embedding in numeric_embeddings() {
            let Some(layer) = embedding.init(3, 5, &device) else {
                assert_eq!(embedding, NumericEmbedding::None);
                continue;
            };
            let output = layer.forward(normal([4, 3], &device));
            assert_eq!(output.dims(), [4, 3, embedding.width(5)]);
            assert_eq!(trainable_parameters(&layer), embedding.parameters(3, 5));
        }
    }

    #[test]
    fn configurations_round_trip_and_unknown_keys_are_rejected() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Holder {
            numeric: NumericEmbedding,
        }
        for numeric in numeric_embeddings() {
            assert_round_trips(&Holder { numeric });
        }
        let wrong = r#"{ "kind": "piecewise-linear", "n_bins": 4, "rectify": true, "depth": 1 }"#;
        assert!(serde_json::from_str::<NumericEmbedding>(wrong).is_err());
    }

    #[test]
    fn sizes_out_of_range_are_rejected() {
        let periodic = |n_frequencies, sigma| NumericEmbedding::Periodic {
            n_frequencies,
            sigma,
            lite: false,
        };
        for invalid in [
            NumericEmbedding::Encoding { n_bins: 0 },
            NumericEmbedding::Encoding { n_bins: usize::MAX },
            periodic(0, 0.1),
            periodic(4, 0.0),
            periodic(4, f64::NAN),
            periodic(4, f64::INFINITY),
        ] {
            assert!(invalid.validate().is_err(), "{invalid:?}");
        }
    }
}
