use serde::{Deserialize, Serialize};
use tinderbox_train::{ConfigError, check_range};

use crate::recipe::{check_count, of_agent};

/// Hyperparameters of a DQN agent, besides its optimizer and batch size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DqnConfig {
    /// Widths of the hidden layers.
    pub net_arch: Vec<usize>,
    /// Whether the online network selects the next action and the target network evaluates it
    /// (van Hasselt et al. 2016).
    pub double: bool,
    /// Whether the value of a state and the advantages of actions have layers of their own (Wang
    /// et al. 2016).
    pub dueling: bool,
    /// Whether exploration is by learned noise in the weights (Fortunato et al. 2018).
    pub noisy: bool,
    /// Atoms of the distribution of returns (Bellemare et al. 2017); 1 for its mean alone.
    pub n_atoms: usize,
    /// Return of the lowest atom; unused with a single one.
    pub v_min: f64,
    /// Return of the highest atom; unused with a single one.
    pub v_max: f64,
    /// Steps of the return before bootstrapping (Sutton 1988).
    pub n_step: usize,
    /// Whether transitions are sampled by their last error (Schaul et al. 2016).
    pub prioritized_replay: bool,
    /// Exponent of the error in the sampling probability; unused without `prioritized_replay`.
    pub prioritized_replay_alpha: f64,
    /// Initial exponent of the importance weights, which grows to 1; unused without
    /// `prioritized_replay`.
    pub prioritized_replay_beta0: f64,
    /// Discount of a reward one step later.
    pub gamma: f64,
    /// Capacity of the replay buffer, in transitions.
    pub buffer_size: usize,
    /// Environment steps before the first update.
    pub learning_starts: usize,
    /// Environment steps between two rounds of updates.
    pub train_freq: usize,
    /// Updates in a round.
    pub gradient_steps: usize,
    /// Updates of the online network between two updates of the target network.
    pub target_update_interval: usize,
    /// Share of the online network in an update of the target network: 1 copies it (Mnih et al.
    /// 2015), less is a Polyak average (Lillicrap et al. 2016, <https://arxiv.org/abs/1509.02971>).
    pub tau: f64,
    /// Probability of a random action at the start.
    pub exploration_initial_eps: f64,
    /// Probability of a random action at the end.
    pub exploration_final_eps: f64,
    /// Environment steps over which it falls, linearly.
    pub exploration_steps: usize,
}

impl Default for DqnConfig {
    fn default() -> Self {
        Self {
            net_arch: vec![64, 64],
            double: false,
            dueling: false,
            noisy: false,
            n_atoms: 1,
            v_min: 0.0,
            v_max: 100.0,
            n_step: 1,
            prioritized_replay: false,
            prioritized_replay_alpha: 0.6,
            prioritized_replay_beta0: 0.4,
            gamma: 0.99,
            buffer_size: 50_000,
            learning_starts: 500,
            train_freq: 128,
            gradient_steps: 128,
            target_update_interval: 128,
            tau: 1.0,
            exploration_initial_eps: 1.0,
            exploration_final_eps: 0.05,
            exploration_steps: 3_000,
        }
    }
}

impl DqnConfig {
    /// Checks every field, and that the network can be built.
    ///
    /// # Errors
    ///
    /// Names the first key that is out of range.
    pub fn validate(&self, d_input: usize, n_actions: usize) -> Result<(), ConfigError> {
        check_count("agent.n_step", self.n_step, 1, 1_000)?;
        check_count("agent.buffer_size", self.buffer_size, 1, 1 << 30)?;
        check_count("agent.train_freq", self.train_freq, 1, 1 << 20)?;
        check_count("agent.gradient_steps", self.gradient_steps, 1, 1 << 20)?;
        let interval = self.target_update_interval;
        check_count("agent.target_update_interval", interval, 1, 1 << 30)?;
        check_count("agent.learning_starts", self.learning_starts, 0, 1 << 40)?;
        check_count(
            "agent.exploration_steps",
            self.exploration_steps,
            0,
            1 << 40,
        )?;
        for (key, value) in [
            ("agent.gamma", self.gamma),
            (
                "agent.prioritized_replay_alpha",
                self.prioritized_replay_alpha,
            ),
            (
                "agent.prioritized_replay_beta0",
                self.prioritized_replay_beta0,
            ),
            (
                "agent.exploration_initial_eps",
                self.exploration_initial_eps,
            ),
            ("agent.exploration_final_eps", self.exploration_final_eps),
        ] {
            check_range(key, value, 0.0..=1.0)?;
        }
        check_range("agent.tau", self.tau, 1e-6..=1.0)?;
        self.network(d_input, n_actions)
            .validate()
            .map_err(of_agent)
    }

    /// Probability of a random action after `steps` environment steps.
    pub fn epsilon(&self, steps: u64) -> f64 {
        let progress = steps as f64 / self.exploration_steps.max(1) as f64;
        let (start, end) = (self.exploration_initial_eps, self.exploration_final_eps);
        start + (end - start) * progress.min(1.0)
    }
}
