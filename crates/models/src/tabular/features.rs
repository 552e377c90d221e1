use burn::config::Config;
use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, assert_shape};

use super::categorical::{Categorical, CategoricalEmbedding};
use super::inputs::TabularInputs;
use super::numeric::{Numeric, NumericEmbedding};
use super::piecewise::BinsError;
use crate::config::{ConfigError, MAX_SIZE, check_list, check_parameters, check_range, check_size};
use crate::summary::LayerSummary;

/// Maximum number of numeric or categorical columns.
pub(super) const MAX_COLUMNS: usize = 16_384;

/// Configuration to create [`Features`] with [`init`](FeaturesConfig::init).
#[derive(Config, Debug, PartialEq)]
pub struct FeaturesConfig {
    /// Number of numeric columns.
    pub n_numeric: usize,
    /// Cardinality of each categorical column, including the codes of missing and unseen values.
    pub cardinalities: Vec<usize>,
    /// Embedding of numeric columns.
    #[config(default = "NumericEmbedding::None")]
    pub numeric: NumericEmbedding,
    /// Size of the embedding of a numeric column; unused by `none` and `encoding`.
    #[config(default = 16)]
    pub d_numeric: usize,
    /// Encoding of categorical columns.
    #[config(default = "CategoricalEmbedding::OneHot")]
    pub categorical: CategoricalEmbedding,
}

impl Default for FeaturesConfig {
    /// The defaults, without columns.
    fn default() -> Self {
        Self::new(0, Vec::new())
    }
}

impl FeaturesConfig {
    /// Checks every field and the total number of parameters.
    ///
    /// # Errors
    ///
    /// Names the first field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_columns(self.n_numeric, &self.cardinalities)?;
        self.numeric.validate()?;
        check_size("d_numeric", self.d_numeric)?;
        self.categorical.validate()?;
        let width = self.d_output();
        if width > MAX_SIZE {
            let expected = format!("at most {MAX_SIZE} features in a row: shorten the embeddings");
            return Err(ConfigError::new("features", width, expected));
        }
        check_parameters(&self.layers())
    }

    /// Initializes the weights on `device`.
    ///
    /// # Panics
    ///
    /// If [`validate`](Self::validate) rejects the configuration.
    pub fn init(&self, device: &Device) -> Features {
        assert_eq!(self.validate(), Ok(()), "invalid FeaturesConfig");
        Features {
            numeric: match self.n_numeric {
                0 => None,
                n => self.numeric.init(n, self.d_numeric, device),
            },
            categorical: match self.cardinalities[..] {
                [] => None,
                _ => Some(self.categorical.init(&self.cardinalities, device)),
            },
            columns: [self.n_numeric, self.cardinalities.len()],
        }
    }

    /// Describes the layers of a valid configuration without building them.
    pub fn layers(&self) -> Vec<LayerSummary> {
        let mut layers = Vec::new();
        if self.n_numeric > 0 {
            layers.push(LayerSummary {
                name: "features.numeric".into(),
                kind: self.numeric.describe(),
                output_shape: vec![self.n_numeric, self.numeric.width(self.d_numeric)],
                parameters: self.numeric.parameters(self.n_numeric, self.d_numeric),
            });
        }
        if !self.cardinalities.is_empty() {
            layers.push(LayerSummary {
                name: "features.categorical".into(),
                kind: self.categorical.describe().into(),
                output_shape: vec![sum(self.categorical_widths())],
                parameters: self.categorical.parameters(&self.cardinalities),
            });
        }
        layers
    }

    /// Number of features of a row; saturates.
    pub fn d_output(&self) -> usize {
        sum(self.widths())
    }

    /// Number of features of each column, numeric columns first.
    pub fn widths(&self) -> impl Iterator<Item = usize> {
        let width = self.numeric.width(self.d_numeric);
        std::iter::repeat_n(width, self.n_numeric).chain(self.categorical_widths())
    }

    fn categorical_widths(&self) -> impl Iterator<Item = usize> {
        let width = |&cardinality| self.categorical.width(cardinality);
        self.cardinalities.iter().map(width)
    }
}

fn sum(widths: impl Iterator<Item = usize>) -> usize {
    widths.fold(0, usize::saturating_add)
}

/// Checks the number of columns.
pub(super) fn check_columns(n_numeric: usize, cardinalities: &[usize]) -> Result<(), ConfigError> {
    check_range("n_numeric", n_numeric, 0..=MAX_COLUMNS)?;
    let sizes = 1..=MAX_SIZE;
    check_list("cardinalities", cardinalities, 0..=MAX_COLUMNS, &sizes)?;
    if n_numeric == 0 && cardinalities.is_empty() {
        let expected = "at least 1 where there is no categorical column";
        return Err(ConfigError::new("n_numeric", 0, expected));
    }
    Ok(())
}

