//! Several data sets as one.

use std::sync::Arc;

use burn::data::dataset::{Dataset, DatasetError};

/// The items of several data sets, one set after the other.
pub(super) struct Concat<I> {
    parts: Vec<Arc<dyn Dataset<I>>>,
}

impl<I> Concat<I> {
    pub(super) fn new(parts: Vec<Arc<dyn Dataset<I>>>) -> Self {
        Self { parts }
    }
}

impl<I: Send + Sync> Dataset<I> for Concat<I> {
    fn get(&self, index: usize) -> Result<I, DatasetError> {
        let mut at = index;
        for part in &self.parts {
            if at < part.len() {
                return part.get(at);
            }
            at -= part.len();
        }
        Err(DatasetError::new(std::io::Error::other(format!(
            "there is no item {index}"
        ))))
    }

    fn len(&self) -> usize {
        self.parts.iter().fold(0, |sum, part| sum + part.len())
    }
}

#[cfg(test)]
mod tests {
    use burn::data::dataset::InMemDataset;

    use super::*;

    #[test]
    fn items_follow_each_other() {
        let part = |items: Vec<u8>| -> Arc<dyn Dataset<u8>> { Arc::new(InMemDataset::new(items)) };
        let all = Concat::new(vec![part(vec![1, 2]), part(vec![]), part(vec![3])]);
        let items: Vec<u8> = (0..all.len()).map(|at| all.get(at).unwrap()).collect();
        assert_eq!(items, [1, 2, 3]);
        assert!(all.get(3).is_err());
    }
}
