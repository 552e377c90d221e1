use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::module::embedding;
use burn::tensor::{Device, IndexingUpdateOp, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use tinderbox_kernels::embed_and_concat;

use crate::config::{ConfigError, check_size};
use crate::layers::dense::zero_rows;
use crate::layers::init::fan_in_uniform;

/// Encoding of categorical columns, such as `{ kind = "learned", d_embedding = 8 }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum CategoricalEmbedding {
    /// One-hot encoding, without parameters.
    OneHot,
    /// A learned vector per category (Guo and Berkhahn, *Entity embeddings of categorical
    /// variables*, 2016, <https://arxiv.org/abs/1604.06737>), of the same size in all columns.
    Learned {
        /// Size of the vectors.
        d_embedding: usize,
    },
}

impl CategoricalEmbedding {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        match *self {
            Self::OneHot => Ok(()),
            Self::Learned { d_embedding } => check_size("categorical.d_embedding", d_embedding),
        }
    }

    /// Number of features of a column with this cardinality.
    pub(super) fn width(&self, cardinality: usize) -> usize {
        match *self {
            Self::OneHot => cardinality,
            Self::Learned { d_embedding } => d_embedding,
        }
    }

    /// Number of parameters; saturates.
    pub(super) fn parameters(&self, cardinalities: &[usize]) -> usize {
        match *self {
            Self::OneHot => 0,
            Self::Learned { d_embedding } => total(cardinalities).saturating_mul(d_embedding),
        }
    }

    pub(super) fn describe(&self) -> &'static str {
        match self {
            Self::OneHot => "one-hot",
            Self::Learned { .. } => "embedding",
        }
    }

    pub(super) fn init(&self, cardinalities: &[usize], device: &Device) -> Categorical {
        match *self {
            Self::OneHot => Categorical::OneHot(OneHot {
                offsets: CategoryOffsets::new(cardinalities),
            }),
            Self::Learned { d_embedding } => {
                Categorical::Learned(EmbeddingTable::init(cardinalities, d_embedding, device))
            }
        }
    }
}

fn total(cardinalities: &[usize]) -> usize {
    cardinalities.iter().fold(0, |sum: usize, &cardinality| {
        sum.saturating_add(cardinality)
    })
}

/// The layers of a [`CategoricalEmbedding`].
#[derive(Module, Debug)]
pub(super) enum Categorical {
    OneHot(OneHot),
    Learned(EmbeddingTable),
}

impl Categorical {
    /// - codes: `[batch, n_categorical]`
    /// - output: `[batch, sum of widths]`
    pub(super) fn forward(&self, codes: Tensor<2, Int>) -> Tensor<2> {
        match self {
            Self::OneHot(encoding) => encoding.forward(codes),
            Self::Learned(table) => table.forward(codes).flatten(1, 2),
        }
    }

    /// Zeroes the weights of categories, `[column, code]` each, here or in `next`, the layer that
    /// follows, whose last inputs are the encoded categories.
    pub(super) fn zero_categories(&mut self, values: &[[usize; 2]], next: &mut Linear) {
        match self {
            Self::Learned(table) => table.zero_categories(values),
            Self::OneHot(OneHot { offsets }) => {
                let [d_input, _] = next.weight.dims();
                let before = d_input - offsets.total;
                let inputs = offsets.of_values(values).into_iter();
                let inputs: Vec<usize> = inputs.map(|row| before + row).collect();
                zero_rows(&mut next.weight, &inputs);
            }
        }
    }
}

#[derive(Module, Debug)]
pub(super) struct OneHot {
    #[module(skip)]
    offsets: CategoryOffsets,
}

impl OneHot {
    /// - codes: `[batch, n_categorical]`
    /// - output: `[batch, sum of cardinalities]`
    fn forward(&self, codes: Tensor<2, Int>) -> Tensor<2> {
        let ([batch, _], device) = (codes.dims(), codes.device());
        let ones = Tensor::ones(codes.dims(), &device);
        Tensor::zeros([batch, self.offsets.total], &device).scatter(
            1,
            self.offsets.of(codes),
            ones,
            IndexingUpdateOp::Add,
        )
    }
}

