//! Going on with a text.

use burn::tensor::{Int, Tensor, TensorData};
use tinderbox_datasets::random::{Stream, stream, uniform_f64};
use tinderbox_models::text::Gpt;

use super::answers::Task;
use super::batch::id;
use super::error::TextRecipeError;
use super::net::TextNet;
use super::predict::Predictor;

/// Keeps this stream apart from others of the same seed.
const WRITE: u64 = 21;

/// How the next token is chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// By what scores are divided: below 1 for the likely, above 1 for the surprising; 0 always
    /// takes the likeliest.
    pub temperature: f64,
    /// Most tokens that are chosen from, the likeliest; 0 for all.
    pub top_k: usize,
    /// Seed of the choices.
    pub seed: u64,
    /// Whether what was computed for earlier tokens is kept. Without, each token costs a pass over
    /// the whole text.
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

/// Goes on with a text, token by token.
pub struct Writer<'a> {
    predictor: &'a Predictor,
    net: &'a Gpt,
    sampling: Sampling,
    stream: Stream,
    ids: Vec<u32>,
    cache: tinderbox_models::text::KvCache,
    /// Tokens that the cache has not seen.
    fresh: usize,
}

impl Predictor {
    /// Begins to go on with `prompt`.
    ///
    /// # Errors
    ///
    /// If the model is no language model, the prompt is empty or longer than the context, or a
    /// number of `sampling` makes no sense.
    pub fn write(&self, prompt: &str, sampling: Sampling) -> Result<Writer<'_>, TextRecipeError> {
        let refuse = |message: String| Err(TextRecipeError::Asked(message));
        let (Task::Next, Some(TextNet::Gpt(net))) = (self.task(), self.committee.nets.first())
        else {
            return refuse("this model classifies texts and does not write any".to_owned());
        };
        if !(sampling.temperature >= 0.0 && sampling.temperature <= 100.0) {
            let given = sampling.temperature;
            return refuse(format!(
                "the temperature is {given}, and must be from 0 to 100"
            ));
        }
        let ids = self.tokenizer.encode_running(prompt)?;
        if ids.is_empty() {
            return refuse("the prompt is empty: give it at least one letter".to_owned());
        }
        if ids.len() >= net.max_len() {
            return refuse(format!(
                "the prompt has {} tokens, and the context of this model has room for {}, one of \
                 them for the answer: shorten it",
                ids.len(),
                net.max_len()
            ));
        }
        Ok(Writer {
            predictor: self,
            net,
            stream: stream(sampling.seed, &[WRITE]),
            sampling,
            fresh: ids.len(),
            cache: net.cache(1, net.max_len(), &self.device),
            ids,
        })
    }
}

impl Writer<'_> {
    /// Adds a token and gives it.
    ///
    /// # Errors
    ///
    /// If the device fails.
    pub fn step(&mut self) -> Result<u32, TextRecipeError> {
        let scores = self.scores()?;
        let token = self.choose(&scores);
        self.ids.push(token);
        self.fresh = 1;
        Ok(token)
    }

    /// The prompt and all that was added.
    ///
    /// # Errors
    ///
    /// If the tokens are no text.
    pub fn text(&self) -> Result<String, TextRecipeError> {
        Ok(self.predictor.tokenizer.decode(&self.ids)?)
    }

    /// Scores every token that may come next.
    fn scores(&mut self) -> Result<Vec<f32>, TextRecipeError> {
        let context = self.net.max_len();
        let next = if self.sampling.cached {
            if self.fresh > self.cache.room() {
                // The context is full: go on from its second half.
                self.cache = self.net.cache(1, context, &self.predictor.device);
                self.fresh = self.ids.len().min(context / 2).max(1);
            }
            let ids = self.last(self.fresh);
            self.net.next(ids, &mut self.cache)
        } else {
            let ids = self.last(self.ids.len().min(context));
            let [_, seq] = ids.dims();
            let scores = self.net.forward(ids);
            scores.narrow(1, seq - 1, 1).squeeze_dim::<2>(1)
        };
        next.try_into_vec_as::<f32>()
            .map_err(TextRecipeError::device)
    }

    fn last(&self, count: usize) -> Tensor<2, Int> {
        let ids = &self.ids[self.ids.len() - count..];
        let ids: Vec<i32> = ids.iter().copied().map(id).collect();
        Tensor::from_data(TensorData::new(ids, [1, count]), &self.predictor.device)
    }

    fn choose(&mut self, scores: &[f32]) -> u32 {
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
        let mut left = uniform_f64(&mut self.stream) * weights.iter().sum::<f64>();
        for (&at, weight) in order.iter().zip(&weights) {
            left -= weight;
            if left <= 0.0 {
                return at as u32;
            }
        }
        order[0] as u32
    }
}
