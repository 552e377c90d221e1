//! FT-Transformer: attention between the columns of a table, each of which is a token.
//!
//! Reference: Gorishniy, Rubachev, Khrulkov and Babenko, *Revisiting deep learning models for tabular
//! data*, 2021, <https://arxiv.org/abs/2106.11959>, section 3.3; Vaswani et al., *Attention is all you
//! need*, 2017, <https://arxiv.org/abs/1706.03762>.
//! Differs from them: a choice of numeric embeddings; no bias for categorical columns, whose table
//! contains it, nor for the keys, which the softmax cancels; in the last layer, queries only for the
//! `[CLS]` token.
//!
//! | name | meaning and shape | symbol |
//! |---|---|---|
//! | `cls` | the token that is classified, `[d_model]` | `[CLS]` |
//! | `numeric`, `categorical` | a token per column, `[batch, n, d_model]` | T, the feature tokenizer |
//! | `hidden`, `gate` | the two halves of the first feed-forward layer, `[d_model, d_hidden]` | ReGLU |

use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::{Dropout, DropoutConfig, LayerNorm, LayerNormConfig, Linear};
use burn::tensor::activation::{relu, softmax};
use burn::tensor::{Device, Tensor};

use super::categorical::EmbeddingTable;
use super::features::{check_columns, check_rows};
use super::inputs::TabularInputs;
use super::numeric::{Numeric, NumericEmbedding};
use super::piecewise::BinsError;
use crate::config::{
    ConfigError, check_heads, check_parameters, check_probability, check_range, check_size,
};
use crate::layers::dense::{add_branch, drop_out};
use crate::layers::init::{fan_in_linear, fan_in_uniform, linear, linear_without_bias};
use crate::summary::{LayerSummary, linear_parameters};
use crate::template::data_sized;

/// Maximum number of layers.
const MAX_LAYERS: usize = 64;

/// Configuration to create an [`FtTransformer`] with [`init`](FtTransformerConfig::init).
#[derive(Config, Debug, PartialEq)]
pub struct FtTransformerConfig {
    /// Number of numeric columns.
    pub n_numeric: usize,
    /// Cardinality of each categorical column, including the codes of missing and unseen values.
    pub cardinalities: Vec<usize>,
    /// Number of outputs: classes or regression targets.
    pub d_output: usize,
    /// Embedding of numeric columns: `linear` in the paper; `none` and `encoding` are not supported.
    #[config(default = "NumericEmbedding::Linear")]
    pub numeric: NumericEmbedding,
    /// Size of a token.
    #[config(default = 64)]
    pub d_model: usize,
    /// Number of layers.
    #[config(default = 2)]
    pub n_layers: usize,
    /// Number of attention heads; must divide `d_model`.
    #[config(default = 4)]
    pub n_heads: usize,
    /// Hidden size of the feed-forward layers.
    #[config(default = 128)]
    pub d_hidden: usize,
    /// Dropout probability of the attention weights, in `[0, 1)`.
    #[config(default = 0.2)]
    pub attention_dropout: f64,
    /// Dropout probability of the hidden activations of the feed-forward layers, in `[0, 1)`.
    #[config(default = 0.1)]
    pub dropout: f64,
    /// Dropout probability of the residual branches, in `[0, 1)`.
    #[config(default = 0.0)]
    pub residual_dropout: f64,
}

data_sized!(
    FtTransformerConfig::new(n_numeric, cardinalities, d_output),
    numeric
);

