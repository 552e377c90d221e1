//! Search by similarity.

use super::embed::Embedder;
use super::tokenizer::TextInput;
use crate::PredictError;

/// A text by its position among those that were searched, with its similarity to the query.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match {
    /// Position of the text, from 0.
    pub index: usize,
    /// Cosine similarity, in `[-1, 1]`.
    pub similarity: f32,
}

impl Embedder {
    /// All texts by their similarity to a query, the most similar first.
    ///
    /// # Errors
    ///
    /// If the network has no embeddings, or the device fails.
    pub fn rank(&self, query: &str, texts: &[String]) -> Result<Vec<Match>, PredictError> {
        let all = std::iter::once(query).chain(texts.iter().map(String::as_str));
        let inputs: Vec<TextInput> = all.map(|text| TextInput::Single(text.to_owned())).collect();
        let vectors = self.embed(&inputs)?;
        let similarity =
            |vector: &Vec<f32>| -> f32 { vector.iter().zip(&vectors[0]).map(|(a, b)| a * b).sum() };
        let mut matches: Vec<Match> = vectors[1..]
            .iter()
            .map(similarity)
            .enumerate()
            .map(|(index, similarity)| Match { index, similarity })
            .collect();
        matches.sort_by(|a, b| {
            let by_similarity = b.similarity.total_cmp(&a.similarity);
            by_similarity.then(a.index.cmp(&b.index))
        });
        Ok(matches)
    }
}
