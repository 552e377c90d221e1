//! The cells of the feature maps that boxes are predicted from.

use burn::tensor::{Device, Tensor, TensorData};

/// Pixels of the image along a side of a cell, of each feature map.
pub const STRIDES: [usize; 3] = [8, 16, 32];

/// The cells of all feature maps in the order of the predictions: maps from fine to coarse, each row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct CellGrid {
    /// Column of each cell in its map.
    pub columns: Vec<f32>,
    /// Row of each cell in its map.
    pub rows: Vec<f32>,
    /// Pixels of the image along a side of each cell.
    pub strides: Vec<f32>,
}

impl CellGrid {
    /// The cells for images of `[height, width]` pixels, both multiples of the largest of [`STRIDES`].
    pub fn new([height, width]: [usize; 2]) -> Self {
        let mut grid = Self {
            columns: Vec::new(),
            rows: Vec::new(),
            strides: Vec::new(),
        };
        for stride in STRIDES {
            for row in 0..height / stride {
                for column in 0..width / stride {
                    grid.columns.push(column as f32);
                    grid.rows.push(row as f32);
                    grid.strides.push(stride as f32);
                }
            }
        }
        grid
    }

    /// Number of cells.
    pub fn len(&self) -> usize {
        self.strides.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.strides.is_empty()
    }

    /// The center `[x, y]` of a cell, in pixels of the image.
    pub fn center(&self, cell: usize) -> [f32; 2] {
        let stride = self.strides[cell];
        [self.columns[cell], self.rows[cell]].map(|at| (at + 0.5) * stride)
    }

    /// The position of every cell in its map plus a shift, `[1, cells, 2]`, and its stride `[1, cells, 1]`.
    pub(super) fn tensors(&self, shift: f32, device: &Device) -> (Tensor<3>, Tensor<3>) {
        let positions = self.columns.iter().zip(&self.rows);
        let positions: Vec<f32> = positions
            .flat_map(|(column, row)| [column + shift, row + shift])
            .collect();
        let cells = self.len();
        (
            Tensor::from_data(TensorData::new(positions, [1, cells, 2]), device),
            Tensor::from_data(TensorData::new(self.strides.clone(), [1, cells, 1]), device),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_listed_from_fine_to_coarse() {
        let grid = CellGrid::new([32, 64]);
        let center = |cell: usize| grid.center(cell).map(|at| at as usize);
        assert_eq!(grid.len(), 4 * 8 + 2 * 4 + 2);
        assert_eq!(center(0), [4, 4]);
        assert_eq!(center(8), [4, 12]);
        assert_eq!(center(32), [8, 8]);
        assert_eq!(center(41), [48, 16]);
    }
}
