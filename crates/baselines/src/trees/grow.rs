//! One regression tree, grown leaf by leaf on histograms of gradients.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::BoostingConfig;
use super::bins::{Binned, MISSING};

/// A tree as a list of nodes, the root first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Tree(Vec<Node>);

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Node {
    Leaf(f64),
    Split {
        column: u32,
        /// Values up to this go left.
        threshold: f64,
        missing_left: bool,
        left: u32,
        right: u32,
    },
}

#[cfg(test)]
impl Tree {
    /// A tree whose only split leads to itself.
    pub(super) fn leading_to_itself() -> Self {
        Self(vec![Node::Split {
            column: 0,
            threshold: 0.0,
            missing_left: true,
            left: 0,
            right: 0,
        }])
    }
}

impl Tree {
    /// Whether every path ends in a leaf and looks at one of `columns` columns only.
    pub(super) fn is_sound(&self, columns: usize) -> bool {
        let sound = |(at, node): (usize, &Node)| match node {
            Node::Leaf(value) => value.is_finite(),
            Node::Split {
                column,
                left,
                right,
                ..
            } => {
                let below = |child: u32| (at + 1..self.0.len()).contains(&(child as usize));
                (*column as usize) < columns && below(*left) && below(*right)
            }
        };
        !self.0.is_empty() && self.0.iter().enumerate().all(sound)
    }

    pub(super) fn predict(&self, row: &[f64]) -> f64 {
        let mut at = 0;
        loop {
            match self.0[at] {
                Node::Leaf(value) => return value,
                Node::Split {
                    column,
                    threshold,
                    missing_left,
                    left,
                    right,
                } => {
                    let value = row[column as usize];
                    let goes_left = value <= threshold || (value.is_nan() && missing_left);
                    at = if goes_left { left } else { right } as usize;
                }
            }
        }
    }
}

/// What the rows of a bin or of a leaf add up to.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    gradient: f64,
    hessian: f64,
    rows: u32,
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.gradient += other.gradient;
        self.hessian += other.hessian;
        self.rows += other.rows;
    }

    fn less(&self, other: &Self) -> Self {
        Self {
            gradient: self.gradient - other.gradient,
            hessian: self.hessian - other.hessian,
            rows: self.rows - other.rows,
        }
    }

    /// Twice the loss that the best value of a leaf of these rows saves.
    fn score(&self, l2: f64) -> f64 {
        self.gradient * self.gradient / (self.hessian + l2)
    }
}

/// The bins' sums of one column; the last is that of missing values.
type Histogram = Vec<Sums>;

#[derive(Clone, Copy, Debug)]
struct Split {
    gain: f64,
    column: usize,
    /// The last bin that goes left.
    bin: u8,
    missing_left: bool,
    left: Sums,
}

/// A leaf that may be split.
struct Leaf {
    node: usize,
    /// Its rows, as a range of the grower's order.
    rows: std::ops::Range<usize>,
    sums: Sums,
    histograms: Vec<Histogram>,
    split: Option<Split>,
}

/// What one tree is grown from.
pub(super) struct Grower<'a> {
    pub(super) binned: &'a Binned,
    pub(super) config: &'a BoostingConfig,
    /// Gradient and Hessian of the loss at each row.
    pub(super) slopes: &'a [[f32; 2]],
}

/// A tree, and what it says of the training rows.
pub(super) struct Grown {
    pub(super) tree: Tree,
    /// The value for each row.
    pub(super) values: Vec<f64>,
    /// The splits' columns with their gains.
    pub(super) gains: Vec<(usize, f64)>,
}

