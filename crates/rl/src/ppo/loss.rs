//! The clipped objective with its gradient with respect to the network's outputs, and generalized
//! advantage estimation, computed on the host.

use std::f32::consts::PI;

/// The outputs of a policy for some observations.
#[derive(Clone, Copy, Debug)]
pub enum PolicyOutputs<'a> {
    /// Unnormalized log-probabilities, `[batch, n_actions]`.
    Discrete(&'a [f32]),
    /// Means, `[batch, d_action]`, and logarithms of the deviations, `[d_action]`.
    Gaussian(&'a [f32], &'a [f32]),
}

/// Actions that were taken.
#[derive(Clone, Debug, PartialEq)]
pub enum ActionBatch {
    /// `[batch]`.
    Discrete(Vec<u16>),
    /// `[batch, d_action]`, before clipping to the bounds.
    Continuous(Vec<f32>),
}

/// Some steps of the past, one array per field, `[batch]`.
#[derive(Clone, Debug)]
pub struct Minibatch {
    /// Actions.
    pub actions: ActionBatch,
    /// Log-probabilities of the actions when they were taken.
    pub log_probs: Vec<f32>,
    /// Advantages of the actions.
    pub advantages: Vec<f32>,
    /// Targets of the value function.
    pub returns: Vec<f32>,
}

/// Coefficients of the loss.
#[derive(Clone, Copy, Debug)]
pub struct Coefficients {
    /// Clip range of the probability ratio.
    pub clip_range: f32,
    /// Coefficient of the entropy.
    pub entropy: f32,
    /// Coefficient of half the squared error of the value.
    pub value: f32,
}

/// The loss and its derivatives with respect to the network's outputs.
#[derive(Clone, Debug, Default)]
pub struct LossGradient {
    /// The total loss.
    pub loss: f32,
    /// Derivatives with respect to the logits or the means.
    pub policy: Vec<f32>,
    /// Those with respect to the logarithms of the deviations; empty for discrete actions.
    pub log_std: Vec<f32>,
    /// Those with respect to the values, `[batch]`.
    pub value: Vec<f32>,
}

/// Log-probability of an action, and its derivatives with respect to the outputs of its row.
fn log_prob(
    outputs: PolicyOutputs<'_>,
    actions: &ActionBatch,
    row: usize,
    slope: &mut Vec<f32>,
    log_std_slope: &mut Vec<f32>,
) -> f32 {
    slope.clear();
    log_std_slope.clear();
    match (outputs, actions) {
        (PolicyOutputs::Discrete(logits), ActionBatch::Discrete(actions)) => {
            let width = logits.len() / actions.len();
            let logits = &logits[row * width..][..width];
            let total = log_sum_exp(logits);
            slope.extend(logits.iter().map(|logit| -(logit - total).exp()));
            let action = usize::from(actions[row]);
            slope[action] += 1.0;
            logits[action] - total
        }
        (PolicyOutputs::Gaussian(means, log_std), ActionBatch::Continuous(actions)) => {
            let width = log_std.len();
            let at = row * width..(row + 1) * width;
            let mut sum = 0.0;
            for ((mean, action), log_std) in means[at.clone()].iter().zip(&actions[at]).zip(log_std)
            {
                let std = log_std.exp();
                let z = (action - mean) / std;
                sum += -0.5 * z * z - log_std - 0.5 * (2.0 * PI).ln();
                slope.push(z / std);
                log_std_slope.push(z * z - 1.0);
            }
            sum
        }
        _ => unreachable!("one agent has one kind of action"),
    }
}

/// Log-probabilities of actions, `[batch]`.
pub fn log_probs(outputs: PolicyOutputs<'_>, actions: &ActionBatch, count: usize) -> Vec<f32> {
    let (mut slope, mut log_std_slope) = (Vec::new(), Vec::new());
    (0..count)
        .map(|row| log_prob(outputs, actions, row, &mut slope, &mut log_std_slope))
        .collect()
}

pub(crate) fn log_sum_exp(logits: &[f32]) -> f32 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.iter().map(|logit| (logit - largest).exp()).sum();
    largest + sum.ln()
}

