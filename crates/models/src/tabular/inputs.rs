use std::ops::Range;

use burn::tensor::{Device, Int, Tensor};

/// A batch of rows: numeric columns, and categorical columns as codes.
///
/// A kind of column that the table lacks is `None`, because not every backend supports empty tensors.
///
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use tinderbox_models::tabular::TabularInputs;
///
/// let device = Device::flex();
/// let prices = Tensor::<2>::from_floats([[1.5], [-0.5]], &device);
/// let colors = Tensor::<2, Int>::from_ints([[0, 2], [1, 0]], &device);
/// let rows = TabularInputs::new(Some(prices), Some(colors));
/// assert_eq!(rows.batch(), 2);
/// ```
#[derive(Clone, Debug)]
pub struct TabularInputs {
    numeric: Option<Tensor<2>>,
    categorical: Option<Tensor<2, Int>>,
}

impl TabularInputs {
    /// Creates a batch from its columns.
    ///
    /// # Shapes
    ///
    /// - numeric: `[batch, n_numeric]`, without missing values, ideally standardized
    /// - categorical: `[batch, n_categorical]`, codes below the cardinality of their column; missing
    ///   and unseen values have their own codes
    ///
    /// # Panics
    ///
    /// If there is no column, or the numbers of rows differ.
    pub fn new(numeric: Option<Tensor<2>>, categorical: Option<Tensor<2, Int>>) -> Self {
        let counts = [
            numeric.as_ref().map(|columns| columns.dims()[0]),
            categorical.as_ref().map(|columns| columns.dims()[0]),
        ];
        assert!(counts != [None, None], "rows without a column");
        if let [Some(left), Some(right)] = counts {
            assert_eq!(left, right, "numeric and categorical rows differ in number");
        }
        Self {
            numeric,
            categorical,
        }
    }

    /// Number of rows.
    pub fn batch(&self) -> usize {
        let numeric = self.numeric.as_ref().map(|columns| columns.dims()[0]);
        let categorical = self.categorical.as_ref().map(|columns| columns.dims()[0]);
        numeric.or(categorical).unwrap_or(0)
    }

    /// The numeric columns, `[batch, n_numeric]`.
    pub fn numeric(&self) -> Option<&Tensor<2>> {
        self.numeric.as_ref()
    }

    /// The codes of the categorical columns, `[batch, n_categorical]`.
    pub fn categorical(&self) -> Option<&Tensor<2, Int>> {
        self.categorical.as_ref()
    }

    /// A range of the rows.
    pub fn slice(self, rows: Range<usize>) -> Self {
        Self {
            numeric: self.numeric.map(|columns| columns.slice(rows.clone())),
            categorical: self.categorical.map(|columns| columns.slice(rows)),
        }
    }

    /// Moves the batch to another device.
    pub fn to_device(self, device: &Device) -> Self {
        Self {
            numeric: self.numeric.map(|columns| columns.to_device(device)),
            categorical: self.categorical.map(|columns| columns.to_device(device)),
        }
    }

    /// The numeric columns and the codes.
    pub(crate) fn into_parts(self) -> (Option<Tensor<2>>, Option<Tensor<2, Int>>) {
        (self.numeric, self.categorical)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{normal, values};

    #[test]
    fn a_slice_keeps_the_columns_together() {
        let device = Device::flex();
        let numeric = Tensor::<2>::from_floats([[1.0], [2.0], [3.0]], &device);
        let codes = Tensor::<2, Int>::from_ints([[4], [5], [6]], &device);
        let rows = TabularInputs::new(Some(numeric), Some(codes)).slice(1..3);
        assert_eq!(rows.batch(), 2);
        assert_eq!(values(rows.numeric().unwrap().clone()), [2.0, 3.0]);
        let codes = rows.categorical().unwrap().clone().float();
        assert_eq!(values(codes), [5.0, 6.0]);
    }

    #[test]
    #[should_panic(expected = "differ in number")]
    fn columns_of_other_rows_are_refused() {
        let device = Device::flex();
        let codes = Tensor::<2, Int>::zeros([3, 1], &device);
        TabularInputs::new(Some(normal([2, 1], &device)), Some(codes));
    }

    #[test]
    #[should_panic(expected = "rows without a column")]
    fn no_columns_are_refused() {
        TabularInputs::new(None, None);
    }
}
