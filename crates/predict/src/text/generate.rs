//! Text generation.

use burn::tensor::{Int, Tensor, TensorData};
use tinderbox_datasets::random::{Stream, stream, uniform_f64};
use tinderbox_models::text::Gpt;

use super::error::unsupported;
use super::net::{TextModel, token_id};
use super::predictor::TextPredictor;
use crate::PredictError;

/// Separates this random stream from others of the same seed.
const STREAM: u64 = 21;

/// Sampling of the next token.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// Divides the scores; 0 is greedy.
    pub temperature: f64,
    /// Number of most likely tokens to sample from; 0 for all.
    pub top_k: usize,
    /// Random seed.
    pub seed: u64,
    /// Whether to use a key-value cache; without one, each token costs a pass over the whole text.
    pub cached: bool,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 0.8,
            top_k: 0,
            seed: 0,
            cached: true,
        }
    }
}

/// Continues a prompt, token by token.
pub struct Generator<'a> {
    predictor: &'a TextPredictor,
    model: &'a Gpt,
    sampling: Sampling,
    stream: Stream,
    ids: Vec<u32>,
    cache: tinderbox_models::text::KvCache,
    /// Number of tokens that are not in the cache.
    uncached: usize,
    /// Bytes of the text that [`next_text`](Self::next_text) has given.
    read: usize,
}

impl TextPredictor {
    /// Generates text from a prompt.
    ///
    /// # Errors
    ///
    /// If the model is not a language model, the prompt is empty or longer than the context, or a
    /// number of `sampling` is out of range.
    pub fn generate(
        &self,
        prompt: &str,
        sampling: Sampling,
    ) -> Result<Generator<'_>, PredictError> {
        let Some(TextModel::Gpt(model)) = self.ensemble().models.first() else {
            return unsupported("this model does not generate text");
        };
        if !(sampling.temperature >= 0.0 && sampling.temperature <= 100.0) {
            let given = sampling.temperature;
            return unsupported(format!(
                "`--temperature` must be between 0 and 100 (got {given})"
            ));
        }
        let ids = self.tokenizer().encode_plain(prompt)?;
        if ids.is_empty() {
            return unsupported("the prompt is empty");
        }
        let context = model.max_len();
        if ids.len() >= context {
            return unsupported(format!(
                "the prompt has {} tokens, but the context of this model has {context}, of which one is \
                 needed for the output: shorten the prompt",
                ids.len()
            ));
        }
        Ok(Generator {
            predictor: self,
            model,
            stream: stream(sampling.seed, &[STREAM]),
            sampling,
            uncached: ids.len(),
            read: 0,
            cache: model.cache(1, context, self.device()),
            ids,
        })
    }
}

impl Generator<'_> {
    /// Samples the next token.
    ///
    /// # Errors
    ///
    /// If the device fails.
    pub fn step(&mut self) -> Result<u32, PredictError> {
        let scores = self.scores()?;
        let token = self.sample(&scores);
        self.ids.push(token);
        self.uncached = 1;
        Ok(token)
    }

    /// Samples the next token and decodes the new text since the last call, at first with the prompt; a
    /// character of which only some bytes are there waits for the rest.
    ///
    /// # Errors
    ///
    /// If the device fails.
    pub fn next_text(&mut self) -> Result<String, PredictError> {
        self.step()?;
        let text = self.text()?;
        let is_complete = !text.ends_with('\u{fffd}');
        Ok(if is_complete {
            self.unread(&text)
        } else {
            String::new()
        })
    }

    /// The text since the last call of [`next_text`](Self::next_text), complete or not.
    ///
    /// # Errors
    ///
    /// If the tokens cannot be decoded.
    pub fn rest(&mut self) -> Result<String, PredictError> {
        let text = self.text()?;
        Ok(self.unread(&text))
    }

    fn unread(&mut self, text: &str) -> String {
        let unread = text.get(self.read..).unwrap_or_default().to_owned();
        self.read += unread.len();
        unread
    }

    /// The prompt with everything generated so far.
    ///
    /// # Errors
    ///
    /// If the tokens cannot be decoded.
    pub fn text(&self) -> Result<String, PredictError> {
        Ok(self.predictor.tokenizer().decode(&self.ids)?)
    }

    /// Scores of every token of the vocabulary at the next position.
    fn scores(&mut self) -> Result<Vec<f32>, PredictError> {
        let device = self.predictor.device();
        let context = self.model.max_len();
        let next = if self.sampling.cached {
            if self.uncached > self.cache.room() {
                // The context is full: continue from its second half.
                self.cache = self.model.cache(1, context, device);
                self.uncached = self.ids.len().min(context / 2).max(1);
            }
            let ids = self.last(self.uncached);
            self.model.next(ids, &mut self.cache)
        } else {
            let ids = self.last(self.ids.len().min(context));
            let [_, seq] = ids.dims();
            let scores = self.model.forward(ids);
            scores.narrow(1, seq - 1, 1).squeeze_dim::<2>(1)
        };
        next.try_into_vec_as::<f32>().map_err(PredictError::device)
    }

    fn last(&self, count: usize) -> Tensor<2, Int> {
        let ids = &self.ids[self.ids.len() - count..];
        let ids: Vec<i32> = ids.iter().copied().map(token_id).collect();
        Tensor::from_data(TensorData::new(ids, [1, count]), self.predictor.device())
    }

    fn sample(&mut self, scores: &[f32]) -> u32 {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
        if self.sampling.temperature <= 0.0 {
            return order[0] as u32;
        }
        if self.sampling.top_k > 0 {
            order.truncate(self.sampling.top_k);
        }
        let best = f64::from(scores[order[0]]);
        let weight =
            |&at: &usize| ((f64::from(scores[at]) - best) / self.sampling.temperature).exp();
        let weights: Vec<f64> = order.iter().map(weight).collect();
        let mut rest = uniform_f64(&mut self.stream) * weights.iter().sum::<f64>();
        for (&at, weight) in order.iter().zip(&weights) {
            rest -= weight;
            if rest <= 0.0 {
                return at as u32;
            }
        }
        order[0] as u32
    }
}
