use std::ops::Range;

use burn::tensor::{Device, Int, Tensor};

/// Rows of a table: its numeric columns, and its categorical ones as codes.
///
/// A table may have one kind of column only; it is `None` then, because not every backend holds
/// tensors without elements.
///
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use tinderbox_models::tabular::Rows;
///
/// let device = Device::flex();
/// let prices = Tensor::<2>::from_floats([[1.5], [-0.5]], &device);
/// let colours = Tensor::<2, Int>::from_ints([[0, 2], [1, 0]], &device);
/// let rows = Rows::new(Some(prices), Some(colours));
/// assert_eq!(rows.batch(), 2);
/// ```
#[derive(Clone, Debug)]
pub struct Rows {
    numeric: Option<Tensor<2>>,
    categorical: Option<Tensor<2, Int>>,
}

impl Rows {
    /// Pairs the columns of the same rows.
    ///
    /// # Shapes
    ///
    /// - numeric: `[batch, n_numeric]`, without missing values, each column at best with mean 0 and
    ///   variance 1
    /// - categorical: `[batch, n_categorical]`, each code below the number of values of its column;
    ///   a missing or an unseen value has a code as any other
    ///
    /// # Panics
    ///
    /// If there is no column, or the two differ in their number of rows.
    pub fn new(numeric: Option<Tensor<2>>, categorical: Option<Tensor<2, Int>>) -> Self {
        let counts = [
            numeric.as_ref().map(|columns| columns.dims()[0]),
            categorical.as_ref().map(|columns| columns.dims()[0]),
        ];
        match counts {
            [None, None] => panic_without_columns(),
            [Some(left), Some(right)] => {
                assert_eq!(left, right, "numeric and categorical rows differ in number");
            }
            _ => {}
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

    /// Some of the rows, in their order.
    pub fn slice(self, rows: Range<usize>) -> Self {
        Self {
            numeric: self.numeric.map(|columns| columns.slice(rows.clone())),
            categorical: self.categorical.map(|columns| columns.slice(rows)),
        }
    }

    /// The same rows on another device.
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

#[expect(clippy::panic, reason = "as `assert_shape!`: a batcher's mistake")]
fn panic_without_columns() -> ! {
    panic!("rows without a column")
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
        let rows = Rows::new(Some(numeric), Some(codes)).slice(1..3);
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
        Rows::new(Some(normal([2, 1], &device)), Some(codes));
    }

    #[test]
    #[should_panic(expected = "rows without a column")]
    fn no_columns_are_refused() {
        Rows::new(None, None);
    }
}