/// Computes the features of a row, the input of the first layer of a network.
///
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use tinderbox_models::tabular::{FeaturesConfig, NumericEmbedding, TabularInputs, quantile_bins};
///
/// let device = Device::flex();
/// let numeric = NumericEmbedding::PiecewiseLinear { n_bins: 2, rectify: false };
/// let config = FeaturesConfig::new(1, vec![3, 2]).with_numeric(numeric);
/// let prices = [1.0, 2.0, 4.0];
/// let features = config.init(&device).with_bins(&[quantile_bins(&prices, 2)])?;
///
/// let prices = Tensor::<1>::from_floats(prices, &device).unsqueeze_dim(1);
/// let codes = Tensor::<2, Int>::zeros([3, 2], &device);
/// let rows = TabularInputs::new(Some(prices), Some(codes));
/// assert_eq!(features.forward(rows).dims(), [3, 16 + 3 + 2]);
/// # Ok::<(), tinderbox_models::tabular::BinsError>(())
/// ```
#[derive(Module, Debug)]
pub struct Features {
    numeric: Option<Numeric>,
    categorical: Option<Categorical>,
    #[module(skip)]
    columns: [usize; 2],
}

impl Features {
    /// Sets the bins of the numeric columns: the edges of each in increasing order, as from
    /// [`quantile_bins`](crate::tabular::quantile_bins). They are stored with the weights.
    ///
    /// # Errors
    ///
    /// If the network has no bins or these do not match it.
    pub fn with_bins(mut self, edges: &[Vec<f32>]) -> Result<Self, BinsError> {
        let numeric = self.numeric.as_mut().ok_or(BinsError::Unused)?;
        numeric.bins_mut()?.set(edges)?;
        Ok(self)
    }

    /// Zeroes the weights of categories, `[column, code]` each, here or in `next`, the layer that reads
    /// these features.
    pub(super) fn zero_categories(&mut self, values: &[[usize; 2]], next: &mut Linear) {
        if let Some(categorical) = &mut self.categorical {
            categorical.zero_categories(values, next);
        }
    }

    /// Encodes rows.
    ///
    /// # Shapes
    ///
    /// - rows: `[batch, n_numeric]` and `[batch, n_categorical]`
    /// - output: `[batch, d_output]`, in the order of the columns, numeric ones first
    ///
    /// # Panics
    ///
    /// If the columns of the rows do not match the configuration.
    pub fn forward(&self, rows: TabularInputs) -> Tensor<2> {
        let (numeric, codes) = rows.into_parts();
        check_rows(self.columns, numeric.as_ref(), codes.as_ref());
        let (numeric, codes) = match (numeric, codes, &self.numeric, &self.categorical) {
            (Some(numeric), Some(codes), None, Some(Categorical::Learned(table))) => {
                return table.forward_with_numeric(numeric, codes);
            }
            (numeric, codes, ..) => (numeric, codes),
        };
        let numeric = numeric.map(|x| match &self.numeric {
            Some(layer) => layer.forward(x).flatten(1, 2),
            None => x,
        });
        let categorical = codes
            .zip(self.categorical.as_ref())
            .map(|(codes, layer)| layer.forward(codes));
        let mut parts: Vec<_> = numeric.into_iter().chain(categorical).collect();
        match parts.len() {
            1 => parts.remove(0),
            _ => Tensor::cat(parts, 1),
        }
    }
}

