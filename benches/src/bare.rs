//! The same networks as the cases', of Burn's own layers and nothing else.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::transformer::{
    TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput,
};
use burn::nn::{
    BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Embedding, EmbeddingConfig, LayerNorm,
    LayerNormConfig, Linear, LinearConfig, PaddingConfig2d,
};
use burn::tensor::activation::relu;
use burn::tensor::{Bool, Device, Int, Tensor};
use tinderbox_models::Template;
use tinderbox_models::tabular::{CategoricalEmbedding, TabularInputs};
use tinderbox_models::text::TextEncoderConfig;
use tinderbox_predict::vision::ImageModelConfig;
use tinderbox_predict::{Classify, tabular};
use tinderbox_recipes::tabular::{BatchTargets, TableBatch};
use tinderbox_train::classify::LabeledBatch;

use crate::net::{TableNet, number};

/// A perceptron or a plain convolutional network.
#[derive(Module, Debug)]
pub(crate) struct Bare {
    convolutions: Vec<(Conv2d, BatchNorm)>,
    pool: MaxPool2d,
    layers: Vec<Linear>,
}

impl Bare {
    /// Makes the network, if it is one of the two.
    pub(crate) fn init(
        config: &ImageModelConfig,
        [mut height, mut width, mut channels]: [usize; 3],
        classes: usize,
        device: &Device,
    ) -> Option<Self> {
        let mut convolutions = Vec::new();
        let hidden = match config {
            ImageModelConfig::Mlp(Template(config)) => config.hidden.clone(),
            ImageModelConfig::Cnn(Template(config)) => {
                for &block in &config.block_channels {
                    let convolution = Conv2dConfig::new([channels, block], [3, 3])
                        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                        .with_bias(false);
                    let norm = BatchNormConfig::new(block);
                    convolutions.push((convolution.init(device), norm.init(device)));
                    (height, width, channels) = (height / 2, width / 2, block);
                }
                vec![config.d_hidden]
            }
            ImageModelConfig::Resnet(_)
            | ImageModelConfig::EfficientnetLite(_)
            | ImageModelConfig::MobilenetV3(_) => return None,
        };
        let mut widths = vec![height * width * channels];
        widths.extend(hidden);
        widths.push(classes);
        Some(Self {
            convolutions,
            pool: MaxPool2dConfig::new([2, 2]).init(),
            layers: linears(&widths, device),
        })
    }
}

fn linears(widths: &[usize], device: &Device) -> Vec<Linear> {
    let linear = |pair: &[usize]| LinearConfig::new(pair[0], pair[1]).init(device);
    widths.windows(2).map(linear).collect()
}

impl Classify for Bare {
    type Input = Tensor<4>;

    fn classify(&self, input: Tensor<4>) -> Tensor<2> {
        let planes = self
            .convolutions
            .iter()
            .fold(input, |x, (convolution, norm)| {
                self.pool
                    .forward(relu(norm.forward(convolution.forward(x))))
            });
        let mut x = planes.flatten(1, 3);
        for (index, layer) in self.layers.iter().enumerate() {
            x = if index == 0 { x } else { relu(x) };
            x = layer.forward(x);
        }
        x
    }
}

/// An encoder of texts with the layers of a case's.
#[derive(Module, Debug)]
pub(crate) struct BareText {
    tokens: Embedding,
    positions: Embedding,
    layers: TransformerEncoder,
    norm: LayerNorm,
    head: Linear,
}

impl BareText {
    /// Makes the network.
    pub(crate) fn init(config: &TextEncoderConfig, device: &Device) -> Self {
        let d_model = config.d_model;
        Self {
            tokens: EmbeddingConfig::new(config.vocab_size, d_model).init(device),
            positions: EmbeddingConfig::new(config.max_len, d_model).init(device),
            layers: TransformerEncoderConfig::new(
                d_model,
                config.d_hidden,
                config.n_heads,
                config.n_layers,
            )
            .with_dropout(config.dropout)
            .with_norm_first(true)
            .init(device),
            norm: LayerNormConfig::new(d_model).init(device),
            head: LinearConfig::new(d_model, config.num_classes).init(device),
        }
    }
}

impl Classify for BareText {
    type Input = (Tensor<2, Int>, Tensor<2, Bool>);

    fn classify(&self, (ids, padding): Self::Input) -> Tensor<2> {
        let [_, seq] = ids.dims();
        let positions = self.positions.weight.val().narrow(0, 0, seq).unsqueeze();
        let x = self.tokens.forward(ids) + positions;
        let input = TransformerEncoderInput::new(x).mask_pad(padding);
        let x = self.norm.forward(self.layers.forward(input));
        self.head.forward(x.mean_dim(1).flatten(1, 2))
    }
}

/// A perceptron over learned vectors of words.
#[derive(Module, Debug)]
pub(crate) struct BareTable {
    words: Embedding,
    layers: Vec<Linear>,
    dropout: Dropout,
    #[module(skip)]
    offsets: Vec<i32>,
}

impl BareTable {
    /// Makes the network, if it is such a perceptron.
    pub(crate) fn init(table: &TableNet, device: &Device) -> Option<Self> {
        let (
            tabular::Architecture::Mlp(Template(config)),
            &CategoricalEmbedding::Learned { d_embedding },
        ) = (&table.model, &table.features.categorical_embedding)
        else {
            return None;
        };
        let (hidden, dropout, sizes) = (&config.hidden, config.dropout, &table.sizes);
        let values: usize = sizes.cardinalities.iter().sum();
        let mut widths = vec![sizes.n_numeric + d_embedding * sizes.cardinalities.len()];
        widths.extend(hidden);
        widths.push(sizes.d_output);
        let offsets = sizes.cardinalities.iter().scan(0, |next, &values| {
            let own = *next;
            *next += number(values);
            Some(own)
        });
        Some(Self {
            words: EmbeddingConfig::new(values, d_embedding).init(device),
            layers: linears(&widths, device),
            dropout: DropoutConfig::new(dropout).init(),
            offsets: offsets.collect(),
        })
    }

    /// The same rows, as [`Classify`] takes them.
    pub(crate) fn batch(batch: TableBatch) -> LabeledBatch<TabularInputs> {
        let labels = match batch.targets {
            BatchTargets::Classes(labels) => labels,
            BatchTargets::Numbers(numbers) => numbers.int(),
        };
        LabeledBatch::new(batch.rows, labels)
    }
}

impl Classify for BareTable {
    type Input = TabularInputs;

    fn classify(&self, rows: TabularInputs) -> Tensor<2> {
        let mut columns = Vec::new();
        columns.extend(rows.numeric().cloned());
        if let Some(codes) = rows.categorical() {
            let offsets = Tensor::<1, Int>::from_ints(self.offsets.as_slice(), &codes.device());
            let words = self.words.forward(codes.clone() + offsets.unsqueeze());
            columns.push(words.flatten(1, 2));
        }
        let mut x = Tensor::cat(columns, 1);
        for (index, layer) in self.layers.iter().enumerate() {
            if index > 0 {
                x = self.dropout.forward(relu(x));
            }
            x = layer.forward(x);
        }
        x
    }
}
