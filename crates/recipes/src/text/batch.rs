//! Texts as numbers in memory, and the batches that a network takes.

use std::sync::Arc;

use burn::data::dataset::{Dataset, DatasetError};
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use tinderbox_datasets::loader::{BatchContext, Collate};
use tinderbox_datasets::random::{below, uniform};

use super::data::Truth;
use super::error::DataError;
use super::net::TextInputs;
use super::recipe::Augment;
use super::tokenizer::Tokens;

/// Texts with what is true of them.
#[derive(Clone, Debug)]
pub struct TextBatch {
    /// What the network looks at.
    pub inputs: TextInputs,
    /// What is true.
    pub truth: BatchTruth,
}

/// What is true of each text of a batch.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one per batch, and its tensors are on the heap"
)]
pub enum BatchTruth {
    /// Numbers of the classes, `[batch]`.
    Classes(Tensor<1, Int>),
    /// 1 for each label that a text has, else 0, `[batch, labels]`.
    Labels(Tensor<2>),
    /// A number for each token, and which tokens have one.
    Tokens {
        /// Tag, or the token that comes next, `[batch * seq]`.
        wanted: Tensor<1, Int>,
        /// Rows of `wanted` that count; all if absent.
        counted: Option<Tensor<1, Int>>,
    },
}

/// Puts texts of different lengths into one tensor, as long as the longest.
pub fn pad(texts: &[&Tokens], padding: u32, device: &Device) -> TextInputs {
    let (batch, seq) = (texts.len(), longest(texts));
    let mut ids = vec![id(padding); batch * seq];
    let mut empty = vec![true; batch * seq];
    let mut types = Vec::new();
    if texts.iter().any(|text| text.second < text.ids.len()) {
        types = vec![0_i32; batch * seq];
    }
    for (row, text) in texts.iter().enumerate() {
        let at = row * seq;
        for (place, &token) in text.ids.iter().enumerate() {
            ids[at + place] = id(token);
            empty[at + place] = false;
        }
        if !types.is_empty() {
            types[at + text.second..at + text.ids.len()].fill(1);
        }
    }
    let tensor = |values: Vec<i32>| {
        Tensor::<2, Int>::from_data(TensorData::new(values, [batch, seq]), device)
    };
    TextInputs {
        types: (!types.is_empty()).then(|| tensor(types)),
        ids: tensor(ids),
        padding: Tensor::<2, Bool>::from_data(TensorData::new(empty, [batch, seq]), device),
    }
}

/// An empty text is one token of padding.
fn longest(texts: &[&Tokens]) -> usize {
    let lengths = texts.iter().map(|text| text.ids.len());
    lengths.max().unwrap_or(0).max(1)
}

/// Tokens of texts with what is true of them, in memory as batches take them.
#[derive(Clone, Debug)]
pub struct Sample {
    texts: Arc<Vec<Tokens>>,
    truth: Arc<Truth>,
    /// Rows of the two that belong to this sample.
    rows: Vec<usize>,
    padding: u32,
    /// Token of unknown words.
    unknown: Option<u32>,
    augment: Augment,
}

impl Sample {
    /// Some rows of encoded texts.
    pub(crate) fn new(
        texts: &Arc<Vec<Tokens>>,
        truth: &Arc<Truth>,
        rows: &[usize],
        padding: u32,
    ) -> Self {
        Self {
            texts: Arc::clone(texts),
            truth: Arc::clone(truth),
            rows: rows.to_vec(),
            padding,
            unknown: None,
            augment: Augment::default(),
        }
    }

    /// The same with tokens left out or hidden by chance.
    pub(crate) fn augmented(mut self, augment: &Augment, unknown: Option<u32>) -> Self {
        self.augment = augment.clone();
        self.unknown = unknown;
        self
    }

    /// Class of each text; empty for another task.
    pub(crate) fn classes(&self) -> Vec<usize> {
        match &*self.truth {
            Truth::Classes(classes) => self.rows.iter().map(|&row| classes[row]).collect(),
            Truth::Labels(_) | Truth::Tags(_) => Vec::new(),
        }
    }

    /// Tokens of each text.
    pub(crate) fn lengths(&self) -> Vec<usize> {
        let rows = self.rows.iter();
        rows.map(|&row| self.texts[row].ids.len()).collect()
    }

