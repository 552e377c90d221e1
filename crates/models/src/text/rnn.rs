//! Recurrent network (LSTM or GRU) for text classification.
//!
//! Reference: Hochreiter and Schmidhuber, *Long short-term memory*, 1997,
//! <https://doi.org/10.1162/neco.1997.9.8.1735>; Cho et al., *Learning phrase representations using
//! RNN encoder-decoder*, 2014, <https://arxiv.org/abs/1406.1078>; bidirectional as in Schuster
//! and Paliwal, *Bidirectional recurrent neural networks*, 1997,
//! <https://doi.org/10.1109/78.650093>.
//! Differs from them: the bias of the forget gates is initialized to 1 (Gers et al., 2000,
//! <https://doi.org/10.1162/089976600300015015>); the reset gate acts on the product with the state,
//! as in PyTorch; dropout between layers and before the head (Zaremba et al., 2014,
//! <https://arxiv.org/abs/1409.2329>).

use std::fmt;

use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::{Dropout, DropoutConfig, Embedding, EmbeddingConfig, Initializer, Linear};
use burn::tensor::{Bool, Device, Int, Tensor, assert_shape, s};
use serde::{Deserialize, Serialize};
use tinderbox_kernels::{gru, lstm};

use crate::config::{ConfigError, check_parameters, check_probability, check_range, check_size};
use crate::layers::dense::{drop_out, project};
use crate::layers::init::{XAVIER, linear, linear_without_bias};
use crate::layers::pooling::mean;
use crate::summary::{LayerSummary, linear_parameters};
use crate::template::data_sized;
use crate::text::encoder::MAX_VOCABULARY;

/// Maximum number of layers.
const MAX_LAYERS: usize = 64;

/// Recurrent cell, serialized in kebab case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CellKind {
    /// Long short-term memory.
    Lstm,
    /// Gated recurrent unit.
    Gru,
}

impl CellKind {
    /// Number of gates.
    fn gates(self) -> usize {
        match self {
            Self::Lstm => 4,
            Self::Gru => 3,
        }
    }
}

impl fmt::Display for CellKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lstm => "lstm",
            Self::Gru => "gru",
        })
    }
}

/// Pooling of the states, serialized in kebab case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StatePooling {
    /// Final state of each direction.
    Last,
    /// Mean of the states of all tokens.
    Mean,
}

/// Configuration to create a [`TextRnn`] with [`init`](TextRnnConfig::init).
#[derive(Config, Debug, PartialEq)]
pub struct TextRnnConfig {
    /// Size of the vocabulary.
    pub vocab_size: usize,
    /// Number of classes.
    pub num_classes: usize,
    /// Recurrent cell.
    #[config(default = "CellKind::Lstm")]
    pub cell: CellKind,
    /// Size of a token's embedding.
    #[config(default = 128)]
    pub d_embedding: usize,
    /// Size of the hidden state of each direction.
    #[config(default = 128)]
    pub d_hidden: usize,
    /// Number of layers.
    #[config(default = 1)]
    pub n_layers: usize,
    /// Whether each layer is bidirectional.
    #[config(default = true)]
    pub bidirectional: bool,
    /// Pooling of the states.
    #[config(default = "StatePooling::Mean")]
    pub pooling: StatePooling,
    /// Dropout probability after the embedding and each layer, in `[0, 1)`.
    #[config(default = 0.3)]
    pub dropout: f64,
}

data_sized!(TextRnnConfig::new(vocab_size, num_classes));