impl Grower<'_> {
    pub(super) fn grow(&self) -> Grown {
        let mut order: Vec<u32> = (0..self.slopes.len() as u32).collect();
        let mut nodes = vec![Node::Leaf(0.0)];
        let mut leaves = vec![self.root(&order)];
        let mut gains = Vec::new();
        while leaves.len() < self.config.leaves {
            let Some((best, split)) = best_leaf(&leaves) else {
                break;
            };
            gains.push((split.column, split.gain));
            let leaf = leaves.swap_remove(best);
            let middle = self.partition(&mut order[leaf.rows.clone()], &split);
            nodes[leaf.node] = Node::Split {
                column: split.column as u32,
                threshold: self.binned.cuts.upper(split.column, split.bin),
                missing_left: split.missing_left,
                left: nodes.len() as u32,
                right: nodes.len() as u32 + 1,
            };
            leaves.extend(self.children(leaf, &split, middle, nodes.len(), &order));
            nodes.extend([Node::Leaf(0.0); 2]);
        }
        let values = self.leaf_values(leaves, &order, &mut nodes);
        Grown {
            tree: Tree(nodes),
            values,
            gains,
        }
    }

    /// Writes the leaves' values into the tree, and gives the value of each row.
    fn leaf_values(&self, leaves: Vec<Leaf>, order: &[u32], nodes: &mut [Node]) -> Vec<f64> {
        let mut values = vec![0.0; order.len()];
        for leaf in leaves {
            let step = leaf.sums.gradient / (leaf.sums.hessian + self.config.l2);
            let value = -self.config.learning_rate * step;
            nodes[leaf.node] = Node::Leaf(value);
            for &row in &order[leaf.rows] {
                values[row as usize] = value;
            }
        }
        values
    }

    fn root(&self, order: &[u32]) -> Leaf {
        let mut sums = Sums::default();
        for slope in self.slopes {
            sums.add(&one_row(*slope));
        }
        let columns = (0..self.binned.columns()).into_par_iter().map(|column| {
            let histogram = self.histogram(column, order, self.slopes);
            let split = self.best_split(column, &histogram, &sums);
            (histogram, split)
        });
        let (histograms, splits): (Vec<_>, Vec<_>) = columns.unzip();
        Leaf {
            node: 0,
            rows: 0..order.len(),
            sums,
            histograms,
            split: first_best(splits),
        }
    }

    /// Moves the rows that go left to the front, keeping the order, and counts them.
    fn partition(&self, rows: &mut [u32], split: &Split) -> usize {
        let bins = self.binned.column(split.column);
        let goes_left = |row: &u32| match bins[*row as usize] {
            MISSING => split.missing_left,
            bin => bin <= split.bin,
        };
        let (left, right): (Vec<u32>, Vec<u32>) = rows.iter().partition(|row| goes_left(row));
        rows[..left.len()].copy_from_slice(&left);
        rows[left.len()..].copy_from_slice(&right);
        left.len()
    }

    /// The two leaves that `split` makes of `leaf`, of which the first `middle` rows go left.
    fn children(
        &self,
        leaf: Leaf,
        split: &Split,
        middle: usize,
        node: usize,
        order: &[u32],
    ) -> [Leaf; 2] {
        let middle = leaf.rows.start + middle;
        let ranges = [leaf.rows.start..middle, middle..leaf.rows.end];
        let sums = [split.left, leaf.sums.less(&split.left)];
        let small = usize::from(ranges[1].len() < ranges[0].len());
        let rows = &order[ranges[small].clone()];
        let mut parts = self.share(leaf.histograms, rows, [&sums[small], &sums[1 - small]]);
        parts.swap(0, small);
        let [left, right] = parts;
        let [left_rows, right_rows] = ranges;
        let leaf = |node, rows, sums, (histograms, split)| Leaf {
            node,
            rows,
            sums,
            histograms,
            split,
        };
        [
            leaf(node, left_rows, sums[0], left),
            leaf(node + 1, right_rows, sums[1], right),
        ]
    }

    /// Shares a leaf's histograms between its smaller child, of `rows`, and the larger one, and
    /// finds their best splits. Only the smaller is counted; the larger is what is left.
    fn share(
        &self,
        histograms: Vec<Histogram>,
        rows: &[u32],
        [small, large]: [&Sums; 2],
    ) -> [(Vec<Histogram>, Option<Split>); 2] {
        let slopes: Vec<[f32; 2]> = rows.iter().map(|&row| self.slopes[row as usize]).collect();
        // With less to count, handing a column to a thread costs more than it saves.
        let least = (30_000 / rows.len().max(100)).max(1);
        let columns = histograms.into_par_iter().enumerate().with_min_len(least);
        let columns = columns.map(|(column, mut rest)| {
            let counted = self.histogram(column, rows, &slopes);
            for (rest, counted) in rest.iter_mut().zip(&counted) {
                *rest = rest.less(counted);
            }
            let splits = (
                self.best_split(column, &counted, small),
                self.best_split(column, &rest, large),
            );
            ((counted, rest), splits)
        });
        let (histograms, splits): (Vec<_>, Vec<_>) = columns.unzip();
        let (counted, rest): (Vec<_>, Vec<_>) = histograms.into_iter().unzip();
        let (small, large): (Vec<_>, Vec<_>) = splits.into_iter().unzip();
        [(counted, first_best(small)), (rest, first_best(large))]
    }

    fn histogram(&self, column: usize, rows: &[u32], slopes: &[[f32; 2]]) -> Histogram {
        let last = self.binned.cuts.bins(column);
        let mut sums = vec![Sums::default(); last + 1];
        let bins = self.binned.column(column);
        for (&row, slope) in rows.iter().zip(slopes) {
            let bin = usize::from(bins[row as usize]).min(last);
            sums[bin].add(&one_row(*slope));
        }
        sums
    }

    fn best_split(&self, column: usize, histogram: &[Sums], whole: &Sums) -> Option<Split> {
        let (missing, bins) = histogram.split_last()?;
        let right = self.scan(column, bins, Sums::default(), whole);
        if missing.rows == 0 {
            // A value that is missing later goes where most rows went.
            return right.map(|split| Split {
                missing_left: split.left.rows > whole.rows - split.left.rows,
                ..split
            });
        }
        let left = self.scan(column, bins, *missing, whole).map(|split| Split {
            missing_left: true,
            ..split
        });
        first_best([right, left])
    }

    /// Looks at each way to send the first bins left, with what already is there.
    fn scan(&self, column: usize, bins: &[Sums], mut left: Sums, whole: &Sums) -> Option<Split> {
        let parent = whole.score(self.config.l2);
        let mut best: Option<Split> = None;
        for (bin, sums) in bins.iter().enumerate() {
            left.add(sums);
            let right = whole.less(&left);
            if (right.rows as usize) < self.config.leaf_rows {
                break;
            }
            // Where the loss is flat already, a step has no size.
            let flat = left.hessian.min(right.hessian) < 1e-3;
            if flat || (left.rows as usize) < self.config.leaf_rows {
                continue;
            }
            let gain = left.score(self.config.l2) + right.score(self.config.l2) - parent;
            // What rounding makes of rows that are all alike is no gain.
            if gain > best.map_or(1e-12 * parent, |best| best.gain) {
                best = Some(Split {
                    gain,
                    column,
                    bin: bin as u8,
                    missing_left: false,
                    left,
                });
            }
        }
        best
    }
}

fn one_row([gradient, hessian]: [f32; 2]) -> Sums {
    Sums {
        gradient: f64::from(gradient),
        hessian: f64::from(hessian),
        rows: 1,
    }
}

/// The split of the largest gain, the first of equals, whatever order threads ended in.
fn first_best(splits: impl IntoIterator<Item = Option<Split>>) -> Option<Split> {
    let better = |best: Split, split: Split| if split.gain > best.gain { split } else { best };
    splits.into_iter().flatten().reduce(better)
}

fn best_leaf(leaves: &[Leaf]) -> Option<(usize, Split)> {
    let splits = leaves.iter().enumerate();
    let splits = splits.filter_map(|(at, leaf)| leaf.split.map(|split| (at, split)));
    splits.reduce(|best, leaf| {
        if leaf.1.gain > best.1.gain {
            leaf
        } else {
            best
        }
    })
}