impl FtTransformerConfig {
    /// Checks every field and the total number of parameters.
    ///
    /// # Errors
    ///
    /// Names the first field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_columns(self.n_numeric, &self.cardinalities)?;
        check_size("d_output", self.d_output)?;
        self.numeric.validate()?;
        let kind = match self.numeric {
            NumericEmbedding::None => Some("none"),
            NumericEmbedding::Encoding { .. } => Some("encoding"),
            _ => None,
        };
        if let Some(kind) = kind {
            let expected = "`linear`, `linear-relu`, `piecewise-linear` or `periodic`";
            return Err(ConfigError::new("numeric.kind", kind, expected));
        }
        check_size("d_model", self.d_model)?;
        check_range("n_layers", self.n_layers, 1..=MAX_LAYERS)?;
        check_heads(self.d_model, self.n_heads, false)?;
        check_size("d_hidden", self.d_hidden)?;
        check_probability("attention_dropout", self.attention_dropout)?;
        check_probability("dropout", self.dropout)?;
        check_probability("residual_dropout", self.residual_dropout)?;
        check_parameters(&self.layers())
    }

    /// Initializes the weights on `device`.
    ///
    /// # Panics
    ///
    /// If [`validate`](Self::validate) rejects the configuration.
    pub fn init(&self, device: &Device) -> FtTransformer {
        assert_eq!(self.validate(), Ok(()), "invalid FtTransformerConfig");
        let d = self.d_model;
        FtTransformer {
            cls: fan_in_uniform(d).init([d], device),
            numeric: match self.n_numeric {
                0 => None,
                n => self.numeric.init(n, d, device),
            },
            categorical: match self.cardinalities[..] {
                [] => None,
                _ => Some(EmbeddingTable::init(&self.cardinalities, d, device)),
            },
            blocks: (0..self.n_layers)
                .map(|index| self.init_block(index, device))
                .collect(),
            norm: LayerNormConfig::new(d).init(device),
            output: fan_in_linear(d, self.d_output, device),
            columns: [self.n_numeric, self.cardinalities.len()],
        }
    }

    /// Describes the layers of a valid configuration without building them.
    pub fn layers(&self) -> Vec<LayerSummary> {
        let d = self.d_model;
        let n_tokens = self.n_numeric + self.cardinalities.len() + 1;
        let layer = |name: &str, kind: &str, shape: Vec<usize>, parameters: usize| LayerSummary {
            name: name.into(),
            kind: kind.into(),
            output_shape: shape,
            parameters,
        };
        let mut layers = vec![layer("cls", "token", vec![1, d], d)];
        if self.n_numeric > 0 {
            let (kind, parameters) = (
                self.numeric.describe(),
                self.numeric.parameters(self.n_numeric, d),
            );
            layers.push(layer("numeric", &kind, vec![self.n_numeric, d], parameters));
        }
        if let n @ 1.. = self.cardinalities.len() {
            let values = self.cardinalities.iter().copied();
            let values = values.fold(0, usize::saturating_add);
            let parameters = values.saturating_mul(d);
            layers.push(layer("categorical", "embedding", vec![n, d], parameters));
        }
        for index in 0..self.n_layers {
            let tokens = if index + 1 < self.n_layers {
                n_tokens
            } else {
                1
            };
            let (name, kind) = (format!("blocks.{index}"), "attention + feed-forward");
            let parameters = self.block_parameters(index);
            layers.push(layer(&name, kind, vec![tokens, d], parameters));
        }
        let parameters = linear_parameters(d, self.d_output, true).saturating_add(2 * d);
        let kind = "layer norm + relu + linear";
        layers.push(layer("output", kind, vec![self.d_output], parameters));
        layers
    }

    fn block_parameters(&self, index: usize) -> usize {
        let (d, d_hidden) = (self.d_model, self.d_hidden);
        let norms = if index == 0 { 2 * d } else { 4 * d };
        [
            norms,
            linear_parameters(d, d, true).saturating_mul(3),
            linear_parameters(d, d, false),
            linear_parameters(d, d_hidden, true).saturating_mul(2),
            linear_parameters(d_hidden, d, true),
        ]
        .into_iter()
        .fold(0, usize::saturating_add)
    }

    fn init_block(&self, index: usize, device: &Device) -> Block {
        let (d, d_hidden) = (self.d_model, self.d_hidden);
        let norm = || LayerNormConfig::new(d).init(device);
        Block {
            // The paper omits the first: the network is worse with it.
            attention_norm: (index > 0).then(norm),
            attention: Attention {
                query: linear(d, d, fan_in_uniform(d), device),
                key: linear_without_bias(d, d, fan_in_uniform(d), device),
                value: linear(d, d, fan_in_uniform(d), device),
                output: linear(d, d, fan_in_uniform(d), device),
                dropout: DropoutConfig::new(self.attention_dropout).init(),
                n_heads: self.n_heads,
            },
            feed_forward_norm: norm(),
            hidden: fan_in_linear(d, d_hidden, device),
            gate: fan_in_linear(d, d_hidden, device),
            dropout: DropoutConfig::new(self.dropout).init(),
            output: fan_in_linear(d_hidden, d, device),
            residual_dropout: DropoutConfig::new(self.residual_dropout).init(),
        }
    }
}

