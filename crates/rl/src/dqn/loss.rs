//! Targets, losses and their gradients with respect to the network's output.
//!
//! They are computed on the host, with gradients derived by hand: an output has few numbers, and
//! all of them are needed on the host anyway, as errors for the replay buffer. The device computes
//! the network only.

use crate::replay_buffer::Batch;

/// The loss of a batch with its gradient.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LossGradient {
    /// The mean over the batch.
    pub loss: f32,
    /// Error of each transition, for the replay buffer, `[batch]`.
    pub errors: Vec<f32>,
    /// Derivative of the loss with respect to the network's output, of the output's shape.
    pub gradient: Vec<f32>,
}

/// The index of the largest value, the first of equals.
pub(crate) fn argmax(values: &[f32]) -> usize {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = index;
        }
    }
    best
}

/// The targets: the rewards and the discounted values of the next observations.
///
/// `choice` selects the next action and `value` evaluates it. They are the same in Mnih et al. 2015;
/// in double Q-learning the online network selects and the target network evaluates (van Hasselt,
/// Guez and Silver, 2016, <https://arxiv.org/abs/1509.06461>).
///
/// # Shapes
///
/// - choice, value: `[batch, n_actions]`, for the next observations
/// - output: `[batch]`
pub fn targets(batch: &Batch, choice: &[f32], value: &[f32], n_actions: usize) -> Vec<f32> {
    let rows = choice
        .chunks_exact(n_actions)
        .zip(value.chunks_exact(n_actions));
    let outcomes = batch.rewards.iter().zip(&batch.discounts);
    rows.zip(outcomes)
        .map(|((choice, value), (reward, discount))| reward + discount * value[argmax(choice)])
        .collect()
}

/// The Huber loss (Mnih et al. 2015 clip the error, which is the same).
///
/// # Shapes
///
/// - values: `[batch, n_actions]`
/// - targets: `[batch]`
pub fn huber(batch: &Batch, values: &[f32], targets: &[f32], n_actions: usize) -> LossGradient {
    let count = targets.len() as f32;
    let mut result = LossGradient {
        loss: 0.0,
        errors: Vec::with_capacity(targets.len()),
        gradient: vec![0.0; values.len()],
    };
    for (row, target) in targets.iter().enumerate() {
        let at = row * n_actions + batch.actions[row] as usize;
        let (error, weight) = (values[at] - target, batch.weights[row]);
        let size = error.abs();
        let loss = if size <= 1.0 {
            0.5 * error * error
        } else {
            size - 0.5
        };
        result.loss += weight * loss / count;
        result.errors.push(size);
        result.gradient[at] = weight * error.clamp(-1.0, 1.0) / count;
    }
    result
}

/// Probabilities of the atoms of one action from their logits.
fn softmax(logits: &[f32], probabilities: &mut Vec<f32>) {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    probabilities.clear();
    probabilities.extend(logits.iter().map(|logit| (logit - largest).exp()));
    let sum: f32 = probabilities.iter().sum();
    for probability in probabilities {
        *probability /= sum;
    }
}

/// Expected returns from the logits of their atoms.
///
/// # Shapes
///
/// - logits: `[rows, atoms]`
/// - support: `[atoms]`
/// - output: `[rows]`
pub fn expectations(logits: &[f32], support: &[f32]) -> Vec<f32> {
    let mut probabilities = Vec::with_capacity(support.len());
    logits
        .chunks_exact(support.len())
        .map(|logits| {
            softmax(logits, &mut probabilities);
            let terms = probabilities.iter().zip(support);
            terms.map(|(probability, atom)| probability * atom).sum()
        })
        .collect()
}

/// The target distributions, projected onto the network's atoms (Bellemare, Dabney and Munos, 2017, <https://arxiv.org/abs/1707.06887>, algorithm 1).
///
/// # Shapes
///
/// - choice: `[batch, n_actions]`, the values that select the next action
/// - logits: `[batch, n_actions, atoms]`, for the next observations
/// - support: `[atoms]`, evenly spaced
/// - output: `[batch, atoms]`
pub fn project(batch: &Batch, choice: &[f32], logits: &[f32], support: &[f32]) -> Vec<f32> {
    let atoms = support.len();
    let count = batch.rewards.len();
    let n_actions = choice.len() / count.max(1);
    let (low, high) = (support[0], support[atoms - 1]);
    let spacing = (high - low) / (atoms - 1) as f32;
    let mut projected = vec![0.0; count * atoms];
    let mut probabilities = Vec::with_capacity(atoms);
    for (row, target) in projected.chunks_exact_mut(atoms).enumerate() {
        let action = argmax(&choice[row * n_actions..][..n_actions]);
        softmax(
            &logits[(row * n_actions + action) * atoms..][..atoms],
            &mut probabilities,
        );
        for (probability, atom) in probabilities.iter().zip(support) {
            let value = (batch.rewards[row] + batch.discounts[row] * atom).clamp(low, high);
            let at = ((value - low) / spacing).clamp(0.0, (atoms - 1) as f32);
            let lower = at as usize;
            let upper = (lower + 1).min(atoms - 1);
            let share = at - lower as f32;
            target[lower] += probability * (1.0 - share);
            target[upper] += probability * share;
        }
    }
    projected
}

