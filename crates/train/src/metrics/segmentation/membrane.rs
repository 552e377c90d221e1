//! V-Rand and V-Info of the ISBI 2012 challenge: how well cells are separated by their membranes.
//!
//! Reference: Arganda-Carreras et al., *Crowdsourcing the creation of image segmentation algorithms for
//! connectomics*, 2015, <https://doi.org/10.3389/fnana.2015.00142>.
//!
//! Protocol, per image and threshold: the pixels whose probability of being membrane is at most the
//! threshold form cells, connected by their 4 neighbors. The membrane between them is thinned to nothing:
//! step by step, each of its pixels that touches a cell joins the one that was found first. True cells are
//! connected likewise, and only their pixels count. With `p_ij` the share of pixels in the found cell i and the true
//! cell j, and `s_i` and `t_j` the shares of the cells:
//!
//! |  | split | merge | both (their harmonic mean) |
//! |---|---|---|---|
//! | V-Rand | `sum p_ij^2 / sum t_j^2` | `sum p_ij^2 / sum s_i^2` | `2 sum p_ij^2 / (sum s_i^2 + sum t_j^2)` |
//! | V-Info | `I(S; T) / H(S)` | `I(S; T) / H(T)` | `2 I(S; T) / (H(S) + H(T))` |
//!
//! Split is below 1 where true cells are divided, merge where they are joined. All are averaged over the
//! images, and the threshold with the largest mean of both counts.
//!
//! Differs from the challenge's script, which thins membranes to a line of one pixel that then counts as a
//! cell: scores are not exactly comparable.

use std::collections::HashMap;

use tinderbox_datasets::image::{IGNORE, Mask};

/// A score at its best threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MembraneScore {
    /// The mean over the images.
    pub score: f64,
    /// The part for true cells that were divided, at the same threshold.
    pub split: f64,
    /// The part for true cells that were joined, at the same threshold.
    pub merge: f64,
    /// The threshold of the membrane's probability.
    pub threshold: f32,
}

/// One of the two scores with its parts, of an image or summed over images.
#[derive(Clone, Copy, Debug, Default)]
struct Agreement {
    score: f64,
    split: f64,
    merge: f64,
}

impl Agreement {
    /// Both parts are of the same numerator.
    fn of(shared: f64, split: f64, merge: f64) -> Self {
        // 0 / 0 where there is a single cell, which agrees with itself.
        let ratio = |whole: f64| if whole > 0.0 { shared / whole } else { 1.0 };
        Self {
            score: ratio(f64::midpoint(split, merge)),
            split: ratio(split),
            merge: ratio(merge),
        }
    }

    fn add(&mut self, other: Self) {
        self.score += other.score;
        self.split += other.split;
        self.merge += other.merge;
    }
}

/// V-Rand and V-Info of images one after the other.
#[derive(Clone, Debug)]
pub struct MembraneScores {
    thresholds: Vec<f32>,
    images: usize,
    /// Sums of V-Rand and V-Info by threshold.
    sums: Vec<[Agreement; 2]>,
}

impl Default for MembraneScores {
    /// The thresholds 0.1, 0.2, …, 0.9.
    fn default() -> Self {
        Self::new((1..10).map(|tenth| tenth as f32 / 10.0).collect())
    }
}

impl MembraneScores {
    /// Scores at these thresholds of the membrane's probability.
    pub fn new(thresholds: Vec<f32>) -> Self {
        Self {
            images: 0,
            sums: vec![[Agreement::default(); 2]; thresholds.len()],
            thresholds,
        }
    }

    /// Scores an image: the probability of being membrane of each pixel, against a mask whose class
    /// `membrane` is membrane. An image without true cells is passed over.
    ///
    /// # Panics
    ///
    /// If there are not as many probabilities as pixels.
    pub fn add(&mut self, probabilities: &[f32], actual: &Mask, membrane: u16) {
        assert_eq!(
            probabilities.len(),
            actual.classes.len(),
            "one value for each pixel"
        );
        let is_cell = |&class: &u16| class != membrane && class != IGNORE;
        let cells: Vec<bool> = actual.classes.iter().map(is_cell).collect();
        let truth = components(&cells, actual.width);
        if truth.iter().all(|&label| label == 0) {
            return;
        }
        self.images += 1;
        for (&threshold, sums) in self.thresholds.iter().zip(&mut self.sums) {
            let inside: Vec<bool> = probabilities.iter().map(|&p| p <= threshold).collect();
            let mut labels = components(&inside, actual.width);
            grow(&mut labels, actual.width);
            for (sum, own) in sums.iter_mut().zip(agreement(&labels, &truth)) {
                sum.add(own);
            }
        }
    }