/// Attention between the columns of a row.
///
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use tinderbox_models::tabular::{FtTransformerConfig, TabularInputs};
///
/// let device = Device::flex();
/// let config = FtTransformerConfig::new(2, vec![3, 4], 1).with_d_model(16);
/// let rows = TabularInputs::new(
///     Some(Tensor::zeros([8, 2], &device)),
///     Some(Tensor::<2, Int>::zeros([8, 2], &device)),
/// );
/// assert_eq!(config.init(&device).forward(rows).dims(), [8, 1]);
/// ```
#[derive(Module, Debug)]
pub struct FtTransformer {
    cls: Param<Tensor<1>>,
    numeric: Option<Numeric>,
    categorical: Option<EmbeddingTable>,
    blocks: Vec<Block>,
    norm: LayerNorm,
    output: Linear,
    #[module(skip)]
    columns: [usize; 2],
}

#[derive(Module, Debug)]
struct Block {
    attention_norm: Option<LayerNorm>,
    attention: Attention,
    feed_forward_norm: LayerNorm,
    hidden: Linear,
    gate: Linear,
    dropout: Dropout,
    output: Linear,
    residual_dropout: Dropout,
}

#[derive(Module, Debug)]
struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    dropout: Dropout,
    #[module(skip)]
    n_heads: usize,
}

impl FtTransformer {
    /// Sets the bins of the numeric columns, as [`Features::with_bins`](super::Features::with_bins).
    ///
    /// # Errors
    ///
    /// If the network has no bins or these do not match it.
    pub fn with_bins(mut self, edges: &[Vec<f32>]) -> Result<Self, BinsError> {
        let numeric = self.numeric.as_mut().ok_or(BinsError::Unused)?;
        numeric.bins_mut()?.set(edges)?;
        Ok(self)
    }

    /// Zeroes the weights of categories, `[column, code]` each, that do not occur in the training
    /// rows, such as the one for unseen values. Never trained, they would stay random.
    ///
    /// # Panics
    ///
    /// If there is no such column or code.
    #[must_use]
    pub fn with_zeroed_categories(mut self, values: &[[usize; 2]]) -> Self {
        if let Some(table) = &mut self.categorical {
            table.zero_categories(values);
        }
        self
    }

    /// Computes the logits, or predicts the regression targets.
    ///
    /// # Shapes
    ///
    /// - rows: `[batch, n_numeric]` and `[batch, n_categorical]`
    /// - output: `[batch, d_output]`, unnormalized log-probabilities
    ///
    /// # Panics
    ///
    /// If the columns of the rows do not match the configuration.
    pub fn forward(&self, rows: TabularInputs) -> Tensor<2> {
        let mut x = self.tokens(rows);
        for (index, block) in self.blocks.iter().enumerate() {
            x = block.forward(x, index + 1 == self.blocks.len());
        }
        // The last layer returns the first token only.
        let x = x.squeeze_dim::<2>(1);
        self.output.forward(relu(self.norm.forward(x)))
    }

    /// `[batch, 1 + n_numeric + n_categorical, d_model]`
    fn tokens(&self, rows: TabularInputs) -> Tensor<3> {
        let batch = rows.batch();
        let (numeric, codes) = rows.into_parts();
        check_rows(self.columns, numeric.as_ref(), codes.as_ref());
        let cls = self.cls.val();
        let [d_model] = cls.dims();
        let cls = cls.reshape([1, 1, d_model]).expand([batch, 1, d_model]);
        let numeric = numeric.zip(self.numeric.as_ref());
        let codes = codes.zip(self.categorical.as_ref());
        let tokens = [
            Some(cls),
            numeric.map(|(x, layer)| layer.forward(x)),
            codes.map(|(codes, table)| table.forward(codes)),
        ];
        Tensor::cat(tokens.into_iter().flatten().collect(), 1)
    }
}

impl Block {
    /// - input: `[batch, n_tokens, d_model]`
    /// - output: the same, or `[batch, 1, d_model]` if `first_only`
    fn forward(&self, input: Tensor<3>, first_only: bool) -> Tensor<3> {
        let keys = match &self.attention_norm {
            Some(norm) => norm.forward(input.clone()),
            None => input.clone(),
        };
        let first = |x: Tensor<3>| if first_only { x.narrow(1, 0, 1) } else { x };
        let x = self.attention.forward(first(keys.clone()), keys);
        let input = add_branch(&self.residual_dropout, first(input), x);

        let x = self.feed_forward_norm.forward(input.clone());
        let x = self.hidden.forward(x.clone()) * relu(self.gate.forward(x));
        let x = self.output.forward(drop_out(&self.dropout, x));
        add_branch(&self.residual_dropout, input, x)
    }
}

