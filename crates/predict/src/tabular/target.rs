//! The target: classes or numbers, and the way back from a network's scores.

use serde::{Deserialize, Serialize};

/// The meaning of a target column to a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Target {
    /// One of several classes; of two, the second is the positive one.
    Classes {
        /// Their names.
        labels: Vec<String>,
    },
    /// A number, standardized with its mean and deviation.
    Number {
        /// Whether the scale is that of its logarithm.
        log: bool,
        /// Value at 0 of the scale.
        mean: f64,
        /// Distance between 0 and 1 of the scale.
        deviation: f64,
    },
}

impl Target {
    /// Number of scores of a network.
    pub fn d_output(&self) -> usize {
        match self {
            Self::Classes { labels } => labels.len(),
            Self::Number { .. } => 1,
        }
    }

    /// Names of the classes; empty for a number.
    pub fn labels(&self) -> &[String] {
        match self {
            Self::Classes { labels } => labels,
            Self::Number { .. } => &[],
        }
    }

    /// Whether there are two classes.
    pub fn is_binary(&self) -> bool {
        self.labels().len() == 2
    }

    /// A number on the network's scale.
    pub fn scaled(&self, value: f64) -> f32 {
        match *self {
            Self::Number {
                log,
                mean,
                deviation,
            } => {
                let value = if log { value.ln() } else { value };
                ((value - mean) / deviation) as f32
            }
            Self::Classes { .. } => value as f32,
        }
    }

    /// A network's number in the target's unit.
    pub fn unscaled(&self, score: f32) -> f64 {
        match *self {
            Self::Number {
                log,
                mean,
                deviation,
            } => {
                let value = f64::from(score) * deviation + mean;
                if log { value.exp() } else { value }
            }
            Self::Classes { .. } => f64::from(score),
        }
    }
}