    /// The largest mean V-Rand over the thresholds.
    pub fn v_rand(&self) -> Option<MembraneScore> {
        self.best(0)
    }

    /// The largest mean V-Info over the thresholds.
    pub fn v_info(&self) -> Option<MembraneScore> {
        self.best(1)
    }

    fn best(&self, which: usize) -> Option<MembraneScore> {
        let images = self.images as f64;
        let scores = self.sums.iter().zip(&self.thresholds);
        let scores = scores.map(|(sums, &threshold)| MembraneScore {
            score: sums[which].score / images,
            split: sums[which].split / images,
            merge: sums[which].merge / images,
            threshold,
        });
        scores
            .filter(|_| self.images > 0)
            .reduce(|best, next| if next.score > best.score { next } else { best })
    }
}

/// Numbers the connected pixels from 1 in the order of their first pixel; 0 outside.
fn components(inside: &[bool], width: usize) -> Vec<u32> {
    let mut labels = vec![0; inside.len()];
    let mut count = 0;
    let mut open = Vec::new();
    for start in 0..inside.len() {
        if !inside[start] || labels[start] > 0 {
            continue;
        }
        count += 1;
        labels[start] = count;
        open.push(start);
        while let Some(at) = open.pop() {
            for next in neighbors(at, width, inside.len()) {
                if inside[next] && labels[next] == 0 {
                    labels[next] = count;
                    open.push(next);
                }
            }
        }
    }
    labels
}

/// Gives every pixel without a label that of the nearest labeled one, in steps to the 4 neighbors; of
/// several the least.
fn grow(labels: &mut [u32], width: usize) {
    let mut edge: Vec<usize> = (0..labels.len()).filter(|&at| labels[at] > 0).collect();
    while !edge.is_empty() {
        let mut reached: Vec<(usize, u32)> = Vec::new();
        for &at in &edge {
            let near = neighbors(at, width, labels.len());
            reached.extend(
                near.filter(|&next| labels[next] == 0)
                    .map(|next| (next, labels[at])),
            );
        }
        edge.clear();
        for (at, label) in reached {
            if labels[at] == 0 {
                edge.push(at);
                labels[at] = label;
            }
            labels[at] = labels[at].min(label);
        }
    }
}

fn neighbors(at: usize, width: usize, len: usize) -> impl Iterator<Item = usize> {
    let column = at % width;
    let steps = [
        (at >= width).then(|| at - width),
        (column > 0).then(|| at - 1),
        (column + 1 < width).then(|| at + 1),
        (at + width < len).then(|| at + width),
    ];
    steps.into_iter().flatten()
}

/// V-Rand and V-Info of two numberings, over the pixels with a true label.
fn agreement(labels: &[u32], truth: &[u32]) -> [Agreement; 2] {
    let mut joint: HashMap<(u32, u32), u64> = HashMap::new();
    let mut own = vec![0_u64; labels.iter().max().map_or(0, |&most| most as usize) + 1];
    let mut real = vec![0_u64; truth.iter().max().map_or(0, |&most| most as usize) + 1];
    let mut total = 0.0;
    for (&label, &cell) in labels.iter().zip(truth).filter(|(_, cell)| **cell > 0) {
        *joint.entry((label, cell)).or_default() += 1;
        own[label as usize] += 1;
        real[cell as usize] += 1;
        total += 1.0;
    }
    // Sorted, so that sums of floating-point numbers are the same in every run.
    let mut joint: Vec<((u32, u32), u64)> = joint.into_iter().collect();
    joint.sort_unstable();
    let joint: Vec<u64> = joint.into_iter().map(|(_, count)| count).collect();
    let squares = |counts: &[u64]| {
        counts
            .iter()
            .map(|&n| (n as f64 / total).powi(2))
            .sum::<f64>()
    };
    let entropy = |counts: &[u64]| {
        let parts = counts.iter().filter(|&&n| n > 0).map(|&n| n as f64 / total);
        -parts.map(|p| p * p.ln()).sum::<f64>()
    };
    let rand = Agreement::of(squares(&joint), squares(&real), squares(&own));
    let (own, real) = (entropy(&own), entropy(&real));
    let shared = own + real - entropy(&joint);
    [rand, Agreement::of(shared, own, real)]
}