    fn truth(&self, rows: &[usize], seq: usize, device: &Device) -> BatchTruth {
        let rows = rows.iter().map(|&at| self.rows[at]);
        match &*self.truth {
            Truth::Classes(classes) => {
                let labels: Vec<i32> = rows.map(|row| number(classes[row])).collect();
                let count = labels.len();
                BatchTruth::Classes(Tensor::from_data(TensorData::new(labels, [count]), device))
            }
            Truth::Labels(flags) => {
                let wide = flags.first().map_or(0, Vec::len);
                let values: Vec<f32> = rows
                    .flat_map(|row| flags[row].iter().map(|&flag| f32::from(u8::from(flag))))
                    .collect();
                let count = values.len() / wide.max(1);
                let data = TensorData::new(values, [count, wide]);
                BatchTruth::Labels(Tensor::from_data(data, device))
            }
            Truth::Tags(tags) => {
                let (mut wanted, mut counted) = (Vec::new(), Vec::new());
                for (at, row) in rows.enumerate() {
                    for (&place, &tag) in self.texts[row].words.iter().zip(&tags[row]) {
                        counted.push(number(at * seq + place));
                        wanted.push(number(tag));
                    }
                }
                let count = wanted.len();
                let tensor = |values| Tensor::from_data(TensorData::new(values, [count]), device);
                BatchTruth::Tokens {
                    wanted: tensor(wanted),
                    counted: Some(tensor(counted)),
                }
            }
        }
    }
}

/// The rows by their numbers: what a batch needs is copied once, by [`Collate`].
impl Dataset<usize> for Sample {
    fn get(&self, index: usize) -> Result<usize, DatasetError> {
        Ok(index)
    }

    fn len(&self) -> usize {
        self.rows.len()
    }
}

impl Collate<usize, TextBatch> for Sample {
    fn collate(
        &self,
        rows: Vec<usize>,
        context: &BatchContext,
        device: &Device,
    ) -> Result<TextBatch, DatasetError> {
        let texts: Vec<&Tokens> = rows.iter().map(|&at| &self.texts[self.rows[at]]).collect();
        let inputs = if self.augment == Augment::default() {
            pad(&texts, self.padding, device)
        } else {
            let thinned: Vec<Tokens> = texts
                .iter()
                .enumerate()
                .map(|(at, text)| self.thin(text, context, at))
                .collect();
            pad(&thinned.iter().collect::<Vec<_>>(), self.padding, device)
        };
        let [_, seq] = inputs.ids.dims();
        let truth = self.truth(&rows, seq, device);
        Ok(TextBatch { inputs, truth })
    }
}

impl Sample {
    /// Leaves tokens out and hides others by chance; places of words are kept, so texts with tags stay whole.
    fn thin(&self, text: &Tokens, context: &BatchContext, at: usize) -> Tokens {
        if !text.words.is_empty() {
            return text.clone();
        }
        let mut stream = context.item_stream(at);
        let mut thinned = Tokens {
            cut: text.cut,
            ..Tokens::default()
        };
        let last = text.ids.len().saturating_sub(1);
        for (place, &id) in text.ids.iter().enumerate() {
            if place == text.second {
                thinned.second = thinned.ids.len();
            }
            // Marks at both ends stay.
            if place == 0 || place == last {
                thinned.ids.push(id);
                continue;
            }
            let [dropped, hidden] = [(); 2].map(|()| f64::from(uniform(&mut stream)));
            if dropped < self.augment.drop_tokens {
                continue;
            }
            let hide = hidden < self.augment.hide_tokens;
            thinned
                .ids
                .push(self.unknown.filter(|_| hide).unwrap_or(id));
        }
        if text.second >= text.ids.len() {
            thinned.second = thinned.ids.len();
        }
        thinned
    }
}

/// A token, of which there are never as many.
pub(crate) fn id(token: u32) -> i32 {
    i32::try_from(token).unwrap_or(i32::MAX)
}

/// A class or a place, of which there are never as many.
fn number(class: usize) -> i32 {
    i32::try_from(class).unwrap_or(i32::MAX)
}

/// Windows of a running text, each with the token that follows each of its own.
#[derive(Clone, Debug)]
pub struct Windows {
    tokens: Arc<Vec<u32>>,
    /// Tokens of a window.
    width: usize,
    /// Whether windows begin by chance, as for training, or lie side by side.
    by_chance: bool,
}

impl Windows {
    /// Windows of `width` tokens.
    ///
    /// # Errors
    ///
    /// If there are too few tokens for one.
    pub(crate) fn new(tokens: Vec<u32>, width: usize, by_chance: bool) -> Result<Self, DataError> {
        if tokens.len() <= width {
            return Err(DataError::TooShort {
                tokens: tokens.len(),
                window: width,
            });
        }
        Ok(Self {
            tokens: Arc::new(tokens),
            width,
            by_chance,
        })
    }
}