/// The cross-entropy; the errors are the Kullback-Leibler divergences, as in Hessel et al. 2018.
///
/// # Shapes
///
/// - logits: `[batch, n_actions, atoms]`
/// - targets: `[batch, atoms]`
pub fn cross_entropy(batch: &Batch, logits: &[f32], targets: &[f32], atoms: usize) -> LossGradient {
    let rows = targets.len() / atoms;
    let n_actions = logits.len() / targets.len().max(1);
    let count = rows as f32;
    let mut result = LossGradient {
        loss: 0.0,
        errors: Vec::with_capacity(rows),
        gradient: vec![0.0; logits.len()],
    };
    let mut probabilities = Vec::with_capacity(atoms);
    for (row, target) in targets.chunks_exact(atoms).enumerate() {
        let at = (row * n_actions + batch.actions[row] as usize) * atoms;
        softmax(&logits[at..][..atoms], &mut probabilities);
        let weight = batch.weights[row];
        let (mut entropy, mut own_entropy) = (0.0, 0.0);
        for (index, (probability, target)) in probabilities.iter().zip(target).enumerate() {
            // A probability that underflowed would make the loss infinite.
            entropy -= target * probability.max(f32::MIN_POSITIVE).ln();
            if *target > 0.0 {
                own_entropy -= target * target.ln();
            }
            result.gradient[at + index] = weight * (probability - target) / count;
        }
        result.loss += weight * entropy / count;
        result.errors.push((entropy - own_entropy).max(0.0));
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(rewards: &[f32], discounts: &[f32]) -> Batch {
        let count = rewards.len();
        Batch {
            actions: [0, 1].into_iter().cycle().take(count).collect(),
            rewards: rewards.to_vec(),
            discounts: discounts.to_vec(),
            weights: (0..count).map(|row| 1.0 - 0.25 * row as f32).collect(),
            ..Batch::default()
        }
    }

    fn assert_gradient(output: &[f32], result: &LossGradient, loss: impl Fn(&[f32]) -> f32) {
        for at in 0..output.len() {
            let moved = |by: f32| {
                let mut output = output.to_vec();
                output[at] += by;
                loss(&output)
            };
            let slope = (moved(0.01) - moved(-0.01)) / 0.02;
            let found = result.gradient[at];
            assert!((slope - found).abs() < 2e-3, "{at}: {found}, not {slope}");
        }
    }

    #[test]
    fn only_a_termination_ends_the_value() {
        // Terminated, and truncated or going on: they differ in the discount alone.
        let batch = batch(&[1.0, 1.0], &[0.0, 0.5]);
        let values = [3.0, 2.0, 3.0, 2.0];
        assert_eq!(targets(&batch, &values, &values, 2), [1.0, 2.5]);
    }

    #[test]
    fn in_double_learning_one_network_chooses_and_the_other_values() {
        let batch = batch(&[0.0], &[1.0]);
        let (choice, value) = ([1.0, 2.0], [7.0, 3.0]);
        assert_eq!(targets(&batch, &choice, &value, 2), [3.0]);
        assert_eq!(targets(&batch, &value, &value, 2), [7.0]);
    }

    #[test]
    fn the_gradients_are_the_losses_slopes() {
        let batch = batch(&[0.0; 3], &[0.0; 3]);
        let values = [0.2, 4.0, -3.0, 0.4, 0.6, 0.1];
        let goals = [0.0, 0.1, 0.9];
        let result = huber(&batch, &values, &goals, 2);
        assert_gradient(&values, &result, |values| {
            huber(&batch, values, &goals, 2).loss
        });
        assert!((result.errors[1] - 0.3).abs() < 1e-6);

        let logits: Vec<f32> = (0..18).map(|at| (at as f32 * 1.7).sin()).collect();
        let goals = [0.5, 0.5, 0.0, 0.0, 1.0, 0.0, 0.2, 0.3, 0.5];
        let result = cross_entropy(&batch, &logits, &goals, 3);
        assert_gradient(&logits, &result, |logits| {
            cross_entropy(&batch, logits, &goals, 3).loss
        });
    }

    #[test]
    fn a_distribution_moves_as_its_atoms_do() {
        // Going on, terminated on an atom, terminated between two, beyond the highest.
        let batch = batch(&[0.0, 1.0, 0.25, 9.0], &[1.0, 0.0, 0.0, 1.0]);
        let support = [0.0, 1.0, 2.0];
        let certain = [-50.0, 50.0, -50.0];
        let logits: Vec<f32> = (0..8).flat_map(|_| certain).collect();
        let projected = project(&batch, &[0.0; 8], &logits, &support);
        let expected = [0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.75, 0.25, 0.0, 0.0, 0.0, 1.0];
        for (found, expected) in projected.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{projected:?}");
        }
        assert!((expectations(&certain, &support)[0] - 1.0).abs() < 1e-6);
    }
}