/// Panics if the columns of rows do not match a network.
pub(super) fn check_rows(
    [n_numeric, n_categorical]: [usize; 2],
    numeric: Option<&Tensor<2>>,
    codes: Option<&Tensor<2, burn::tensor::Int>>,
) {
    match numeric {
        Some(numeric) => assert_shape!(numeric, [_, n_numeric]),
        None => assert_eq!(n_numeric, 0, "the rows have no numeric columns"),
    }
    match codes {
        Some(codes) => assert_shape!(codes, [_, n_categorical]),
        None => assert_eq!(n_categorical, 0, "the rows have no categorical columns"),
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Int;

    use super::super::testing::{CARDINALITIES, N_NUMERIC, all_features, rows};
    use super::*;
    use crate::summary::{total_parameters, trainable_parameters};
    use crate::testing::{assert_close, assert_round_trips, normal, values};

    #[test]
    fn widths_and_parameters_are_as_described() {
        let device = Device::flex();
        for config in all_features() {
            let features = config.init(&device);
            let encoded = features.forward(rows(5, &device));
            assert_eq!(encoded.dims(), [5, config.d_output()], "{config}");
            assert_eq!(config.widths().count(), N_NUMERIC + CARDINALITIES.len());
            assert_eq!(
                total_parameters(&config.layers()),
                trainable_parameters(&features)
            );
        }
    }

    #[test]
    fn numeric_columns_come_first_and_in_their_order() {
        let device = Device::flex();
        let config = FeaturesConfig::new(2, vec![2]);
        let numeric = Tensor::<2>::from_floats([[1.5, 2.5], [3.5, 4.5]], &device);
        let codes = Tensor::<2, Int>::from_ints([[1], [0]], &device);
        let encoded = config
            .init(&device)
            .forward(TabularInputs::new(Some(numeric), Some(codes)));
        assert_close(encoded, &[1.5, 2.5, 0.0, 1.0, 3.5, 4.5, 1.0, 0.0]);
    }

    #[test]
    fn the_features_of_a_column_are_adjacent() {
        let device = Device::flex();
        let numeric = NumericEmbedding::Encoding { n_bins: 2 };
        let features = FeaturesConfig::new(2, vec![])
            .with_numeric(numeric)
            .init(&device);
        let features = features
            .with_bins(&[vec![0.0, 1.0, 2.0], vec![0.0, 10.0, 20.0]])
            .unwrap();
        let x = Tensor::<2>::from_floats([[0.5, 15.0]], &device);
        assert_close(
            features.forward(TabularInputs::new(Some(x), None)),
            &[0.5, 0.0, 1.0, 0.5],
        );
    }

    #[test]
    fn one_kind_of_column_suffices() {
        let device = Device::flex();
        let numeric = FeaturesConfig::new(2, vec![]).init(&device);
        let x = normal([3, 2], &device);
        assert_close(
            numeric.forward(TabularInputs::new(Some(x.clone()), None)),
            &values(x),
        );
        let categorical = FeaturesConfig::new(0, vec![2]).init(&device);
        let codes = Tensor::<2, Int>::from_ints([[1]], &device);
        assert_close(
            categorical.forward(TabularInputs::new(None, Some(codes))),
            &[0.0, 1.0],
        );
    }

    #[test]
    #[should_panic(expected = "the rows have no categorical columns")]
    fn missing_columns_are_refused() {
        let device = Device::flex();
        let features = FeaturesConfig::new(2, vec![3]).init(&device);
        features.forward(TabularInputs::new(Some(normal([3, 2], &device)), None));
    }

    #[test]
    #[should_panic(expected = "axis 1 expected 2, got 3")]
    fn a_wrong_number_of_columns_is_refused() {
        let device = Device::flex();
        let features = FeaturesConfig::new(2, vec![]).init(&device);
        features.forward(TabularInputs::new(Some(normal([3, 3], &device)), None));
    }

    #[test]
    fn bins_for_an_embedding_without_bins_are_rejected() {
        for numeric in [NumericEmbedding::None, NumericEmbedding::Linear] {
            let features = FeaturesConfig::new(1, vec![]).with_numeric(numeric);
            let features = features.init(&Device::flex());
            let error = features.with_bins(&[vec![0.0, 1.0]]).unwrap_err();
            assert_eq!(error, BinsError::Unused);
        }
    }

    #[test]
    fn config_round_trips() {
        for config in all_features() {
            assert_round_trips(&config);
        }
    }

    #[test]
    fn invalid_configurations_are_rejected() {
        let learned = |d_embedding| CategoricalEmbedding::Learned { d_embedding };
        for invalid in [
            FeaturesConfig::new(0, vec![]),
            FeaturesConfig::new(usize::MAX, vec![]),
            FeaturesConfig::new(1, vec![0]),
            FeaturesConfig::new(1, vec![usize::MAX]),
            FeaturesConfig::new(1, vec![MAX_SIZE; 2]),
            FeaturesConfig::new(1, vec![2; MAX_COLUMNS + 1]),
            FeaturesConfig::new(1, vec![2]).with_categorical(learned(0)),
            FeaturesConfig::new(1, vec![MAX_SIZE; 2]).with_categorical(learned(MAX_SIZE / 2)),
            FeaturesConfig::new(1, vec![]).with_d_numeric(0),
            FeaturesConfig::new(MAX_COLUMNS, vec![]).with_numeric(NumericEmbedding::Linear),
        ] {
            assert!(invalid.validate().is_err(), "{invalid}");
        }
        let many = FeaturesConfig::new(1, vec![MAX_SIZE; 2]).with_categorical(learned(8));
        assert_eq!(many.validate(), Ok(()));
    }
}
