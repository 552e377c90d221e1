//! Some rows of a data set as a data set.

use std::sync::Arc;

use burn::data::dataset::{Dataset, DatasetError};

use crate::split::SplitError;

/// Some rows of a data set, in a given order.
///
/// ```
/// use std::sync::Arc;
/// use burn::data::dataset::{Dataset, InMemDataset};
/// use tinderbox_datasets::Subset;
///
/// let letters = Arc::new(InMemDataset::new(vec!['a', 'b', 'c']));
/// let subset = Subset::new(letters, vec![2, 0])?;
/// assert_eq!(subset.get(0)?, 'c');
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Subset<D: ?Sized> {
    dataset: Arc<D>,
    indices: Vec<usize>,
}

impl<D: ?Sized> Subset<D> {
    /// Selects the rows `indices` of `dataset`.
    ///
    /// # Errors
    ///
    /// If a row does not exist.
    pub fn new<I>(dataset: Arc<D>, indices: Vec<usize>) -> Result<Self, SplitError>
    where
        D: Dataset<I>,
    {
        let rows = dataset.len();
        match indices.iter().find(|&&index| index >= rows) {
            Some(&index) => Err(SplitError::Index { index, rows }),
            None => Ok(Self { dataset, indices }),
        }
    }

    /// The row numbers in the whole data set.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }

    /// The data set the rows belong to.
    pub fn dataset(&self) -> &Arc<D> {
        &self.dataset
    }
}

impl<D: ?Sized> Clone for Subset<D> {
    fn clone(&self) -> Self {
        Self {
            dataset: Arc::clone(&self.dataset),
            indices: self.indices.clone(),
        }
    }
}

impl<I, D: Dataset<I> + ?Sized> Dataset<I> for Subset<D> {
    fn get(&self, index: usize) -> Result<I, DatasetError> {
        self.dataset.get(self.indices[index])
    }

    fn len(&self) -> usize {
        self.indices.len()
    }
}

#[cfg(test)]
mod tests {
    use burn::data::dataset::InMemDataset;

    use super::*;

    #[test]
    fn a_subset_works_on_any_shared_data_set() {
        let shared: Arc<dyn Dataset<u8>> = Arc::new(InMemDataset::new(vec![10, 11, 12]));
        let subset = Subset::new(Arc::clone(&shared), vec![1, 2]).unwrap();
        assert_eq!(subset.get_many(vec![1, 0]).unwrap(), [12, 11]);
        let error = Subset::new(shared, vec![0, 3]).err().unwrap();
        assert_eq!(error, SplitError::Index { index: 3, rows: 3 });
    }
}
