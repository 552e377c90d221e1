//! The networks for texts.

use burn::module::Module;
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use tinderbox_models::layers::merge_lora;
use tinderbox_models::text::{
    BertClassifier, BertTagger, ByteEncoder, FastText, Gpt, TextCnn, TextEncoder, TextRnn,
};

use super::tokenizer::Tokens;
use crate::model_dir::{self, WeightsError};

/// A network for texts.
#[derive(Module, Debug)]
pub enum TextModel {
    /// Transformer encoder.
    Encoder(TextEncoder),
    /// Mean of vectors.
    Bag(FastText),
    /// Convolutional.
    Cnn(TextCnn),
    /// LSTM or GRU.
    Recurrent(TextRnn),
    /// Transformer encoder on bytes.
    Bytes(ByteEncoder),
    /// BERT with a head for sequence classification.
    Bert(BertClassifier),
    /// BERT with a head for token classification.
    Tagger(BertTagger),
    /// Language model.
    Gpt(Gpt),
}

/// A batch of tokenized texts.
#[derive(Clone, Debug)]
pub struct TokenBatch {
    /// Token ids, `[batch, seq]`.
    pub ids: Tensor<2, Int>,
    /// 0 for tokens of the first text of a pair and 1 for those of the second, `[batch, seq]`; `None`
    /// without pairs.
    pub types: Option<Tensor<2, Int>>,
    /// True for padding, `[batch, seq]`.
    pub padding: Tensor<2, Bool>,
}

impl TokenBatch {
    /// Pads texts to the length of the longest.
    pub fn new(texts: &[&Tokens], padding: u32, device: &Device) -> Self {
        let (batch, seq) = (texts.len(), longest(texts));
        let mut ids = vec![token_id(padding); batch * seq];
        let mut is_padding = vec![true; batch * seq];
        let mut types = Vec::new();
        if texts.iter().any(|text| text.second < text.ids.len()) {
            types = vec![0_i32; batch * seq];
        }
        for (row, text) in texts.iter().enumerate() {
            let at = row * seq;
            for (position, &token) in text.ids.iter().enumerate() {
                ids[at + position] = token_id(token);
                is_padding[at + position] = false;
            }
            if !types.is_empty() {
                types[at + text.second..at + text.ids.len()].fill(1);
            }
        }
        let tensor = |values: Vec<i32>| {
            Tensor::<2, Int>::from_data(TensorData::new(values, [batch, seq]), device)
        };
        Self {
            types: (!types.is_empty()).then(|| tensor(types)),
            ids: tensor(ids),
            padding: Tensor::<2, Bool>::from_data(
                TensorData::new(is_padding, [batch, seq]),
                device,
            ),
        }
    }
}

/// An empty text is one padding token.
fn longest(texts: &[&Tokens]) -> usize {
    let lengths = texts.iter().map(|text| text.ids.len());
    lengths.max().unwrap_or(0).max(1)
}

/// A token id for a tensor; no vocabulary is as large as its maximum.
pub fn token_id(token: u32) -> i32 {
    i32::try_from(token).unwrap_or(i32::MAX)
}

impl TextModel {
    /// Scores texts.
    ///
    /// # Shapes
    ///
    /// - output: `[batch, outputs]`, unnormalized log-probabilities
    ///
    /// # Panics
    ///
    /// If the network scores tokens.
    pub fn forward(&self, inputs: TokenBatch) -> Tensor<2> {
        let TokenBatch {
            ids,
            types,
            padding,
        } = inputs;
        match self {
            Self::Encoder(net) => net.forward(ids, padding),
            Self::Bag(net) => net.forward(ids, padding),
            Self::Cnn(net) => net.forward(ids, padding),
            Self::Recurrent(net) => net.forward(ids, padding),
            Self::Bytes(net) => net.forward(ids, padding),
            Self::Bert(net) => net.forward(ids, types, padding),
            Self::Tagger(_) | Self::Gpt(_) => unreachable!("the network scores tokens"),
        }
    }

    /// Scores each token: its tag, or the next token.
    ///
    /// # Shapes
    ///
    /// - output: `[batch, seq, outputs]`, unnormalized log-probabilities
    ///
    /// # Panics
    ///
    /// If the network scores texts.
    pub fn forward_tokens(&self, inputs: TokenBatch) -> Tensor<3> {
        match self {
            Self::Encoder(net) => net.forward_tokens(inputs.ids, inputs.padding),
            Self::Tagger(net) => net.forward(inputs.ids, inputs.types, inputs.padding),
            Self::Gpt(net) => net.forward(inputs.ids),
            _ => unreachable!("the network scores texts"),
        }
    }

