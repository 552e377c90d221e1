//! Batches of texts with their targets.

use std::sync::Arc;

use burn::data::dataset::{Dataset, DatasetError};
use burn::tensor::{Device, Int, Tensor, TensorData};
use tinderbox_datasets::loader::{BatchContext, Collate};
use tinderbox_datasets::random::{below, uniform};

use tinderbox_predict::text::{TokenBatch, Tokens, token_id};

use super::data::Targets;
use super::error::DataError;
use super::recipe::Augment;

/// Texts with their targets.
#[derive(Clone, Debug)]
pub struct TextBatch {
    /// The texts.
    pub inputs: TokenBatch,
    /// Their targets.
    pub targets: BatchTargets,
}

/// The targets of a batch.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one per batch, and its tensors are on the heap"
)]
pub enum BatchTargets {
    /// Numbers of the classes, `[batch]`.
    Classes(Tensor<1, Int>),
    /// 1 for each label that a text has, else 0, `[batch, labels]`.
    Labels(Tensor<2>),
    /// Targets of tokens.
    Tokens {
        /// The tag or the next token of each position in `positions`.
        targets: Tensor<1, Int>,
        /// Positions in `[batch * seq]` that have a target; all if `None`.
        positions: Option<Tensor<1, Int>>,
    },
}

/// Tokenized texts of a split with their targets.
#[derive(Clone, Debug)]
pub struct EncodedDataset {
    texts: Arc<Vec<Tokens>>,
    targets: Arc<Targets>,
    /// Positions of the split's texts in both.
    rows: Vec<usize>,
    padding: u32,
    /// The token of unknown words.
    unknown: Option<u32>,
    augment: Augment,
}

impl EncodedDataset {
    /// Some of the tokenized texts.
    pub(crate) fn new(
        texts: &Arc<Vec<Tokens>>,
        targets: &Arc<Targets>,
        rows: &[usize],
        padding: u32,
    ) -> Self {
        Self {
            texts: Arc::clone(texts),
            targets: Arc::clone(targets),
            rows: rows.to_vec(),
            padding,
            unknown: None,
            augment: Augment::default(),
        }
    }

    /// The same texts with random changes.
    pub(crate) fn augmented(mut self, augment: &Augment, unknown: Option<u32>) -> Self {
        self.augment = augment.clone();
        self.unknown = unknown;
        self
    }

    /// The class of each text; empty for other tasks.
    pub(crate) fn classes(&self) -> Vec<usize> {
        match &*self.targets {
            Targets::Classes(classes) => self.rows.iter().map(|&row| classes[row]).collect(),
            Targets::Labels(_) | Targets::Tags(_) => Vec::new(),
        }
    }

    /// Number of tokens of each text.
    pub(crate) fn lengths(&self) -> Vec<usize> {
        let rows = self.rows.iter();
        rows.map(|&row| self.texts[row].ids.len()).collect()
    }

    fn targets(&self, rows: &[usize], seq: usize, device: &Device) -> BatchTargets {
        let rows = rows.iter().map(|&at| self.rows[at]);
        match &*self.targets {
            Targets::Classes(classes) => {
                let labels: Vec<i32> = rows.map(|row| number(classes[row])).collect();
                let count = labels.len();
                BatchTargets::Classes(Tensor::from_data(TensorData::new(labels, [count]), device))
            }
            Targets::Labels(flags) => {
                let wide = flags.first().map_or(0, Vec::len);
                let values: Vec<f32> = rows
                    .flat_map(|row| flags[row].iter().map(|&flag| f32::from(u8::from(flag))))
                    .collect();
                let count = values.len() / wide.max(1);
                let data = TensorData::new(values, [count, wide]);
                BatchTargets::Labels(Tensor::from_data(data, device))
            }
            Targets::Tags(tags) => {
                let (mut targets, mut positions) = (Vec::new(), Vec::new());
                for (at, row) in rows.enumerate() {
                    for (&position, &tag) in self.texts[row].words.iter().zip(&tags[row]) {
                        positions.push(number(at * seq + position));
                        targets.push(number(tag));
                    }
                }
                let count = targets.len();
                let tensor = |values| Tensor::from_data(TensorData::new(values, [count]), device);
                BatchTargets::Tokens {
                    targets: tensor(targets),
                    positions: Some(tensor(positions)),
                }
            }
        }
    }
}

