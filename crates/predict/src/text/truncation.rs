//! Numbers of truncated texts.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::tokenizer::Tokens;

/// Number of truncated texts among some.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Truncation {
    /// Truncated texts.
    pub truncated: usize,
    /// All texts.
    pub texts: usize,
}

impl Truncation {
    /// Counts texts.
    pub fn of<'a>(texts: impl IntoIterator<Item = &'a Tokens>) -> Self {
        let mut counted = Self::default();
        for text in texts {
            counted.texts += 1;
            counted.truncated += usize::from(text.truncated);
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
pub(super) struct TruncationCounter {
    truncated: AtomicUsize,
    texts: AtomicUsize,
}

impl TruncationCounter {
    pub(super) fn add(&self, counted: Truncation) {
        self.truncated
            .fetch_add(counted.truncated, Ordering::Relaxed);
        self.texts.fetch_add(counted.texts, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> Truncation {
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
        let text = |truncated| Tokens {
            truncated,
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
