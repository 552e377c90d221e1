//! Names of the tensors of published networks.

use super::BertConfig;
use super::hf_config::Family;
use crate::pretrained::NameTable;

impl Family {
    /// The prefix of the network's own tensors where a file also has a head.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Bert => "bert.",
            Self::DistilBert => "distilbert.",
        }
    }

    /// The layer between the network and the head.
    pub(super) fn pooler(self, prefix: &str) -> String {
        match self {
            Self::Bert => format!("{prefix}pooler.dense"),
            Self::DistilBert => "pre_classifier".to_owned(),
        }
    }

    /// The tensors of a [`Bert`](super::Bert). A file may also have those of heads.
    pub(super) fn names(self, prefix: &str, config: &BertConfig) -> NameTable {
        let embeddings = NameTable::new()
            .weight(&format!("{prefix}embeddings.word_embeddings"), "tokens")
            .weight(
                &format!("{prefix}embeddings.position_embeddings"),
                "positions",
            );
        let embeddings = if config.type_vocab_size > 0 {
            embeddings.weight(
                &format!("{prefix}embeddings.token_type_embeddings"),
                "types",
            )
        } else {
            embeddings
        };
        let table = embeddings.layer_norm(&format!("{prefix}embeddings.LayerNorm"), "norm");
        let table = (0..config.n_layers).fold(table, |table, layer| {
            let ours = format!("layers.{layer}");
            match self {
                Self::Bert => bert_layer(table, &format!("{prefix}encoder.layer.{layer}"), &ours),
                Self::DistilBert => {
                    distilbert_layer(table, &format!("{prefix}transformer.layer.{layer}"), &ours)
                }
            }
        });
        table.ignore_others()
    }
}

fn bert_layer(table: NameTable, theirs: &str, ours: &str) -> NameTable {
    let linears = [
        ("attention.self.query", "attention.query"),
        ("attention.self.key", "attention.key"),
        ("attention.self.value", "attention.value"),
        ("attention.output.dense", "attention.output"),
        ("intermediate.dense", "feed_forward.up"),
        ("output.dense", "feed_forward.down"),
    ];
    let norms = [
        ("attention.output.LayerNorm", "attention_norm"),
        ("output.LayerNorm", "feed_forward_norm"),
    ];
    layer(table, [theirs, ours], linears, norms)
}

fn distilbert_layer(table: NameTable, theirs: &str, ours: &str) -> NameTable {
    let linears = [
        ("attention.q_lin", "attention.query"),
        ("attention.k_lin", "attention.key"),
        ("attention.v_lin", "attention.value"),
        ("attention.out_lin", "attention.output"),
        ("ffn.lin1", "feed_forward.up"),
        ("ffn.lin2", "feed_forward.down"),
    ];
    let norms = [
        ("sa_layer_norm", "attention_norm"),
        ("output_layer_norm", "feed_forward_norm"),
    ];
    layer(table, [theirs, ours], linears, norms)
}

fn layer(
    table: NameTable,
    [theirs, ours]: [&str; 2],
    linears: [(&str, &str); 6],
    norms: [(&str, &str); 2],
) -> NameTable {
    let path = |layer: &str, name: &str| format!("{layer}.{name}");
    let table = linears.into_iter().fold(table, |table, (published, name)| {
        table.linear(&path(theirs, published), &path(ours, name))
    });
    norms.into_iter().fold(table, |table, (published, name)| {
        table.layer_norm(&path(theirs, published), &path(ours, name))
    })
}
