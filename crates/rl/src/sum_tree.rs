//! Samples an index with a probability proportional to its weight, in logarithmic time.
//!
//! Reference: Schaul et al., *Prioritized experience replay*, 2016,
//! <https://arxiv.org/abs/1511.05952>, appendix B.2.1.

/// Weights whose partial sums are kept in a binary tree.
///
/// A sum is always recomputed from its two parts, so that rounding errors do not accumulate.
#[derive(Clone, Debug, PartialEq)]
pub struct SumTree {
    /// Number of leaves, a power of two.
    leaves: usize,
    /// The root at 1, the children of `i` at `2 i` and `2 i + 1`.
    sums: Vec<f32>,
}

impl SumTree {
    /// Makes room for `len` weights, which begin at zero.
    pub fn new(len: usize) -> Self {
        let leaves = len.max(1).next_power_of_two();
        Self {
            leaves,
            sums: vec![0.0; 2 * leaves],
        }
    }

    /// Sets one weight.
    ///
    /// # Panics
    ///
    /// If there is no such weight.
    pub fn set(&mut self, index: usize, weight: f32) {
        assert!(index < self.leaves, "there is no weight {index}");
        let mut at = self.leaves + index;
        self.sums[at] = weight;
        while at > 1 {
            at /= 2;
            self.sums[at] = self.sums[2 * at] + self.sums[2 * at + 1];
        }
    }

    /// The weight at `index`.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn get(&self, index: usize) -> f32 {
        self.sums[self.leaves + index]
    }

    /// The sum of all weights.
    pub fn total(&self) -> f32 {
        self.sums[1]
    }

    /// The index in which the running sum of the weights passes `sum`, never one of weight zero
    /// unless all are.
    pub fn find(&self, mut sum: f32) -> usize {
        let mut at = 1;
        while at < self.leaves {
            let (left, right) = (self.sums[2 * at], self.sums[2 * at + 1]);
            at *= 2;
            // Rounding can ask for more than there is: then it is the last that has any.
            if sum >= left && right > 0.0 {
                sum -= left;
                at += 1;
            }
        }
        at - self.leaves
    }

    /// Memory held, in bytes.
    pub fn bytes(&self) -> usize {
        self.sums.capacity() * size_of::<f32>()
    }

    /// The weights of the first `len` indices.
    ///
    /// # Panics
    ///
    /// If there are fewer.
    pub fn weights(&self, len: usize) -> &[f32] {
        &self.sums[self.leaves..][..len]
    }

    /// Sets the first weights, all at once.
    ///
    /// # Panics
    ///
    /// If there are more than there is room for.
    pub fn fill(&mut self, weights: &[f32]) {
        self.sums[self.leaves..][..weights.len()].copy_from_slice(weights);
        for at in (1..self.leaves).rev() {
            self.sums[at] = self.sums[2 * at] + self.sums[2 * at + 1];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_found_in_proportion_to_its_weight() {
        let weights = [0.5, 0.0, 2.0, 1.5, 1.0];
        let mut tree = SumTree::new(weights.len());
        for (index, &weight) in weights.iter().enumerate() {
            tree.set(index, weight);
        }
        assert_eq!(tree.total().to_bits(), 5.0_f32.to_bits());
        let mut counts = [0; 5];
        for step in 0..5000 {
            counts[tree.find(step as f32 / 1000.0)] += 1;
        }
        assert_eq!(counts, [500, 0, 2000, 1500, 1000]);
        assert_eq!(tree.find(5.0), 4, "the sum itself is the last");
        assert_eq!(tree.find(f32::INFINITY), 4);
    }

    #[test]
    fn changed_and_filled_trees_agree() {
        let mut changed = SumTree::new(100);
        for round in 0..3 {
            for index in 0..100 {
                changed.set(index, ((index * 37 + round * 11) % 13) as f32 * 0.1);
            }
        }
        let mut filled = SumTree::new(100);
        filled.fill(changed.weights(100));
        assert_eq!(filled, changed);
        let sum: f64 = changed.weights(100).iter().map(|&w| f64::from(w)).sum();
        assert!((f64::from(changed.total()) - sum).abs() < 1e-4);
    }
}
