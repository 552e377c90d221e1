//! What the layers of published networks are called, there and here, and their sizes.

use super::BertConfig;
use super::hf_config::Family;

/// An axis of a tensor.
#[derive(Clone, Copy, Debug)]
pub(super) enum Size {
    Vocabulary,
    Places,
    Types,
    Model,
    FeedForward,
    Classes,
}

impl Size {
    pub(super) fn of(self, config: &BertConfig, classes: usize) -> usize {
        match self {
            Self::Vocabulary => config.vocab_size,
            Self::Places => config.max_len,
            Self::Types => config.type_vocab_size,
            Self::Model => config.d_model,
            Self::FeedForward => config.d_hidden,
            Self::Classes => classes,
        }
    }
}

/// A layer under its published name and ours; `{}` stands for the number of the layer it is in.
#[derive(Clone, Debug)]
pub(super) struct Row {
    theirs: &'static str,
    ours: &'static str,
    weight: Vec<Size>,
    /// Length of the bias, if there is one.
    bias: Option<Size>,
    /// Whether the network's prefix is in front of its name.
    is_inside: bool,
}

impl Row {
    fn embedding(theirs: &'static str, ours: &'static str, count: Size) -> Self {
        Self {
            theirs,
            ours,
            weight: vec![count, Size::Model],
            bias: None,
            is_inside: true,
        }
    }

    /// Sizes are those of PyTorch: outputs, then inputs.
    pub(super) fn linear(theirs: &'static str, ours: &'static str, sizes: [Size; 2]) -> Self {
        Self {
            theirs,
            ours,
            weight: sizes.to_vec(),
            bias: Some(sizes[0]),
            is_inside: !matches!(theirs, "classifier" | "pre_classifier"),
        }
    }

    fn norm(theirs: &'static str, ours: &'static str) -> Self {
        Self {
            theirs,
            ours,
            weight: vec![Size::Model],
            bias: Some(Size::Model),
            is_inside: true,
        }
    }

    pub(super) fn repetitions(&self, config: &BertConfig) -> usize {
        if self.theirs.contains("{}") {
            config.n_layers
        } else {
            1
        }
    }

    /// Names and sizes of what it has.
    pub(super) fn tensors(&self) -> impl Iterator<Item = (&'static str, Vec<Size>)> {
        let bias = self.bias.map(|size| ("bias", vec![size]));
        std::iter::once(("weight", self.weight.clone())).chain(bias)
    }

    /// The published name of one of its tensors, below the network's `prefix`; `{}` stays.
    pub(super) fn published(&self, prefix: &str, tensor: &str) -> String {
        let prefix = if self.is_inside { prefix } else { "" };
        format!("{prefix}{}.{tensor}", self.theirs)
    }

    /// Patterns from published names to ours.
    pub(super) fn patterns(&self, prefix: &str) -> [(String, String); 2] {
        let prefix = if self.is_inside { prefix } else { "" };
        let theirs = format!("{prefix}{}", self.theirs).replace('.', r"\.");
        let theirs = theirs.replace("{}", r"(\d+)");
        let ours = self.ours.replace("{}", "${1}");
        let ours = if ours.is_empty() {
            ours
        } else {
            format!("{ours}.")
        };
        [
            (
                format!(r"^{theirs}\.(weight|gamma)$"),
                format!("{ours}weight"),
            ),
            (format!(r"^{theirs}\.(bias|beta)$"), format!("{ours}bias")),
        ]
    }
}

/// What normalizations are called in the oldest files.
pub(super) fn old_name(name: &str) -> String {
    name.replace("LayerNorm.weight", "LayerNorm.gamma")
        .replace("LayerNorm.bias", "LayerNorm.beta")
}

impl Family {
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Bert => "bert.",
            Self::DistilBert => "distilbert.",
        }
    }

    /// The layer between the network and the head.
    pub(super) fn pooler(self) -> Row {
        let theirs = match self {
            Self::Bert => "pooler.dense",
            Self::DistilBert => "pre_classifier",
        };
        Row::linear(theirs, "", [Size::Model; 2])
    }

    pub(super) fn rows(self) -> Vec<Row> {
        match self {
            Self::Bert => bert_rows(),
            Self::DistilBert => distilbert_rows(),
        }
    }
}

fn bert_rows() -> Vec<Row> {
    use Size::{FeedForward, Model, Places, Types, Vocabulary};
    vec![
        Row::embedding("embeddings.word_embeddings", "tokens", Vocabulary),
        Row::embedding("embeddings.position_embeddings", "positions", Places),
        Row::embedding("embeddings.token_type_embeddings", "types", Types),
        Row::norm("embeddings.LayerNorm", "norm"),
        Row::linear(
            "encoder.layer.{}.attention.self.query",
            "layers.{}.attention.query",
            [Model, Model],
        ),
        Row::linear(
            "encoder.layer.{}.attention.self.key",
            "layers.{}.attention.key",
            [Model, Model],
        ),
        Row::linear(
            "encoder.layer.{}.attention.self.value",
            "layers.{}.attention.value",
            [Model, Model],
        ),
        Row::linear(
            "encoder.layer.{}.attention.output.dense",
            "layers.{}.attention.output",
            [Model, Model],
        ),
        Row::norm(
            "encoder.layer.{}.attention.output.LayerNorm",
            "layers.{}.attention_norm",
        ),
        Row::linear(
            "encoder.layer.{}.intermediate.dense",
            "layers.{}.feed_forward.up",
            [FeedForward, Model],
        ),
        Row::linear(
            "encoder.layer.{}.output.dense",
            "layers.{}.feed_forward.down",
            [Model, FeedForward],
        ),
        Row::norm(
            "encoder.layer.{}.output.LayerNorm",
            "layers.{}.feed_forward_norm",
        ),
    ]
}

fn distilbert_rows() -> Vec<Row> {
    use Size::{FeedForward, Model, Places, Vocabulary};
    vec![
        Row::embedding("embeddings.word_embeddings", "tokens", Vocabulary),
        Row::embedding("embeddings.position_embeddings", "positions", Places),
        Row::norm("embeddings.LayerNorm", "norm"),
        Row::linear(
            "transformer.layer.{}.attention.q_lin",
            "layers.{}.attention.query",
            [Model, Model],
        ),
        Row::linear(
            "transformer.layer.{}.attention.k_lin",
            "layers.{}.attention.key",
            [Model, Model],
        ),
        Row::linear(
            "transformer.layer.{}.attention.v_lin",
            "layers.{}.attention.value",
            [Model, Model],
        ),
        Row::linear(
            "transformer.layer.{}.attention.out_lin",
            "layers.{}.attention.output",
            [Model, Model],
        ),
        Row::norm(
            "transformer.layer.{}.sa_layer_norm",
            "layers.{}.attention_norm",
        ),
        Row::linear(
            "transformer.layer.{}.ffn.lin1",
            "layers.{}.feed_forward.up",
            [FeedForward, Model],
        ),
        Row::linear(
            "transformer.layer.{}.ffn.lin2",
            "layers.{}.feed_forward.down",
            [Model, FeedForward],
        ),
        Row::norm(
            "transformer.layer.{}.output_layer_norm",
            "layers.{}.feed_forward_norm",
        ),
    ]
}