    /// Number of Transformer layers of pretrained weights; 0 for other networks.
    pub fn num_layers(&self) -> usize {
        match self {
            Self::Bert(net) => net.num_layers(),
            Self::Tagger(net) => net.num_layers(),
            _ => 0,
        }
    }

    /// Number of positions that pretrained weights have; `None` for other networks.
    pub fn max_len(&self) -> Option<usize> {
        match self {
            Self::Bert(net) => Some(net.bert().max_len()),
            Self::Tagger(net) => Some(net.bert().max_len()),
            _ => None,
        }
    }

    /// One vector per text, `[batch, d_model]`, of the networks that have one.
    pub fn embed(&self, inputs: TokenBatch) -> Option<Tensor<2>> {
        let TokenBatch { ids, padding, .. } = inputs;
        match self {
            Self::Encoder(net) => Some(net.embed(ids, padding)),
            Self::Bag(net) => Some(net.embed(ids, padding)),
            Self::Bert(net) => Some(net.bert().embed(ids, padding)),
            Self::Tagger(net) => Some(net.bert().embed(ids, padding)),
            _ => None,
        }
    }

    /// Weights as [`model_dir::to_bytes`] writes them: of the variant itself, so that their names are
    /// those of the network.
    ///
    /// # Errors
    ///
    /// If Burn cannot write them.
    pub fn to_bytes(&self) -> Result<Vec<u8>, WeightsError> {
        match self {
            Self::Encoder(net) => model_dir::to_bytes(net),
            Self::Bag(net) => model_dir::to_bytes(net),
            Self::Cnn(net) => model_dir::to_bytes(net),
            Self::Recurrent(net) => model_dir::to_bytes(net),
            Self::Bytes(net) => model_dir::to_bytes(net),
            // Adapters are merged into the network.
            Self::Bert(net) => model_dir::to_bytes(&merge_lora(net.clone())),
            Self::Tagger(net) => model_dir::to_bytes(&merge_lora(net.clone())),
            Self::Gpt(net) => model_dir::to_bytes(net),
        }
    }

    /// The same network with weights that [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    ///
    /// If they are damaged or do not fit the network.
    pub fn with_bytes(self, bytes: Vec<u8>) -> Result<Self, WeightsError> {
        Ok(match self {
            Self::Encoder(net) => Self::Encoder(model_dir::from_bytes(bytes, net)?),
            Self::Bag(net) => Self::Bag(model_dir::from_bytes(bytes, net)?),
            Self::Cnn(net) => Self::Cnn(model_dir::from_bytes(bytes, net)?),
            Self::Recurrent(net) => Self::Recurrent(model_dir::from_bytes(bytes, net)?),
            Self::Bytes(net) => Self::Bytes(model_dir::from_bytes(bytes, net)?),
            Self::Bert(net) => Self::Bert(model_dir::from_bytes(bytes, net)?),
            Self::Tagger(net) => Self::Tagger(model_dir::from_bytes(bytes, net)?),
            Self::Gpt(net) => Self::Gpt(model_dir::from_bytes(bytes, net)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(ids: &[u32], second: usize) -> Tokens {
        Tokens {
            ids: ids.to_vec(),
            second,
            ..Tokens::default()
        }
    }

    #[test]
    fn a_batch_is_as_long_as_its_longest_text() {
        let texts = [text(&[5, 6, 7], 3), text(&[8], 1)];
        let batch = TokenBatch::new(&texts.iter().collect::<Vec<_>>(), 0, &Device::flex());
        assert_eq!(batch.ids.dims(), [2, 3]);
        assert!(batch.types.is_none());
        let padding = batch.padding.into_data().try_to_vec::<bool>().unwrap();
        assert_eq!(padding, [false, false, false, false, true, true]);
    }

    #[test]
    fn the_second_text_of_a_pair_is_marked() {
        let texts = [text(&[5, 6, 7], 1), text(&[8, 9], 2)];
        let batch = TokenBatch::new(&texts.iter().collect::<Vec<_>>(), 0, &Device::flex());
        let types = batch.types.unwrap().try_into_vec_as::<i64>().unwrap();
        assert_eq!(types, [0, 1, 1, 0, 0, 0]);
    }
}