/// The texts by their positions: a batch copies them once, in [`Collate`].
impl Dataset<usize> for EncodedDataset {
    fn get(&self, index: usize) -> Result<usize, DatasetError> {
        Ok(index)
    }

    fn len(&self) -> usize {
        self.rows.len()
    }
}

impl Collate<usize, TextBatch> for EncodedDataset {
    fn collate(
        &self,
        rows: Vec<usize>,
        context: &BatchContext,
        device: &Device,
    ) -> Result<TextBatch, DatasetError> {
        let texts: Vec<&Tokens> = rows.iter().map(|&at| &self.texts[self.rows[at]]).collect();
        let inputs = if self.augment == Augment::default() {
            TokenBatch::new(&texts, self.padding, device)
        } else {
            let changed: Vec<Tokens> = texts
                .iter()
                .enumerate()
                .map(|(at, text)| self.drop_tokens(text, context, at))
                .collect();
            let changed: Vec<&Tokens> = changed.iter().collect();
            TokenBatch::new(&changed, self.padding, device)
        };
        let [_, seq] = inputs.ids.dims();
        let targets = self.targets(&rows, seq, device);
        Ok(TextBatch { inputs, targets })
    }
}

impl EncodedDataset {
    /// Leaves random tokens out and replaces others by the unknown token; texts with tags stay whole.
    fn drop_tokens(&self, text: &Tokens, context: &BatchContext, at: usize) -> Tokens {
        if !text.words.is_empty() {
            return text.clone();
        }
        let mut stream = context.item_stream(at);
        let mut changed = Tokens {
            truncated: text.truncated,
            ..Tokens::default()
        };
        let last = text.ids.len().saturating_sub(1);
        for (position, &id) in text.ids.iter().enumerate() {
            if position == text.second {
                changed.second = changed.ids.len();
            }
            // Special tokens at both ends stay.
            if position == 0 || position == last {
                changed.ids.push(id);
                continue;
            }
            let [drop, replace] = [(); 2].map(|()| f64::from(uniform(&mut stream)));
            if drop < self.augment.token_dropout {
                continue;
            }
            let replace = replace < self.augment.unk_dropout;
            changed
                .ids
                .push(self.unknown.filter(|_| replace).unwrap_or(id));
        }
        if text.second >= text.ids.len() {
            changed.second = changed.ids.len();
        }
        changed
    }
}

/// A class or a position for a tensor; there are never as many as its maximum.
fn number(class: usize) -> i32 {
    i32::try_from(class).unwrap_or(i32::MAX)
}

/// Windows of plain text, with the next token of each position as its target.
#[derive(Clone, Debug)]
pub struct Windows {
    tokens: Arc<Vec<u32>>,
    /// Number of tokens of a window.
    width: usize,
    /// Whether windows begin at random positions, for training, or follow each other.
    random: bool,
}

impl Windows {
    /// Windows of `width` tokens.
    ///
    /// # Errors
    ///
    /// If there are too few tokens for one.
    pub(crate) fn new(
        tokens: impl Into<Arc<Vec<u32>>>,
        width: usize,
        random: bool,
    ) -> Result<Self, DataError> {
        let tokens = tokens.into();
        if tokens.len() <= width {
            return Err(DataError::TooShort {
                tokens: tokens.len(),
                window: width,
            });
        }
        Ok(Self {
            tokens,
            width,
            random,
        })
    }
}

impl Dataset<usize> for Windows {
    fn get(&self, index: usize) -> Result<usize, DatasetError> {
        Ok(index)
    }

    /// Number of windows that follow each other.
    fn len(&self) -> usize {
        (self.tokens.len() - 1) / self.width
    }
}