/// Embeddings of the categories of all columns in one table, one column after the other.
#[derive(Module, Debug)]
pub(super) struct EmbeddingTable {
    /// `[sum of cardinalities, d_embedding]`
    weight: Param<Tensor<2>>,
    #[module(skip)]
    offsets: CategoryOffsets,
}

impl EmbeddingTable {
    pub(super) fn init(cardinalities: &[usize], d: usize, device: &Device) -> Self {
        Self {
            weight: fan_in_uniform(d).init([total(cardinalities), d], device),
            offsets: CategoryOffsets::new(cardinalities),
        }
    }

    /// - codes: `[batch, n_categorical]`
    /// - output: `[batch, n_categorical, d_embedding]`
    pub(super) fn forward(&self, codes: Tensor<2, Int>) -> Tensor<3> {
        embedding(self.weight.val(), self.offsets.of(codes))
    }

    /// Zeroes the vectors of categories, `[column, code]` each.
    pub(super) fn zero_categories(&mut self, values: &[[usize; 2]]) {
        zero_rows(&mut self.weight, &self.offsets.of_values(values));
    }
}

impl EmbeddingTable {
    /// - numeric: `[batch, n_numeric]`
    /// - codes: `[batch, n_categorical]`
    /// - output: `[batch, n_numeric + n_categorical * d_embedding]`
    pub(super) fn forward_with_numeric(
        &self,
        numeric: Tensor<2>,
        codes: Tensor<2, Int>,
    ) -> Tensor<2> {
        embed_and_concat(
            Some(numeric),
            codes,
            &self.offsets.first_rows,
            self.weight.val(),
        )
    }
}

/// Offset of each column's categories among those of all columns.
#[derive(Clone, Debug)]
struct CategoryOffsets {
    first_rows: Vec<i32>,
    total: usize,
}

impl CategoryOffsets {
    fn new(cardinalities: &[usize]) -> Self {
        // A table has at most 2^31 parameters, so that row numbers fit.
        let before = |column: usize| {
            let before = total(&cardinalities[..column]);
            i32::try_from(before).unwrap_or(i32::MAX)
        };
        Self {
            first_rows: (0..cardinalities.len()).map(before).collect(),
            total: total(cardinalities),
        }
    }

    /// Row numbers of categories, `[column, code]` each.
    fn of_values(&self, values: &[[usize; 2]]) -> Vec<usize> {
        let row = |&[column, code]: &[usize; 2]| self.first_rows[column] as usize + code;
        values.iter().map(row).collect()
    }

    /// - codes, output: `[batch, n_categorical]`
    fn of(&self, codes: Tensor<2, Int>) -> Tensor<2, Int> {
        let offsets = TensorData::new(self.first_rows.clone(), [1, self.first_rows.len()]);
        let offsets = Tensor::from_data(offsets, &codes.device());
        codes + offsets
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, values};

    #[test]
    fn each_column_has_its_own_part_of_the_table() {
        let device = Device::flex();
        let table = EmbeddingTable::init(&[2, 3], 4, &device);
        let weight = values(table.weight.val());
        let codes = Tensor::from_ints([[1, 0], [0, 2]], &device);
        let expected: Vec<f32> = [1, 2, 0, 4]
            .into_iter()
            .flat_map(|row| weight[row * 4..][..4].to_vec())
            .collect();
        assert_close(table.forward(codes), &expected);
    }

    #[test]
    fn one_hot_codes_stand_side_by_side() {
        let device = Device::flex();
        let encoding = CategoricalEmbedding::OneHot.init(&[2, 3], &device);
        let codes = Tensor::from_ints([[1, 0], [0, 2]], &device);
        let expected = [0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
        assert_close(encoding.forward(codes), &expected);
    }
}
