//! How many texts are longer than a network reads.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::tokenizer::Tokens;

/// How many of some texts were truncated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Truncation {
    /// Texts whose end was not read.
    pub truncated: usize,
    /// All texts.
    pub texts: usize,
}

impl Truncation {
    /// Counts texts.
    pub(crate) fn of<'a>(texts: impl IntoIterator<Item = &'a Tokens>) -> Self {
        let mut counted = Self::default();
        for text in texts {
            counted.texts += 1;
            counted.truncated += usize::from(text.cut);
        }
        counted
    }

    /// Fraction of the texts that were truncated, in `[0, 1]`.
    pub fn fraction(self) -> f64 {
        self.truncated as f64 / self.texts.max(1) as f64
    }
}

/// Sums over calls, from any thread.
#[derive(Debug, Default)]
pub(crate) struct TruncationCounter {
    truncated: AtomicUsize,
    texts: AtomicUsize,
}

impl TruncationCounter {
    pub(crate) fn add(&self, counted: Truncation) {
        self.truncated
            .fetch_add(counted.truncated, Ordering::Relaxed);
        self.texts.fetch_add(counted.texts, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> Truncation {
        Truncation {
            truncated: self.truncated.load(Ordering::Relaxed),
            texts: self.texts.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncated_texts_are_counted_over_calls() {
        let text = |cut| Tokens {
            cut,
            ..Tokens::default()
        };
        let counter = TruncationCounter::default();
        counter.add(Truncation::of(&[text(true), text(false), text(true)]));
        counter.add(Truncation::of(&[text(false)]));
        let sum = counter.get();
        assert_eq!((sum.truncated, sum.texts), (2, 4));
        assert!((sum.fraction() - 0.5).abs() < 1e-12);
        assert!(Truncation::default().fraction().abs() < 1e-12);
    }
}