impl TextRnnConfig {
    /// Checks every field and the total number of parameters.
    ///
    /// # Errors
    ///
    /// Names the first field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_range("vocab_size", self.vocab_size, 1..=MAX_VOCABULARY)?;
        check_size("num_classes", self.num_classes)?;
        check_size("d_embedding", self.d_embedding)?;
        check_size("d_hidden", self.d_hidden)?;
        check_range("n_layers", self.n_layers, 1..=MAX_LAYERS)?;
        check_probability("dropout", self.dropout)?;
        check_parameters(&self.layers())
    }

    /// Initializes the weights on `device`.
    ///
    /// # Panics
    ///
    /// If [`validate`](Self::validate) rejects the configuration.
    pub fn init(&self, device: &Device) -> TextRnn {
        assert_eq!(self.validate(), Ok(()), "invalid TextRnnConfig");
        TextRnn {
            tokens: EmbeddingConfig::new(self.vocab_size, self.d_embedding)
                .with_initializer(Initializer::Normal {
                    mean: 0.0,
                    std: 0.1,
                })
                .init(device),
            dropout: DropoutConfig::new(self.dropout).init(),
            layers: (0..self.n_layers)
                .map(|index| self.init_layer(index, device))
                .collect(),
            head: linear(self.d_output(), self.num_classes, XAVIER, device),
            pooling: self.pooling,
        }
    }

    fn directions(&self) -> usize {
        if self.bidirectional { 2 } else { 1 }
    }

    /// Output size of a layer.
    fn d_output(&self) -> usize {
        self.directions().saturating_mul(self.d_hidden)
    }

    /// Input size of a layer.
    fn d_input(&self, layer: usize) -> usize {
        if layer == 0 {
            self.d_embedding
        } else {
            self.d_output()
        }
    }

    fn init_layer(&self, index: usize, device: &Device) -> RecurrentLayer {
        let direction = || self.init_direction(self.d_input(index), device);
        RecurrentLayer {
            forward: direction(),
            backward: self.bidirectional.then(direction),
        }
    }

    fn init_direction(&self, d_input: usize, device: &Device) -> Direction {
        let d = self.d_hidden;
        let width = self.cell.gates() * d;
        let mut input = linear(d_input, width, XAVIER, device);
        let build = match self.cell {
            CellKind::Lstm => {
                let open = Tensor::zeros([width], device);
                let open = open.slice_assign(s![d..2 * d], Tensor::ones([d], device));
                input.bias = Some(Param::from_tensor(open.detach()));
                linear_without_bias
            }
            CellKind::Gru => linear,
        };
        Direction {
            input,
            hidden: build(d, width, XAVIER, device),
            cell: self.cell,
        }
    }

    /// Describes the layers of a valid configuration without building them; shapes are per token.
    pub fn layers(&self) -> Vec<LayerSummary> {
        let describe = |name: String, kind: String, width, parameters| LayerSummary {
            name,
            kind,
            output_shape: vec![width],
            parameters,
        };
        let tokens = self.vocab_size.saturating_mul(self.d_embedding);
        let mut layers = vec![describe(
            "tokens".into(),
            "embedding".into(),
            self.d_embedding,
            tokens,
        )];
        layers.extend((0..self.n_layers.min(MAX_LAYERS)).map(|index| {
            let kind = if self.bidirectional {
                format!("bidirectional {}", self.cell)
            } else {
                self.cell.to_string()
            };
            let parameters = self.layer_parameters(self.d_input(index));
            describe(format!("layers.{index}"), kind, self.d_output(), parameters)
        }));
        let head = linear_parameters(self.d_output(), self.num_classes, true);
        layers.push(describe(
            "head".into(),
            "linear".into(),
            self.num_classes,
            head,
        ));
        layers
    }

    fn layer_parameters(&self, d_input: usize) -> usize {
        let width = self.cell.gates().saturating_mul(self.d_hidden);
        let input = linear_parameters(d_input, width, true);
        let hidden = linear_parameters(self.d_hidden, width, self.cell == CellKind::Gru);
        input
            .saturating_add(hidden)
            .saturating_mul(self.directions())
    }
}

/// An embedding, recurrent layers, pooling and a linear layer.
///
/// ```
/// use burn::tensor::{Bool, Device, Int, Tensor};
/// use tinderbox_models::text::TextRnnConfig;
///
/// let device = Device::flex();
/// let model = TextRnnConfig::new(1000, 4).init(&device);
/// let ids = Tensor::<2, Int>::from_ints([[5, 6, 7]], &device);
/// let padding = Tensor::<2, Bool>::from_data([[false, false, true]], &device);
/// assert_eq!(model.forward(ids, padding).dims(), [1, 4]);
/// ```
#[derive(Module, Debug)]
pub struct TextRnn {
    tokens: Embedding,
    dropout: Dropout,
    layers: Vec<RecurrentLayer>,
    head: Linear,
    #[module(skip)]
    pooling: StatePooling,
}

impl TextRnn {
    /// Computes the logits.
    ///
    /// # Shapes
    ///
    /// - ids: `[batch, seq]`, token ids below the vocabulary size
    /// - padding: `[batch, seq]`, true at padding positions, which are ignored
    /// - output: `[batch, num_classes]`, unnormalized log-probabilities
    ///
    /// # Panics
    ///
    /// If the shapes differ.
    pub fn forward(&self, ids: Tensor<2, Int>, padding: Tensor<2, Bool>) -> Tensor<2> {
        let [batch, seq] = ids.dims();
        assert_shape!(padding, [batch, seq]);
        let mut x = drop_out(&self.dropout, self.tokens.forward(ids));
        let mut last = Vec::new();
        for layer in &self.layers {
            let states = layer.forward(&x, &padding);
            last = states
                .iter()
                .zip([seq - 1, 0])
                .map(|(states, position)| states.clone().narrow(1, position, 1).squeeze_dim(1))
                .collect();
            x = drop_out(&self.dropout, Tensor::cat(states, 2));
        }
        let x = match self.pooling {
            StatePooling::Last => drop_out(&self.dropout, Tensor::cat(last, 1)),
            StatePooling::Mean => mean(x, padding),
        };
        project(&self.head, x)
    }

    /// Number of layers. For parameter groups: their paths begin with `layers.0`, `layers.1` and so on.
    pub fn num_layers(&self) -> usize {
        self.layers.len()
    }
}

#[derive(Module, Debug)]
struct RecurrentLayer {
    forward: Direction,
    backward: Option<Direction>,
}

