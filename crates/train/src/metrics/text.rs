//! Language models and summaries.

use std::collections::HashMap;

use super::f1_of;

/// What a mean cross-entropy of `nats` per token is as a perplexity: the number of equally likely
/// tokens that would be as hard to guess.
pub fn perplexity(nats: f64) -> f64 {
    nats.exp()
}

/// How much of a reference summary a candidate has, and how little else: F1 in `[0, 1]`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rouge {
    /// By words.
    pub rouge1: f64,
    /// By pairs of neighboring words.
    pub rouge2: f64,
    /// By the longest sequence of words that both have in this order.
    pub rouge_l: f64,
}

/// Compares a summary with a reference.
///
/// Words are runs of letters and digits in lower case, without stemming: for text in ASCII, those
/// of Google's `rouge-score`. Without a word on either side the score is 0.
///
/// Reference: Lin, *ROUGE: a package for automatic evaluation of summaries*, 2004,
/// <https://aclanthology.org/W04-1013/>.
///
/// ```
/// let rouge = tinderbox_train::metrics::rouge("the cat sat", "The cat.");
/// assert!((rouge.rouge1 - 0.8).abs() < 1e-12);
/// ```
pub fn rouge(candidate: &str, reference: &str) -> Rouge {
    let (candidate, reference) = (candidate.to_lowercase(), reference.to_lowercase());
    let (candidate, reference) = (words(&candidate), words(&reference));
    let score = |hits: usize, run: usize| {
        let count = |words: &[&str]| (words.len() + 1).saturating_sub(run) as f64;
        f1_of(hits as f64, count(&reference), count(&candidate)).unwrap_or(0.0)
    };
    Rouge {
        rouge1: score(shared(&candidate, &reference, 1), 1),
        rouge2: score(shared(&candidate, &reference, 2), 2),
        rouge_l: score(longest(&candidate, &reference), 1),
    }
}

fn words(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| !c.is_alphanumeric());
    words.filter(|word| !word.is_empty()).collect()
}

/// How many runs of `length` words both have, each as often as in the one that has it less often.
fn shared(left: &[&str], right: &[&str], length: usize) -> usize {
    let mut counts: HashMap<&[&str], usize> = HashMap::new();
    for run in left.windows(length) {
        *counts.entry(run).or_default() += 1;
    }
    let mut hits = 0;
    for run in right.windows(length) {
        if let Some(count) = counts.get_mut(run).filter(|count| **count > 0) {
            *count -= 1;
            hits += 1;
        }
    }
    hits
}

/// Length of the longest common subsequence.
fn longest(left: &[&str], right: &[&str]) -> usize {
    let mut row = vec![0; right.len() + 1];
    for l in left {
        let mut diagonal = 0;
        for (at, r) in right.iter().enumerate() {
            let above = row[at + 1];
            row[at + 1] = if l == r {
                diagonal + 1
            } else {
                above.max(row[at])
            };
            diagonal = above;
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: Rouge, expected: [f64; 3]) {
        let found = [found.rouge1, found.rouge2, found.rouge_l];
        for (f, e) in found.iter().zip(expected) {
            assert!((f - e).abs() < 1e-12, "{found:?} is not {expected:?}");
        }
    }

    /// Expected: `rouge-score` 0.1.2, `use_stemmer=False`.
    #[test]
    fn scores_agree_with_googles() {
        let fox = "The quick brown fox jumps over the lazy dog";
        let dog = "The quick brown dog jumps on the log.";
        close(
            rouge(dog, fox),
            [
                0.705_882_352_941_176_5,
                0.266_666_666_666_666_66,
                0.588_235_294_117_647_1,
            ],
        );
        let clause = "Either party may terminate this Agreement upon 30 days' notice, the notice \
            being written.";
        let summary =
            "This agreement may be terminated: the notice, 30 days, the notice in writing.";
        close(
            rouge(summary, clause),
            [0.592_592_592_592_592_7, 0.24, 0.444_444_444_444_444_5],
        );
    }

    #[test]
    fn words_that_are_not_ascii_count() {
        close(
            rouge("Größe zählt", "größe ZÄHLT nicht"),
            [0.8, 2.0 / 3.0, 0.8],
        );
    }

    #[test]
    fn nothing_in_common_is_zero() {
        close(rouge("", "a b"), [0.0; 3]);
        close(rouge("?!", ""), [0.0; 3]);
        // No pairs on either side.
        close(rouge("one", "one"), [1.0, 0.0, 1.0]);
    }

    #[test]
    fn perplexity_of_an_even_guess_is_the_number_of_tokens() {
        assert!((perplexity(65_f64.ln()) - 65.0).abs() < 1e-9);
    }
}
