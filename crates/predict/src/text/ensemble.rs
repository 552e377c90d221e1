//! Networks for texts that predict together.

use burn::tensor::activation::{sigmoid, softmax};
use burn::tensor::{Device, Tensor};

use super::net::{TextModel, TokenBatch};
use super::task::TextTask;
use super::tokenizer::Tokens;
use crate::PredictError;
use crate::calibration::Temperature;
use crate::ensemble::finite;

/// Most tokens of a batch, padding included.
pub const MAX_BATCH_TOKENS: usize = 8_192;

/// Smallest probability of which the logarithm is taken.
const SMALLEST: f32 = 1e-30;

/// Networks whose probabilities are averaged and then calibrated.
#[derive(Clone, Debug)]
pub struct TextEnsemble {
    /// The networks.
    pub models: Vec<TextModel>,
    /// Their task.
    pub task: TextTask,
    /// The padding token.
    pub padding: u32,
    /// Number of scores per text or token.
    pub num_outputs: usize,
    /// Divides the logarithms of the mean probabilities of classes, or the log-odds of labels.
    pub temperature: Temperature,
}

impl TextEnsemble {
    /// Probabilities: of each class or label of each text, or of each tag of each of its words.
    ///
    /// # Errors
    ///
    /// If the device fails.
    pub fn probabilities(
        &self,
        texts: &[&Tokens],
        device: &Device,
    ) -> Result<Vec<Vec<f32>>, PredictError> {
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|&at| texts[at].ids.len());
        let mut probabilities = vec![Vec::new(); texts.len()];
        let mut from = 0;
        while from < order.len() {
            let mut to = from + 1;
            let fits = |to: usize| {
                let longest = texts[order[to - 1]].ids.len().max(1);
                longest * (to - from) <= MAX_BATCH_TOKENS
            };
            while to < order.len() && fits(to + 1) {
                to += 1;
            }
            let batch: Vec<&Tokens> = order[from..to].iter().map(|&at| texts[at]).collect();
            let rows = self.batch_probabilities(&batch, device)?;
            for (&at, row) in order[from..to].iter().zip(rows) {
                probabilities[at] = row;
            }
            from = to;
        }
        Ok(probabilities)
    }

    fn batch_probabilities(
        &self,
        texts: &[&Tokens],
        device: &Device,
    ) -> Result<Vec<Vec<f32>>, PredictError> {
        let batch = TokenBatch::new(texts, self.padding, device);
        if self.task == TextTask::TokenClassification {
            return self.tag_probabilities(texts, &batch);
        }
        let outputs = self.num_outputs;
        let mut all = self.mean(|model| {
            let scores = model.forward(batch.clone());
            match self.task {
                TextTask::MultiLabel => sigmoid(scores),
                _ => softmax(scores, 1),
            }
        })?;
        if self.temperature != Temperature::default() {
            all = match self.task {
                TextTask::MultiLabel => self.temperature.sigmoid(&log_odds(&all)),
                _ => self.temperature.softmax(&logarithms(&all), outputs),
            };
        }
        Ok(all.chunks_exact(outputs).map(<[f32]>::to_vec).collect())
    }

    fn tag_probabilities(
        &self,
        texts: &[&Tokens],
        batch: &TokenBatch,
    ) -> Result<Vec<Vec<f32>>, PredictError> {
        let outputs = self.num_outputs;
        let [_, seq] = batch.ids.dims();
        let all = self.mean(|model| {
            let scores = model.forward_tokens(batch.clone());
            softmax(scores.reshape([texts.len() * seq, outputs]), 1)
        })?;
        let word = |row: usize, position: usize| {
            let at = (row * seq + position) * outputs;
            all[at..at + outputs].to_vec()
        };
        let rows = texts.iter().enumerate();
        let rows = rows.map(|(row, text)| {
            let positions = text.words.iter();
            positions.flat_map(|&at| word(row, at)).collect()
        });
        Ok(rows.collect())
    }

    /// Fits the temperature on texts that were not trained on, with their classes. Without texts the
    /// probabilities stay as they are.
    ///
    /// # Errors
    ///
    /// If the device fails.
    pub fn calibrate_classes(
        &mut self,
        texts: &[&Tokens],
        classes: &[usize],
        device: &Device,
    ) -> Result<(), PredictError> {
        let logits = logarithms(&self.probabilities(texts, device)?.concat());
        let fitted = Temperature::fit(&logits, self.num_outputs, classes);
        self.temperature = fitted.unwrap_or_default();
        Ok(())
    }

    /// The same with a flag for each label of each text, row after row.
    ///
    /// # Errors
    ///
    /// If the device fails.
    pub fn calibrate_labels(
        &mut self,
        texts: &[&Tokens],
        flags: &[bool],
        device: &Device,
    ) -> Result<(), PredictError> {
        let logits = log_odds(&self.probabilities(texts, device)?.concat());
        let fitted = Temperature::fit_binary(&logits, flags);
        self.temperature = fitted.unwrap_or_default();
        Ok(())
    }

    fn mean(&self, output: impl Fn(&TextModel) -> Tensor<2>) -> Result<Vec<f32>, PredictError> {
        let sum = self.models.iter().map(output).reduce(|a, b| a + b);
        let Some(sum) = sum else {
            return Ok(Vec::new());
        };
        let mean = sum.div_scalar(self.models.len() as f64);
        let mean = mean.try_into_vec_as::<f32>();
        finite(mean.map_err(PredictError::device)?)
    }
}

fn logarithms(probabilities: &[f32]) -> Vec<f32> {
    probabilities.iter().map(|p| p.max(SMALLEST).ln()).collect()
}

fn log_odds(probabilities: &[f32]) -> Vec<f32> {
    let odds = |p: f32| p.max(SMALLEST).ln() - (1.0 - p).max(f32::EPSILON / 2.0).ln();
    probabilities.iter().map(|&p| odds(p)).collect()
}
