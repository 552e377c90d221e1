//! Language model of n-grams with modified Kneser-Ney smoothing.

mod count;
#[cfg(test)]
mod tests;

use rayon::prelude::*;

use crate::BaselineError;
use crate::error::check_setting;
use count::{Grams, Order, count};

/// Fewest tokens of the longest n-grams.
const MIN_ORDER: usize = 2;

/// Most tokens of an n-gram.
const MAX_ORDER: usize = 6;

/// Discounts of the counts 1, 2 and more where too few counts occur to estimate them, as in `KenLM`.
const FALLBACK: [f64; 3] = [0.5, 1.0, 1.5];

/// How an [`Ngram`] model is fitted.
///
/// The probability of a token after a history is interpolated over all orders. The highest order uses counts,
/// lower orders use continuation counts (distinct preceding tokens), and the base is uniform. Discounts are
/// estimated per order, for the counts 1, 2, and 3 or more.
///
/// Reference: Chen and Goodman, *An empirical study of smoothing techniques for language modeling*, 1999,
/// <https://doi.org/10.1006/csla.1999.0128>.
///
/// ```
/// use tinderbox_baselines::NgramConfig;
///
/// // The tokens of a rhyme with a vocabulary of four.
/// let train = [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 3, 0, 1, 2];
/// let model = NgramConfig::default().fit(&train, &[&[0, 1, 2]], 4)?;
/// let next = (0..4).map(|token| model.probability(&[0, 1], token));
/// let next = next.collect::<Result<Vec<f64>, _>>()?;
/// assert!(next[2] > 0.5 && next[0] > 0.0);
/// assert!((next.iter().sum::<f64>() - 1.0).abs() < 1e-6);
/// # Ok::<(), tinderbox_baselines::BaselineError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NgramConfig {
    /// Most tokens of an n-gram, in `[2, 6]`. The order is the best on the validation tokens, from 2 up to
    /// this.
    pub max_order: usize,
    /// Most training tokens: of more, the last ones are used. Each takes 20 bytes while it is counted.
    pub max_tokens: usize,
    /// Most different n-grams, of all orders together: orders with which there are more are not tried, but
    /// 2 always is. Each takes 24 bytes at most.
    pub max_ngrams: usize,
}

impl Default for NgramConfig {
    /// Up to 6 tokens, with less than half a gigabyte of memory.
    fn default() -> Self {
        Self {
            max_order: MAX_ORDER,
            max_tokens: 8_000_000,
            max_ngrams: 10_000_000,
        }
    }
}

/// A fitted language model of n-grams.
#[derive(Clone, Debug)]
pub struct Ngram {
    /// The n-grams of 1, 2, … tokens.
    grams: Vec<Grams>,
    /// Their weights; there are as many as the order.
    weights: Vec<Weights>,
    vocab_size: usize,
    tokens: usize,
    tried: usize,
}

/// Smoothed probabilities of the n-grams of one order.
#[derive(Clone, Debug)]
struct Weights {
    /// The discounted probability of each n-gram's last token after its prefix.
    share: Vec<f32>,
    /// What the discounts leave to the shorter n-grams, of each prefix.
    backoff: Vec<f32>,
}

/// The n-grams that end at the last token of a text, by their number of tokens; the empty one is first.
#[derive(Clone, Copy, Debug, Default)]
struct History {
    ids: [u32; MAX_ORDER + 1],
    longest: usize,
}

impl NgramConfig {
    /// Counts the n-grams of `train` and chooses the order with the best probability of `valid`: sequences
    /// of which the first token is only context.
    ///
    /// # Errors
    ///
    /// If there are no tokens to learn from or to choose by, a token is not in the vocabulary, or a setting
    /// is out of range.
    pub fn fit(
        &self,
        train: &[u32],
        valid: &[&[u32]],
        vocab_size: usize,
    ) -> Result<Ngram, BaselineError> {
        self.validate(vocab_size)?;
        let predicted: usize = valid.iter().map(|text| text.len().saturating_sub(1)).sum();
        if train.len() < 2 || predicted == 0 {
            return Err(BaselineError::NoTokens {
                train: train.len(),
                valid: predicted,
            });
        }
        let train = &train[train.len().saturating_sub(self.max_tokens)..];
        check_tokens(train, vocab_size)?;
        let orders = count(train, vocab_size, self.max_order, self.max_ngrams);
        Ngram {
            grams: Vec::new(),
            weights: Vec::new(),
            vocab_size,
            tokens: train.len(),
            tried: orders.len(),
        }
        .choose(orders, valid)
    }

    fn validate(&self, vocab_size: usize) -> Result<(), BaselineError> {
        let orders = MIN_ORDER as f64..=MAX_ORDER as f64;
        check_setting("max_order", self.max_order as f64, orders, "[2, 6]")?;
        let most = f64::from(i32::MAX);
        for (name, value) in [
            ("max_tokens", self.max_tokens),
            ("max_ngrams", self.max_ngrams),
            ("vocab_size", vocab_size),
        ] {
            check_setting(name, value as f64, 2.0..=most, "[2, 2147483647]")?;
        }
        Ok(())
    }
}