impl Dataset<usize> for Windows {
    fn get(&self, index: usize) -> Result<usize, DatasetError> {
        Ok(index)
    }

    /// As many windows as lie side by side.
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
        let mut wanted = Vec::with_capacity(batch * seq);
        for (at, window) in windows.into_iter().enumerate() {
            let from = if self.by_chance {
                below(&mut context.item_stream(at), self.tokens.len() - seq)
            } else {
                window * seq
            };
            let tokens = |from: usize| self.tokens[from..from + seq].iter().copied().map(id);
            ids.extend(tokens(from));
            wanted.extend(tokens(from + 1));
        }
        let padding = TensorData::new(vec![false; batch * seq], [batch, seq]);
        Ok(TextBatch {
            inputs: TextInputs {
                ids: Tensor::from_data(TensorData::new(ids, [batch, seq]), device),
                types: None,
                padding: Tensor::from_data(padding, device),
            },
            truth: BatchTruth::Tokens {
                wanted: Tensor::from_data(TensorData::new(wanted, [batch * seq]), device),
                counted: None,
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
    fn a_batch_is_as_long_as_its_longest_text() {
        let texts = [text(&[5, 6, 7], 3), text(&[8], 1)];
        let inputs = pad(&texts.iter().collect::<Vec<_>>(), 0, &Device::flex());
        assert_eq!(inputs.ids.dims(), [2, 3]);
        assert!(inputs.types.is_none());
        let padding = inputs.padding.into_data().try_to_vec::<bool>().unwrap();
        assert_eq!(padding, [false, false, false, false, true, true]);
    }

    #[test]
    fn the_second_text_of_a_pair_is_marked() {
        let texts = [text(&[5, 6, 7], 1), text(&[8, 9], 2)];
        let inputs = pad(&texts.iter().collect::<Vec<_>>(), 0, &Device::flex());
        let types = inputs.types.unwrap().try_into_vec_as::<i64>().unwrap();
        assert_eq!(types, [0, 1, 1, 0, 0, 0]);
    }

    #[test]
    fn tags_stand_where_their_words_begin() {
        let texts = Arc::new(vec![Tokens {
            ids: vec![2, 10, 11, 12, 3],
            second: 5,
            words: vec![1, 3],
            cut: false,
        }]);
        let truth = Arc::new(Truth::Tags(vec![vec![4, 5]]));
        let sample = Sample::new(&texts, &truth, &[0], 0);
        let batch = sample.collate(vec![0], &context(vec![0]), &Device::flex());
        let BatchTruth::Tokens { wanted, counted } = batch.unwrap().truth else {
            panic!("not tags");
        };
        assert_eq!(wanted.try_into_vec_as::<i64>().unwrap(), [4, 5]);
        assert_eq!(counted.unwrap().try_into_vec_as::<i64>().unwrap(), [1, 3]);
    }

    #[test]
    fn what_follows_is_the_next_token() {
        let windows = Windows::new((0..100).collect(), 9, true).unwrap();
        assert_eq!(windows.len(), 11);
        let batch = windows.collate(vec![0, 3], &context(vec![0, 3]), &Device::flex());
        let batch = batch.unwrap();
        let ids = batch.inputs.ids.try_into_vec_as::<i64>().unwrap();
        let BatchTruth::Tokens { wanted, .. } = batch.truth else {
            panic!("no tokens");
        };
        let wanted = wanted.try_into_vec_as::<i64>().unwrap();
        assert!(ids.iter().zip(&wanted).all(|(id, next)| id + 1 == *next));
        assert!(Windows::new(vec![0; 9], 9, false).is_err());
    }

    #[test]
    fn tokens_are_dropped_and_hidden_alike_in_the_same_epoch_and_never_at_the_ends() {
        let texts = Arc::new(vec![text(&(2..60).collect::<Vec<_>>(), 58)]);
        let truth = Arc::new(Truth::Classes(vec![0]));
        let augment = Augment {
            drop_tokens: 0.5,
            hide_tokens: 0.2,
        };
        let sample = Sample::new(&texts, &truth, &[0], 0).augmented(&augment, Some(1));
        let ids = || {
            let batch = sample.collate(vec![0], &context(vec![0]), &Device::flex());
            batch.unwrap().inputs.ids.try_into_vec_as::<i64>().unwrap()
        };
        let thinned = ids();
        assert_eq!(thinned, ids());
        assert!((10..50).contains(&thinned.len()), "{}", thinned.len());
        assert_eq!((thinned[0], *thinned.last().unwrap()), (2, 59));
        let hidden = thinned.iter().filter(|&&id| id == 1).count();
        assert!((1..15).contains(&hidden), "{hidden}");
    }
}