/// The negative of the objective of equation 9 of Schulman et al. 2017.
///
/// # Shapes
///
/// - values: `[batch]`
pub fn clipped(
    batch: &Minibatch,
    outputs: PolicyOutputs<'_>,
    values: &[f32],
    coefficients: Coefficients,
) -> LossGradient {
    let count = values.len();
    let share = 1.0 / count as f32;
    let mut gradient = LossGradient::default();
    let (mut slope, mut log_std_slope) = (Vec::new(), Vec::new());
    for row in 0..count {
        let log_prob = log_prob(outputs, &batch.actions, row, &mut slope, &mut log_std_slope);
        let ratio = (log_prob - batch.log_probs[row]).exp();
        let advantage = batch.advantages[row];
        let limit = ratio.clamp(1.0 - coefficients.clip_range, 1.0 + coefficients.clip_range);
        let objective = (ratio * advantage).min(limit * advantage);
        gradient.loss -= share * objective;
        // Where the clipped objective is the smaller one, its derivative is zero.
        let pull = if ratio * advantage <= limit * advantage {
            -share * ratio * advantage
        } else {
            0.0
        };
        let start = gradient.policy.len();
        gradient
            .policy
            .extend(slope.iter().map(|slope| pull * slope));
        if gradient.log_std.is_empty() {
            gradient.log_std = vec![0.0; log_std_slope.len()];
        }
        for (sum, slope) in gradient.log_std.iter_mut().zip(&log_std_slope) {
            *sum += pull * slope;
        }
        let entropy = match outputs {
            PolicyOutputs::Discrete(logits) => {
                let width = logits.len() / count;
                let logits = &logits[row * width..][..width];
                let total = log_sum_exp(logits);
                let entropy: f32 = logits
                    .iter()
                    .map(|logit| -(logit - total).exp() * (logit - total))
                    .sum();
                for (slope, logit) in gradient.policy[start..].iter_mut().zip(logits) {
                    let log_prob = logit - total;
                    *slope += coefficients.entropy * share * log_prob.exp() * (log_prob + entropy);
                }
                entropy
            }
            PolicyOutputs::Gaussian(_, log_std) => {
                for slope in &mut gradient.log_std {
                    *slope -= coefficients.entropy * share;
                }
                let constant = 0.5 * (1.0 + (2.0 * PI).ln());
                log_std.iter().map(|log_std| log_std + constant).sum()
            }
        };
        let error = values[row] - batch.returns[row];
        gradient.loss +=
            share * (0.5 * coefficients.value * error * error - coefficients.entropy * entropy);
        gradient.value.push(share * coefficients.value * error);
    }
    gradient
}

/// One step of a rollout, with a value for each environment.
#[derive(Clone, Debug)]
pub struct RolloutRow {
    /// Rewards; those of truncated episodes include the discounted value of the final observation.
    pub rewards: Vec<f32>,
    /// Values of the observations before the actions.
    pub values: Vec<f32>,
    /// Whether the episode ended, either way.
    pub done: Vec<bool>,
}