impl RecurrentLayer {
    /// The states in each direction, `[batch, seq, d_hidden]`.
    fn forward(&self, x: &Tensor<3>, padding: &Tensor<2, Bool>) -> Vec<Tensor<3>> {
        let forward = self.forward.run(x.clone(), padding.clone(), false);
        let backward = self.backward.as_ref();
        let backward = backward.map(|direction| direction.run(x.clone(), padding.clone(), true));
        std::iter::once(forward).chain(backward).collect()
    }
}

#[derive(Module, Debug)]
struct Direction {
    input: Linear,
    hidden: Linear,
    #[module(skip)]
    cell: CellKind,
}

impl Direction {
    /// - x: `[batch, seq, d_input]`
    /// - output: `[batch, seq, d_hidden]`
    fn run(&self, x: Tensor<3>, padding: Tensor<2, Bool>, backwards: bool) -> Tensor<3> {
        let gates = project(&self.input, x);
        let weight = self.hidden.weight.val();
        match (self.cell, &self.hidden.bias) {
            (CellKind::Gru, Some(bias)) => gru(gates, weight, bias.val(), Some(padding), backwards),
            _ => lstm(gates, weight, Some(padding), backwards),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::{total_parameters, trainable_parameters};
    use crate::testing::{
        assert_every_parameter_gets_a_gradient, assert_padding_changes_nothing, assert_round_trips,
        ids, padding, scale_weights, values,
    };

    fn kinds() -> Vec<TextRnnConfig> {
        let base = TextRnnConfig::new(20, 3)
            .with_d_embedding(6)
            .with_d_hidden(5);
        let mut kinds = Vec::new();
        for cell in [CellKind::Lstm, CellKind::Gru] {
            for pooling in [StatePooling::Last, StatePooling::Mean] {
                for (layers, bidirectional) in [(1, false), (1, true), (2, true)] {
                    let config = base.clone().with_cell(cell).with_pooling(pooling);
                    kinds.push(
                        config
                            .with_n_layers(layers)
                            .with_bidirectional(bidirectional),
                    );
                }
            }
        }
        kinds
    }

    #[test]
    fn output_has_a_score_per_class() {
        let device = Device::flex();
        for config in kinds() {
            let model = config.init(&device);
            for seq in [1, 6] {
                let logits =
                    model.forward(ids([3, seq], 20, &device), padding(&[seq; 3], seq, &device));
                assert_eq!(logits.dims(), [3, 3]);
            }
        }
    }

    #[test]
    #[should_panic(expected = "axis 1 expected 4, got 5")]
    fn padding_of_another_shape_is_refused() {
        let device = Device::flex();
        let model = kinds()[0].init(&device);
        model.forward(ids([1, 4], 20, &device), padding(&[5], 5, &device));
    }

    #[test]
    fn a_row_alone_equals_the_row_in_a_batch_with_any_padding() {
        let device = Device::flex();
        for config in kinds() {
            let model = scale_weights(config.init(&device), 3.0);
            assert_padding_changes_nothing(20, |ids, padding| model.forward(ids, padding));
        }
    }

    #[test]
    fn the_order_of_the_tokens_matters() {
        let device = Device::flex();
        for config in kinds() {
            let model = scale_weights(config.init(&device), 3.0);
            let score = |ids: [[i32; 3]; 1]| {
                values(model.forward(Tensor::from_ints(ids, &device), padding(&[3], 3, &device)))
            };
            assert_ne!(score([[4, 5, 6]]), score([[6, 5, 4]]), "{config}");
        }
    }

    #[test]
    fn every_parameter_gets_a_gradient() {
        let device = Device::flex().autodiff();
        for config in kinds() {
            let model = scale_weights(config.init(&device), 3.0);
            let logits =
                model.forward(ids([4, 9], 20, &device), padding(&[9, 3, 7, 1], 9, &device));
            assert_every_parameter_gets_a_gradient(&model, &logits);
        }
    }

    #[test]
    fn forget_gates_are_initially_open() {
        let model = TextRnnConfig::new(20, 3)
            .with_d_hidden(2)
            .init(&Device::flex());
        let bias = model.layers[0].forward.input.bias.as_ref().unwrap();
        assert_eq!(values(bias.val()), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn layers_add_up_to_the_model() {
        for config in kinds() {
            let model = config.init(&Device::flex());
            assert_eq!(model.num_layers(), config.n_layers);
            assert_eq!(
                total_parameters(&config.layers()),
                trainable_parameters(&model)
            );
        }
    }

    #[test]
    fn config_round_trips() {
        for config in kinds() {
            assert_round_trips(&config);
        }
    }

    #[test]
    fn invalid_configurations_are_rejected() {
        let base = TextRnnConfig::new(100, 3);
        for invalid in [
            TextRnnConfig::new(0, 3),
            TextRnnConfig::new(100, 0),
            base.clone().with_d_embedding(0),
            base.clone().with_d_hidden(1_000_000_000_000),
            base.clone().with_d_hidden(usize::MAX),
            base.clone().with_n_layers(0),
            base.clone().with_dropout(1.0),
            base.clone().with_d_hidden(65_536),
        ] {
            assert!(invalid.validate().is_err(), "{invalid}");
        }
        assert_eq!(base.validate(), Ok(()));
    }
}