impl Ngram {
    /// Adds order after order and keeps the best on `valid`.
    fn choose(mut self, orders: Vec<Order>, valid: &[&[u32]]) -> Result<Self, BaselineError> {
        let last = orders.len();
        let mut best: Option<(f64, usize, Weights)> = None;
        for (at, order) in orders.into_iter().enumerate() {
            let grams = order.grams;
            // The longest n-grams count occurrences, shorter ones the tokens in front of them.
            let longest = Weights::new(&grams, &order.occurrences);
            let shorter = (at + 1 < last).then(|| Weights::new(&grams, &order.extensions));
            self.grams.push(grams);
            if at + 1 >= MIN_ORDER {
                self.weights.push(longest);
                let nats = self.nats(valid)?;
                let longest = self.weights.pop();
                let is_better = best.as_ref().is_none_or(|(least, ..)| nats < *least);
                best = longest
                    .filter(|_| is_better)
                    .map(|longest| (nats, at + 1, longest))
                    .or(best);
            }
            self.weights.extend(shorter);
        }
        if let Some((_, order, longest)) = best {
            self.grams.truncate(order);
            self.weights.truncate(order - 1);
            self.weights.push(longest);
        }
        Ok(self)
    }

    /// Most tokens of an n-gram, chosen on the validation tokens.
    pub fn order(&self) -> usize {
        self.weights.len()
    }

    /// The largest order that was tried: less than the setting if there are too many n-grams.
    pub fn tried(&self) -> usize {
        self.tried
    }

    /// Number of training tokens that were used.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// The probability of `token` after `history`, of which the last tokens count.
    ///
    /// # Errors
    ///
    /// If a token is not in the vocabulary.
    pub fn probability(&self, history: &[u32], token: u32) -> Result<f64, BaselineError> {
        let history = &history[history.len().saturating_sub(self.order() - 1)..];
        check_tokens(history, self.vocab_size)?;
        check_tokens(&[token], self.vocab_size)?;
        let mut before = History::default();
        for &token in history {
            self.advance(&mut before, token);
        }
        Ok(self.advance(&mut before, token))
    }

    /// Sum of the negative logarithms of the probabilities of all tokens but the first of each text, in nats.
    /// A token's history begins with its text.
    ///
    /// # Errors
    ///
    /// If a token is not in the vocabulary.
    pub fn nats(&self, texts: &[&[u32]]) -> Result<f64, BaselineError> {
        let all = texts.par_iter().map(|text| {
            check_tokens(text, self.vocab_size)?;
            let mut history = History::default();
            let mut nats = 0.0;
            for (at, &token) in text.iter().enumerate() {
                let probability = self.advance(&mut history, token);
                nats -= if at > 0 { probability.ln() } else { 0.0 };
            }
            Ok(nats)
        });
        // Summed in order, so that the result does not depend on the number of threads.
        let all = all.collect::<Result<Vec<f64>, BaselineError>>()?;
        Ok(all.iter().sum())
    }

    /// The probability of `token` after `history`, which it is then the last token of.
    fn advance(&self, history: &mut History, token: u32) -> f64 {
        let order = self.order();
        let mut next = History::default();
        let mut probability = 1.0 / self.vocab_size as f64;
        let contexts = history.longest.min(order - 1);
        for (at, &prefix) in history.ids[..=contexts].iter().enumerate() {
            let (grams, weights) = (&self.grams[at], &self.weights[at]);
            probability *= f64::from(weights.backoff[prefix as usize]);
            // Where an n-gram does not occur, no longer one does.
            if next.longest < at {
                continue;
            }
            if let Some(id) = grams.find(prefix, token) {
                probability += f64::from(weights.share[id]);
                next.longest = at + 1;
                next.ids[at + 1] = id as u32;
            }
        }
        *history = next;
        probability
    }
}

impl Weights {
    fn new(grams: &Grams, counts: &[u32]) -> Self {
        let discounts = discounts(counts);
        let mut share = Vec::with_capacity(counts.len());
        let mut backoff = Vec::with_capacity(grams.prefixes());
        for prefix in 0..grams.prefixes() {
            let counts = &counts[grams.of_prefix(prefix)];
            let total: f64 = counts.iter().copied().map(f64::from).sum();
            if total == 0.0 {
                // Nothing is known after this prefix.
                share.extend(counts.iter().map(|_| 0.0));
                backoff.push(1.0);
                continue;
            }
            let mut left = 0.0;
            for &count in counts {
                let discount = discount(count, discounts);
                left += discount;
                share.push(((f64::from(count) - discount) / total) as f32);
            }
            backoff.push((left / total) as f32);
        }
        Self { share, backoff }
    }
}

fn discount(count: u32, discounts: [f64; 3]) -> f64 {
    match count {
        0 => 0.0,
        count => discounts[(count as usize).min(3) - 1],
    }
}

/// The discounts of the counts 1, 2, and 3 or more, from how many n-grams have the counts 1 to 4.
fn discounts(counts: &[u32]) -> [f64; 3] {
    let mut having = [0_u32; 4];
    for &count in counts {
        if let Some(slot) = (count as usize)
            .checked_sub(1)
            .and_then(|at| having.get_mut(at))
        {
            *slot += 1;
        }
    }
    let having = having.map(f64::from);
    let y = having[0] / (having[0] + 2.0 * having[1]);
    let estimate = |at: usize| {
        let count = at as f64 + 1.0;
        count - (count + 1.0) * y * having[at + 1] / having[at]
    };
    let estimates = [estimate(0), estimate(1), estimate(2)];
    // Written so that a division by zero, which is not a number, is no estimate.
    if estimates.iter().all(|&discount| discount > 0.0) {
        estimates
    } else {
        FALLBACK
    }
}

fn check_tokens(tokens: &[u32], vocab_size: usize) -> Result<(), BaselineError> {
    match tokens.iter().find(|&&token| token as usize >= vocab_size) {
        Some(&token) => Err(BaselineError::Token { token, vocab_size }),
        None => Ok(()),
    }
}
