//! Tasks of models for texts.

use serde::{Deserialize, Serialize};

/// Task of a model for texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TextTask {
    /// One class per text.
    Classification,
    /// Any number of labels per text.
    MultiLabel,
    /// One tag per word.
    TokenClassification,
    /// The next token at each position.
    LanguageModeling,
}

/// Head of a network for texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadKind {
    /// Scores for each text.
    SequenceClassification,
    /// Scores for each token.
    TokenClassification,
    /// Scores for the next token at each position.
    LanguageModeling,
}

impl TextTask {
    /// The head that a network needs.
    pub fn head(self) -> HeadKind {
        match self {
            Self::Classification | Self::MultiLabel => HeadKind::SequenceClassification,
            Self::TokenClassification => HeadKind::TokenClassification,
            Self::LanguageModeling => HeadKind::LanguageModeling,
        }
    }

    /// Whether the model classifies whole texts.
    pub fn classifies_texts(self) -> bool {
        self.head() == HeadKind::SequenceClassification
    }
}