/// Generalized advantage estimation (Schulman et al., 2016, <https://arxiv.org/abs/1506.02438>),
/// `[rows, envs]`.
///
/// `last` are the values of the observations after the last row.
pub fn advantages(rows: &[RolloutRow], last: &[f32], gamma: f32, lambda: f32) -> Vec<f32> {
    let envs = last.len();
    let mut advantages = vec![0.0; rows.len() * envs];
    let mut next_values = last;
    let mut running = vec![0.0; envs];
    for (index, row) in rows.iter().enumerate().rev() {
        for env in 0..envs {
            let not_done = if row.done[env] { 0.0 } else { 1.0 };
            let error = row.rewards[env] + gamma * not_done * next_values[env] - row.values[env];
            running[env] = error + gamma * lambda * not_done * running[env];
            advantages[index * envs + env] = running[env];
        }
        next_values = &row.values;
    }
    advantages
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEIGHTS: Coefficients = Coefficients {
        clip_range: 0.2,
        entropy: 0.03,
        value: 0.7,
    };

    fn slope(at: usize, outputs: &[f32], loss: &dyn Fn(&[f32]) -> f32) -> f32 {
        let moved = |by: f32| {
            let mut outputs = outputs.to_vec();
            outputs[at] += by;
            loss(&outputs)
        };
        (moved(0.005) - moved(-0.005)) / 0.01
    }

    fn assert_slopes(found: &[f32], outputs: &[f32], loss: &dyn Fn(&[f32]) -> f32) {
        for (at, found) in found.iter().enumerate() {
            let expected = slope(at, outputs, loss);
            assert!(
                (found - expected).abs() < 2e-3,
                "{at}: {found}, not {expected}"
            );
        }
    }

    #[test]
    fn the_gradients_are_the_losss_slopes() {
        // Going up, going up beyond the limit, going down beyond it, going down.
        let batch = |actions| Minibatch {
            actions,
            log_probs: vec![-1.1, -2.0, -0.2, -1.3],
            advantages: vec![1.0, 0.7, -0.8, -0.5],
            returns: vec![1.0, 2.0, -1.0, 0.0],
        };
        let values = [0.3, 2.5, 0.0, 0.1];
        let discrete = batch(ActionBatch::Discrete(vec![0, 2, 1, 1]));
        let logits: Vec<f32> = (0..12).map(|at| (at as f32 * 1.3).sin()).collect();
        let loss = |logits: &[f32]| {
            clipped(&discrete, PolicyOutputs::Discrete(logits), &values, WEIGHTS).loss
        };
        let gradient = clipped(
            &discrete,
            PolicyOutputs::Discrete(&logits),
            &values,
            WEIGHTS,
        );
        assert_slopes(&gradient.policy, &logits, &loss);
        assert_slopes(&gradient.value, &values, &|values| {
            clipped(&discrete, PolicyOutputs::Discrete(&logits), values, WEIGHTS).loss
        });

        let continuous = batch(ActionBatch::Continuous(vec![
            0.1, -0.4, 1.5, 0.2, 0.9, 0.0, -1.0, 0.3,
        ]));
        let means: Vec<f32> = (0..8).map(|at| (at as f32 * 0.7).cos() * 0.5).collect();
        let log_std = [-0.3, 0.2];
        let run = |means: &[f32], log_std: &[f32]| {
            clipped(
                &continuous,
                PolicyOutputs::Gaussian(means, log_std),
                &values,
                WEIGHTS,
            )
        };
        let gradient = run(&means, &log_std);
        assert_slopes(&gradient.policy, &means, &|means| run(means, &log_std).loss);
        assert_slopes(&gradient.log_std, &log_std, &|log_std| {
            run(&means, log_std).loss
        });
    }

    #[test]
    fn a_truncation_counts_what_would_have_followed_and_a_termination_does_not() {
        let row = |reward: f32, value: f32, done: bool| RolloutRow {
            rewards: vec![reward],
            values: vec![value],
            done: vec![done],
        };
        // Going on: 1 + 0.5 * 8 - 3; then its successor's error.
        let on = advantages(&[row(1.0, 3.0, false)], &[8.0], 0.5, 0.9);
        assert!((on[0] - 2.0).abs() < 1e-6);
        // Terminated: what follows is another episode's.
        let ended = advantages(&[row(1.0, 3.0, true)], &[8.0], 0.5, 0.9);
        assert!((ended[0] + 2.0).abs() < 1e-6);
        // Truncated: the value of the last observation, here 8, is in the reward.
        let cut = advantages(&[row(1.0 + 0.5 * 8.0, 3.0, true)], &[100.0], 0.5, 0.9);
        assert!((cut[0] - on[0]).abs() < 1e-6);
        let two = advantages(
            &[row(1.0, 3.0, false), row(2.0, 4.0, true)],
            &[8.0],
            0.5,
            0.9,
        );
        assert!((two[1] + 2.0).abs() < 1e-6 && (two[0] - (0.0 - 0.45 * 2.0)).abs() < 1e-6);
    }
}
