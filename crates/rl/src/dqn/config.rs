use serde::{Deserialize, Serialize};
use tinderbox_train::{ConfigError, check_range};

/// Everything that decides a DQN agent besides its optimizer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DqnConfig {
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// Whether the network in training chooses the next action, and the target network values it
    /// (van Hasselt et al. 2016).
    pub double: bool,
    /// Whether the value of a state and the advantages of actions have layers of their own (Wang
    /// et al. 2016).
    pub dueling: bool,
    /// Whether exploration is by learned noise in the weights (Fortunato et al. 2018).
    pub noisy: bool,
    /// Atoms of the distribution of returns (Bellemare et al. 2017); 1 for its mean alone.
    pub atoms: usize,
    /// Return of the lowest atom; unused with a single one.
    pub v_min: f64,
    /// Return of the highest atom; unused with a single one.
    pub v_max: f64,
    /// Rewards summed before the value of what follows (Sutton 1988).
    pub n_step: usize,
    /// Whether transitions are drawn by their last error (Schaul et al. 2016).
    pub prioritized: bool,
    /// Power of the error in a transition's chance, alpha; unused without `prioritized`.
    pub priority_exponent: f64,
    /// How far the loss makes up for unequal chances at the start, beta; 1 at the end. Unused
    /// without `prioritized`.
    pub importance: f64,
    /// Discount of a reward one step later.
    pub gamma: f64,
    /// Most transitions kept.
    pub replay_size: usize,
    /// Transitions in an update.
    pub batch_size: usize,
    /// Steps of the environments before the first update.
    pub learning_starts: usize,
    /// Steps of the environments between two rounds of updates.
    pub update_every: usize,
    /// Updates in a round.
    pub updates: usize,
    /// Updates between two moves of the target network.
    pub target_every: usize,
    /// How far it moves towards the network in training: 1 all the way (Mnih et al. 2015), less
    /// for Polyak's average (Lillicrap et al. 2016, <https://arxiv.org/abs/1509.02971>).
    pub target_share: f64,
    /// Share of random actions at the start.
    pub epsilon_start: f64,
    /// Share of random actions in the end.
    pub epsilon_end: f64,
    /// Steps of the environments over which it falls, evenly.
    pub epsilon_steps: usize,
    /// Largest global L2 norm of the gradients; 0 for no limit.
    pub clip_norm: f64,
}

impl Default for DqnConfig {
    fn default() -> Self {
        Self {
            hidden: vec![64, 64],
            double: false,
            dueling: false,
            noisy: false,
            atoms: 1,
            v_min: 0.0,
            v_max: 100.0,
            n_step: 1,
            prioritized: false,
            priority_exponent: 0.6,
            importance: 0.4,
            gamma: 0.99,
            replay_size: 50_000,
            batch_size: 64,
            learning_starts: 500,
            update_every: 128,
            updates: 128,
            target_every: 128,
            target_share: 1.0,
            epsilon_start: 1.0,
            epsilon_end: 0.05,
            epsilon_steps: 3_000,
            clip_norm: 0.0,
        }
    }
}

impl DqnConfig {
    /// Checks every field, and that the network can be made.
    ///
    /// # Errors
    ///
    /// Names the first key that is out of range.
    pub fn validate(&self, d_input: usize, n_actions: usize) -> Result<(), ConfigError> {
        let count = |key: &str, value: usize, least: usize, most: usize| {
            if (least..=most).contains(&value) {
                return Ok(());
            }
            let expected = format!("{least} to {most}");
            Err(ConfigError::new(key, value, expected))
        };
        count("agent.n_step", self.n_step, 1, 1_000)?;
        count("agent.replay_size", self.replay_size, 1, 1 << 30)?;
        count("agent.batch_size", self.batch_size, 1, 65_536)?;
        count("agent.update_every", self.update_every, 1, 1 << 20)?;
        count("agent.updates", self.updates, 1, 1 << 20)?;
        count("agent.target_every", self.target_every, 1, 1 << 30)?;
        count("agent.learning_starts", self.learning_starts, 0, 1 << 40)?;
        count("agent.epsilon_steps", self.epsilon_steps, 0, 1 << 40)?;
        let share = |key: &str, value: f64| check_range(key, value, 0.0..=1.0);
        share("agent.gamma", self.gamma)?;
        share("agent.priority_exponent", self.priority_exponent)?;
        share("agent.importance", self.importance)?;
        share("agent.epsilon_start", self.epsilon_start)?;
        share("agent.epsilon_end", self.epsilon_end)?;
        check_range("agent.target_share", self.target_share, 1e-6..=1.0)?;
        check_range("agent.clip_norm", self.clip_norm, 0.0..=1e9)?;
        if self.replay_size < self.batch_size {
            let expected = format!("at least `agent.batch_size`, {}", self.batch_size);
            return Err(ConfigError::new(
                "agent.replay_size",
                self.replay_size,
                expected,
            ));
        }
        self.network(d_input, n_actions)
            .validate()
            .map_err(|error| ConfigError::new("agent", error, "a network that can be made"))
    }

    /// Share of random actions after `steps` steps of the environments.
    pub fn epsilon(&self, steps: u64) -> f64 {
        let progress = steps as f64 / self.epsilon_steps.max(1) as f64;
        let (start, end) = (self.epsilon_start, self.epsilon_end);
        start + (end - start) * progress.min(1.0)
    }
}