impl Attention {
    /// - queries: `[batch, n_queries, d_model]`
    /// - keys: `[batch, n_tokens, d_model]`, also the values
    /// - output: `[batch, n_queries, d_model]`
    fn forward(&self, queries: Tensor<3>, keys: Tensor<3>) -> Tensor<3> {
        let [batch, n_queries, d_model] = queries.dims();
        let scale = ((d_model / self.n_heads) as f64).sqrt().recip();
        let query = self.heads(self.query.forward(queries) * scale);
        let key = self.heads(self.key.forward(keys.clone()));
        let value = self.heads(self.value.forward(keys));
        let weights = softmax(query.matmul(key.swap_dims(2, 3)), 3);
        let context = drop_out(&self.dropout, weights).matmul(value);
        let context = context.swap_dims(1, 2).reshape([batch, n_queries, d_model]);
        self.output.forward(context)
    }

    /// - input: `[batch, n_tokens, d_model]`
    /// - output: `[batch, n_heads, n_tokens, d_model / n_heads]`
    fn heads(&self, x: Tensor<3>) -> Tensor<4> {
        let [batch, n_tokens, d_model] = x.dims();
        x.reshape([batch, n_tokens, self.n_heads, d_model / self.n_heads])
            .swap_dims(1, 2)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{
        CARDINALITIES, N_NUMERIC, affine, assert_zeroes_categories, numeric_embeddings, rectified,
        rows,
    };
    use super::*;
    use crate::config::MAX_SIZE;
    use crate::summary::{total_parameters, trainable_parameters};
    use crate::testing::{
        assert_close, assert_every_parameter_gets_a_gradient, assert_round_trips, normal, values,
    };

    fn small() -> FtTransformerConfig {
        FtTransformerConfig::new(N_NUMERIC, CARDINALITIES.to_vec(), 2)
            .with_d_model(8)
            .with_n_heads(2)
            .with_n_layers(2)
            .with_d_hidden(10)
    }

    fn all() -> impl Iterator<Item = FtTransformerConfig> {
        let configs = numeric_embeddings().into_iter();
        let configs = configs.map(|numeric| small().with_numeric(numeric));
        configs.filter(|config| config.validate().is_ok())
    }

    #[test]
    fn embeddings_without_tokens_are_rejected() {
        assert_eq!(all().count(), numeric_embeddings().len() - 2);
        let error = small().with_numeric(NumericEmbedding::None).validate();
        let message = error.unwrap_err().to_string();
        assert!(
            message.starts_with("`numeric.kind` must be `linear`")
                && message.ends_with("(got none)"),
            "{message}"
        );
    }

    #[test]
    fn unseen_categories_do_not_affect_the_output() {
        for config in all() {
            let net = config.init(&Device::flex());
            assert_zeroes_categories(
                net,
                FtTransformer::with_zeroed_categories,
                FtTransformer::forward,
            );
        }
    }

    #[test]
    fn layers_add_up_to_the_model() {
        for config in all() {
            let model = config.init(&Device::flex());
            assert_eq!(
                total_parameters(&config.layers()),
                trainable_parameters(&model)
            );
        }
    }

    #[test]
    fn output_has_a_score_per_class() {
        let device = Device::flex();
        for config in all() {
            assert_eq!(
                config.init(&device).forward(rows(5, &device)).dims(),
                [5, 2]
            );
        }
        let categorical = FtTransformerConfig::new(0, vec![3], 1).with_d_model(8);
        let codes = Tensor::from_ints([[1], [2]], &device);
        let output = categorical
            .init(&device)
            .forward(TabularInputs::new(None, Some(codes)));
        assert_eq!(output.dims(), [2, 1]);
    }

    #[test]
    #[should_panic(expected = "axis 1 expected 3, got 2")]
    fn a_wrong_shape_is_refused() {
        let device = Device::flex();
        let codes = Tensor::zeros([4, 2], &device);
        let model = small().init(&device);
        model.forward(TabularInputs::new(
            Some(normal([4, 2], &device)),
            Some(codes),
        ));
    }

    #[test]
    fn a_row_alone_equals_the_row_in_a_batch() {
        let device = Device::flex();
        for config in all() {
            let model = config.init(&device);
            let batch = rows(8, &device);
            let alone = model.forward(batch.clone().slice(2..3));
            assert_close(model.forward(batch).slice(2..3), &values(alone));
        }
    }

    #[test]
    fn every_parameter_gets_a_gradient() {
        let device = Device::flex().autodiff();
        for config in all() {
            let model = config.init(&device);
            let logits = model.forward(rows(32, &device));
            assert_every_parameter_gets_a_gradient(&model, &logits);
        }
    }

    #[test]
    fn attention_agrees_with_the_formula() {
        let device = Device::flex();
        let attention = small().init_block(0, &device).attention;
        let (queries, keys) = (normal([1, 2, 8], &device), normal([1, 3, 8], &device));
        let project = |layer: &Linear, row: &[f32]| {
            let bias = layer
                .bias
                .as_ref()
                .map_or(vec![0.0; 8], |bias| values(bias.val()));
            affine(row, &values(layer.weight.val()), &bias)
        };
        let all = |layer: &Linear, x: &Tensor<3>| -> Vec<Vec<f32>> {
            values(x.clone())
                .chunks(8)
                .map(|row| project(layer, row))
                .collect()
        };
        let (key, value) = (all(&attention.key, &keys), all(&attention.value, &keys));
        let mut expected = Vec::new();
        for query in all(&attention.query, &queries) {
            let mut context = Vec::new();
            for head in [0..4, 4..8] {
                let dot = |key: &Vec<f32>| -> f32 {
                    let pairs = query[head.clone()].iter().zip(&key[head.clone()]);
                    (pairs.map(|(q, k)| q * k).sum::<f32>() / 2.0).exp()
                };
                let weights: Vec<f32> = key.iter().map(dot).collect();
                let total: f32 = weights.iter().sum();
                context.extend(head.map(|i| {
                    let terms = weights.iter().zip(&value);
                    terms.map(|(w, value)| w * value[i]).sum::<f32>() / total
                }));
            }
            expected.extend(project(&attention.output, &context));
        }
        assert_close(attention.forward(queries, keys), &expected);
    }

    #[test]
    fn the_last_layer_only_needs_the_first_token() {
        let device = Device::flex();
        let block = small().init_block(1, &device);
        let x = normal([3, 5, 8], &device);
        let all = block.forward(x.clone(), false);
        assert_close(block.forward(x, true), &values(all.narrow(1, 0, 1)));
    }

    #[test]
    fn the_feed_forward_part_agrees_with_the_formula() {
        let device = Device::flex();
        let mut block = small().init_block(0, &device);
        // Attention that adds nothing.
        block.attention.output.weight = Param::from_tensor(Tensor::zeros([8, 8], &device));
        block.attention.output.bias = None;
        let x = normal([1, 1, 8], &device);
        let row = values(x.clone());
        let normed = values(block.feed_forward_norm.forward(x.clone()));
        let apply = |layer: &Linear, row: &[f32], bias: &[f32]| {
            affine(row, &values(layer.weight.val()), bias)
        };
        let bias = |layer: &Linear| values(layer.bias.as_ref().unwrap().val());
        let hidden = apply(&block.hidden, &normed, &bias(&block.hidden));
        let gate = rectified(apply(&block.gate, &normed, &bias(&block.gate)));
        let gated: Vec<f32> = hidden.iter().zip(&gate).map(|(h, g)| h * g).collect();
        let added = apply(&block.output, &gated, &bias(&block.output));
        let expected: Vec<f32> = added.iter().zip(&row).map(|(a, x)| a + x).collect();
        assert_close(block.forward(x, false), &expected);
    }

    #[test]
    fn config_round_trips() {
        for config in all() {
            assert_round_trips(&config);
        }
    }

    #[test]
    fn invalid_configurations_are_rejected() {
        for invalid in [
            FtTransformerConfig::new(0, vec![], 1),
            FtTransformerConfig::new(1, vec![], 0),
            small().with_d_model(0),
            small().with_d_model(9),
            small().with_d_model(MAX_SIZE),
            small().with_n_heads(0),
            small().with_n_layers(0),
            small().with_d_hidden(0),
            small().with_attention_dropout(1.0),
            small().with_dropout(-0.1),
            small().with_residual_dropout(f64::NAN),
        ] {
            assert!(invalid.validate().is_err(), "{invalid}");
        }
        assert_eq!(small().validate(), Ok(()));
    }
}