impl Collate<usize, TextBatch> for Windows {
    fn collate(
        &self,
        windows: Vec<usize>,
        context: &BatchContext,
        device: &Device,
    ) -> Result<TextBatch, DatasetError> {
        let (batch, seq) = (windows.len(), self.width);
        let mut ids = Vec::with_capacity(batch * seq);
        let mut targets = Vec::with_capacity(batch * seq);
        for (at, window) in windows.into_iter().enumerate() {
            let from = if self.random {
                below(&mut context.item_stream(at), self.tokens.len() - seq)
            } else {
                window * seq
            };
            let tokens = |from: usize| self.tokens[from..from + seq].iter().copied().map(token_id);
            ids.extend(tokens(from));
            targets.extend(tokens(from + 1));
        }
        let padding = TensorData::new(vec![false; batch * seq], [batch, seq]);
        Ok(TextBatch {
            inputs: TokenBatch {
                ids: Tensor::from_data(TensorData::new(ids, [batch, seq]), device),
                types: None,
                padding: Tensor::from_data(padding, device),
            },
            targets: BatchTargets::Tokens {
                targets: Tensor::from_data(TensorData::new(targets, [batch * seq]), device),
                positions: None,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(indices: Vec<usize>) -> BatchContext {
        BatchContext {
            seed: 1,
            epoch: 1,
            batch: 0,
            rank: 0,
            indices,
        }
    }

    fn text(ids: &[u32], second: usize) -> Tokens {
        Tokens {
            ids: ids.to_vec(),
            second,
            ..Tokens::default()
        }
    }

    #[test]
    fn tags_are_at_the_first_tokens_of_their_words() {
        let texts = Arc::new(vec![Tokens {
            ids: vec![2, 10, 11, 12, 3],
            second: 5,
            words: vec![1, 3],
            truncated: false,
        }]);
        let targets = Arc::new(Targets::Tags(vec![vec![4, 5]]));
        let dataset = EncodedDataset::new(&texts, &targets, &[0], 0);
        let batch = dataset.collate(vec![0], &context(vec![0]), &Device::flex());
        let BatchTargets::Tokens { targets, positions } = batch.unwrap().targets else {
            panic!("not tags");
        };
        assert_eq!(targets.try_into_vec_as::<i64>().unwrap(), [4, 5]);
        assert_eq!(positions.unwrap().try_into_vec_as::<i64>().unwrap(), [1, 3]);
    }

    #[test]
    fn the_targets_of_windows_are_the_next_tokens() {
        let windows = Windows::new((0..100).collect::<Vec<u32>>(), 9, true).unwrap();
        assert_eq!(windows.len(), 11);
        let batch = windows.collate(vec![0, 3], &context(vec![0, 3]), &Device::flex());
        let batch = batch.unwrap();
        let ids = batch.inputs.ids.try_into_vec_as::<i64>().unwrap();
        let BatchTargets::Tokens { targets, .. } = batch.targets else {
            panic!("no tokens");
        };
        let targets = targets.try_into_vec_as::<i64>().unwrap();
        assert!(ids.iter().zip(&targets).all(|(id, next)| id + 1 == *next));
        assert!(Windows::new(vec![0; 9], 9, false).is_err());
    }

    #[test]
    fn equal_batches_drop_equal_tokens_and_none_at_the_ends() {
        let texts = Arc::new(vec![text(&(2..60).collect::<Vec<_>>(), 58)]);
        let targets = Arc::new(Targets::Classes(vec![0]));
        let augment = Augment {
            token_dropout: 0.5,
            unk_dropout: 0.2,
        };
        let dataset = EncodedDataset::new(&texts, &targets, &[0], 0).augmented(&augment, Some(1));
        let ids = || {
            let batch = dataset.collate(vec![0], &context(vec![0]), &Device::flex());
            batch.unwrap().inputs.ids.try_into_vec_as::<i64>().unwrap()
        };
        let changed = ids();
        assert_eq!(changed, ids());
        assert!((10..50).contains(&changed.len()), "{}", changed.len());
        assert_eq!((changed[0], *changed.last().unwrap()), (2, 59));
        let unknown = changed.iter().filter(|&&id| id == 1).count();
        assert!((1..15).contains(&unknown), "{unknown}");
    }
}
