//! What determines an agent, and the built-in recipes.
//!
//! Keys have the names of Stable-Baselines3 and Gymnasium, and those of the other recipes where
//! they share one.

use serde::{Deserialize, Serialize};
use tinderbox_models::LayerSummary;
use tinderbox_models::rl::ActorCriticConfig;
use tinderbox_train::docs::{METRICS_DOCS, OPTIMIZER_DOCS};
use tinderbox_train::overlay::{KeyDoc, Patchable, nearest};
use tinderbox_train::{
    ConfigError, MetricsOptions, Optimizer, Schedule, TaskError, TrainConfig, check_budget,
    check_name, check_range,
};
use toml::Table;

use crate::docs::DOCS;
use crate::dqn::DqnConfig;
use crate::env::{ClassicControl, UnknownEnvironment};
use crate::environment::{ActionSpace, EnvSpec, Environment as _};
use crate::ppo::PpoConfig;

/// Everything that determines a trained agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Name of the recipe, and of its folder under `runs/`.
    pub name: String,
    /// Name of the environment.
    pub environment: String,
    /// The algorithm with its hyperparameters.
    pub agent: Agent,
    /// The optimizer.
    pub optimizer: Optimizer,
    /// The learning rate over the environment steps.
    pub schedule: Schedule,
    /// Length, batches, evaluations and checkpoints of the training.
    pub train: TrainingOptions,
    /// What is recorded besides `metrics.jsonl`.
    #[serde(default, skip_serializing_if = "MetricsOptions::is_default")]
    pub metrics: MetricsOptions,
}

/// An algorithm with its hyperparameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Agent {
    /// Deep Q-learning.
    Dqn(DqnConfig),
    /// Proximal policy optimization.
    Ppo(PpoConfig),
}

impl Agent {
    /// The layers of the network for an environment with these spaces.
    pub fn layers(&self, spec: &EnvSpec) -> Vec<LayerSummary> {
        match (self, &spec.action_space) {
            (Self::Dqn(dqn), ActionSpace::Discrete(count)) => {
                dqn.network(spec.observation_space.len(), *count).layers()
            }
            (Self::Dqn(_), ActionSpace::Continuous(_)) => Vec::new(),
            (Self::Ppo(ppo), _) => actor_critic(ppo, spec).layers(),
        }
    }
}

/// Length, batches, evaluations and checkpoints of a training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingOptions {
    /// Largest number of environment steps, over all environments, rounded up to whole steps of all of them by deep
    /// Q-learning, and to whole rollouts by proximal policy optimization.
    pub total_timesteps: usize,
    /// Time that training may take, such as `20m` or `1h30m`, of which the number of steps follows on this machine;
    /// empty for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub budget: String,
    /// Environments that are stepped together.
    pub num_envs: usize,
    /// Transitions in an update.
    pub batch_size: usize,
    /// Seed of everything random.
    pub seed: u64,
    /// Largest global L2 norm of the gradients; 0 for no limit.
    pub clip_norm: f64,
    /// Environment steps between two evaluations.
    pub eval_freq: usize,
    /// Episodes of an evaluation.
    pub n_eval_episodes: usize,
    /// Mean return of evaluations at which training stops; `inf` for never.
    pub reward_threshold: f64,
    /// Consecutive evaluations that must reach it.
    pub evals_to_stop: usize,
    /// Environment steps between two points of the training curve.
    pub log_every: usize,
    /// Environment steps between two checkpoints; 0 writes them at the start and the end only.
    pub checkpoint_every: usize,
}

impl Default for TrainingOptions {
    fn default() -> Self {
        Self {
            total_timesteps: 50_000,
            budget: String::new(),
            num_envs: 8,
            batch_size: 64,
            seed: 42,
            clip_norm: 0.0,
            eval_freq: 1_000,
            n_eval_episodes: 100,
            reward_threshold: f64::INFINITY,
            evals_to_stop: 1,
            log_every: 1_000,
            checkpoint_every: 0,
        }
    }
}

impl TrainingOptions {
    /// The time budget in s; none if it is empty.
    ///
    /// # Errors
    ///
    /// If it is no duration.
    pub fn time_budget(&self) -> Result<Option<f64>, ConfigError> {
        let budget = check_budget(&self.budget)?;
        Ok(budget.map(|budget| budget.as_secs_f64()))
    }

    fn validate(&self) -> Result<(), ConfigError> {
        check_count("train.total_timesteps", self.total_timesteps, 1, 1 << 40)?;
        self.time_budget()?;
        check_count("train.num_envs", self.num_envs, 1, 65_536)?;
        check_count("train.batch_size", self.batch_size, 1, 1 << 20)?;
        check_count("train.eval_freq", self.eval_freq, 1, 1 << 40)?;
        check_count("train.n_eval_episodes", self.n_eval_episodes, 1, 65_536)?;
        check_count("train.evals_to_stop", self.evals_to_stop, 1, 1 << 20)?;
        check_count("train.log_every", self.log_every, 1, 1 << 40)?;
        check_range("train.clip_norm", self.clip_norm, 0.0..=1e9)?;
        if self.reward_threshold.is_nan() {
            let expected = "a number or `inf`";
            return Err(ConfigError::new("train.reward_threshold", "NaN", expected));
        }
        // TOML has no unsigned 64-bit integers, and a recipe must survive its own `recipe.toml`.
        if i64::try_from(self.seed).is_err() {
            let expected = "at most 9223372036854775807";
            return Err(ConfigError::new("train.seed", self.seed, expected));
        }
        Ok(())
    }
}

/// An error of the configuration of a network, with the key of the agent.
pub(crate) fn of_agent(error: ConfigError) -> ConfigError {
    if error.key == "parameters" {
        let expected = error.expected.replace("in total", "parameters in total");
        let expected = format!("layers with {expected}");
        let value = format!("{} parameters", error.value);
        return ConfigError::new("agent.net_arch", value, expected);
    }
    match error.key.strip_prefix("hidden") {
        Some(rest) => {
            let key = format!("agent.net_arch{rest}");
            ConfigError { key, ..error }
        }
        None => error.within("agent"),
    }
}

/// Checks that a number is in a range, both ends included.
pub(crate) fn check_count(
    key: &str,
    value: usize,
    least: usize,
    most: usize,
) -> Result<(), ConfigError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    let expected = format!("between {least} and {most}");
    Err(ConfigError::new(key, value, expected))
}

tinderbox_train::task_recipe!(Recipe, self => None);

impl Patchable for Recipe {
    fn variant(path: &str, kind: &str) -> Option<Table> {
        match (path, kind) {
            ("agent", "dqn") => Table::try_from(Agent::Dqn(DqnConfig::default())).ok(),
            ("agent", "ppo") => Table::try_from(Agent::Ppo(PpoConfig::default())).ok(),
            _ => TrainConfig::variant(path, kind),
        }
    }

    /// An agent has no metric of an epoch for a schedule to follow.
    fn refuses_kind(path: &str, kind: &str) -> bool {
        (path, kind) == ("schedule", "plateau")
    }

    fn docs() -> &'static [&'static [KeyDoc]] {
        &[DOCS, OPTIMIZER_DOCS, METRICS_DOCS]
    }
}

/// Names of the built-in recipes with a line on each.
pub const BUILTIN: [(&str, &str); 10] = [
    ("dqn", "DQN with 10-step returns; the default"),
    ("plain", "DQN of 2015, which the next seven extend"),
    ("double", "double DQN"),
    ("dueling", "DQN with a dueling network"),
    ("per", "DQN with prioritized experience replay"),
    ("n-step", "DQN with 3-step returns"),
    ("noisy", "DQN with noisy layers for exploration"),
    ("c51", "distributional DQN (C51)"),
    ("rainbow", "all extensions of DQN together"),
    ("ppo", "proximal policy optimization"),
];

impl Recipe {
    /// A built-in recipe by its name, for CartPole.
    pub fn builtin(name: &str) -> Option<Self> {
        Self::tuned(name, "CartPole-v1")
    }

    /// A built-in recipe for a known environment.
    ///
    /// # Errors
    ///
    /// If there is no such recipe or environment, or the algorithm does not support its actions.
    pub fn for_environment(name: &str, environment: &str) -> Result<Self, TaskError> {
        environment.parse::<ClassicControl>()?;
        let recipe = Self::tuned(name, environment);
        recipe.ok_or_else(|| {
            let known = BUILTIN.iter().map(|(name, _)| *name);
            let hint = match nearest(name, known) {
                Some(near) if near != name => format!(" (did you mean `{near}`?)"),
                _ => String::new(),
            };
            let fits: Vec<&str> = Self::fitting(environment).collect();
            let advice = match fits.as_slice() {
                [one] => format!("use `{one}`"),
                all => format!("known are {}", all.join(", ")),
            };
            TaskError::user(format!(
                "there is no built-in recipe `{name}` for {environment}{hint}; {advice}; in a recipe \
                 file, set `environment` instead of `--env`"
            ))
        })
    }

    /// Names of the built-in recipes that support an environment, the default first.
    pub fn fitting(environment: &str) -> impl Iterator<Item = &'static str> {
        let names = BUILTIN.iter().map(|(name, _)| *name);
        names.filter(move |name| Self::tuned(name, environment).is_some())
    }

    /// A built-in recipe with hyperparameters tuned for an environment; those of CartPole for an
    /// unknown one.
    pub fn tuned(name: &str, environment: &str) -> Option<Self> {
        let mut recipe = base(environment);
        name.clone_into(&mut recipe.name);
        let mut dqn = DqnConfig::default();
        match name {
            "dqn" => dqn.n_step = 10,
            "plain" => {}
            "double" => dqn.double = true,
            "dueling" => dqn.dueling = true,
            "per" => dqn.prioritized_replay = true,
            "n-step" => dqn.n_step = 3,
            "noisy" => noisy(&mut dqn),
            "c51" => dqn.n_atoms = 51,
            "rainbow" => {
                dqn.double = true;
                dqn.dueling = true;
                dqn.prioritized_replay = true;
                dqn.n_step = 3;
                dqn.n_atoms = 51;
                noisy(&mut dqn);
            }
            "ppo" => {
                ppo(&mut recipe, environment);
                return Some(recipe);
            }
            _ => return None,
        }
        if environment == "Pendulum-v1" {
            // Its actions are continuous.
            return None;
        }
        environment_defaults(&mut recipe, &mut dqn);
        recipe.agent = Agent::Dqn(dqn);
        Some(recipe)
    }

    /// The environment, if it is one of this crate.
    ///
    /// # Errors
    ///
    /// Suggests the nearest name.
    pub fn make_env(&self) -> Result<ClassicControl, UnknownEnvironment> {
        self.environment.parse()
    }

    /// What a checkpoint must share with the run that is resumed from it: all but the number of
    /// steps.
    pub(crate) fn identity(&self) -> Result<String, toml::ser::Error> {
        let mut recipe = self.clone();
        recipe.train.total_timesteps = 0;
        recipe.train.budget.clear();
        recipe.metrics = MetricsOptions::default();
        toml::to_string(&recipe)
    }

    /// Checks every number, for an environment with these spaces.
    ///
    /// # Errors
    ///
    /// Names the first key that is out of range.
    pub fn validate(&self, spec: &EnvSpec) -> Result<(), ConfigError> {
        check_name(&self.name)?;
        self.train.validate()?;
        self.optimizer.validate()?;
        self.schedule.validate()?;
        if matches!(self.schedule, Schedule::Plateau { .. }) {
            let expected = "`constant`, `linear`, `cosine` or `one-cycle`";
            return Err(ConfigError::new("schedule.kind", "plateau", expected));
        }
        match (&self.agent, &spec.action_space) {
            (Agent::Dqn(dqn), ActionSpace::Discrete(count)) => {
                if *count > usize::from(u16::MAX) {
                    let expected = "at most 65535 actions";
                    return Err(ConfigError::new("environment", &spec.name, expected));
                }
                dqn.validate(spec.observation_space.len(), *count)?;
                self.check_buffer(dqn.buffer_size)
            }
            (Agent::Ppo(ppo), _) => {
                ppo.validate(&actor_critic(ppo, spec))?;
                self.check_rollout(ppo.n_steps)
            }
            (Agent::Dqn(_), ActionSpace::Continuous(_)) => {
                let expected = "an environment with discrete actions: DQN supports no others";
                Err(ConfigError::new("environment", &spec.name, expected))
            }
        }
    }

    fn check_buffer(&self, buffer_size: usize) -> Result<(), ConfigError> {
        let train = &self.train;
        if buffer_size / train.num_envs * train.num_envs >= train.batch_size {
            return Ok(());
        }
        let expected = format!(
            "a multiple of `train.num_envs`, {}, and at least `train.batch_size`, {}",
            train.num_envs, train.batch_size
        );
        let key = "agent.buffer_size";
        Err(ConfigError::new(key, buffer_size, expected))
    }

    fn check_rollout(&self, n_steps: usize) -> Result<(), ConfigError> {
        let train = &self.train;
        let most = n_steps.saturating_mul(train.num_envs);
        if train.batch_size <= most {
            return Ok(());
        }
        let expected = format!("at most `agent.n_steps` times `train.num_envs`, {most}");
        let key = "train.batch_size";
        Err(ConfigError::new(key, train.batch_size, expected))
    }
}

/// Hyperparameters for environments with a sparse reward, after those of RL Baselines3 Zoo,
/// <https://github.com/DLR-RM/rl-baselines3-zoo>.
fn environment_defaults(recipe: &mut Recipe, dqn: &mut DqnConfig) {
    let acrobot = match recipe.environment.as_str() {
        "Acrobot-v1" => true,
        "MountainCar-v0" => false,
        _ => return,
    };
    recipe.train.total_timesteps = if acrobot { 100_000 } else { 150_000 };
    recipe.train.eval_freq = 2_048;
    recipe.train.log_every = 2_048;
    recipe.train.batch_size = 128;
    dqn.net_arch = vec![128, 128];
    // Every step costs one.
    (dqn.v_min, dqn.v_max) = (-100.0, 0.0);
    if acrobot {
        *recipe.optimizer.learning_rate_mut() = 6.3e-4;
        dqn.train_freq = 8;
        dqn.gradient_steps = 4;
        dqn.target_update_interval = 128;
        dqn.exploration_steps = 12_000;
        dqn.exploration_final_eps = 0.1;
    } else {
        *recipe.optimizer.learning_rate_mut() = 4e-3;
        dqn.gamma = 0.98;
        dqn.train_freq = 16;
        dqn.gradient_steps = 8;
        dqn.target_update_interval = 600;
        // Longer returns are those of random actions.
        dqn.n_step = dqn.n_step.min(3);
        dqn.buffer_size = 10_000;
        dqn.learning_starts = 1_000;
        dqn.exploration_steps = 24_000;
        dqn.exploration_final_eps = 0.07;
    }
}

/// The network of a PPO agent.
pub(crate) fn actor_critic(ppo: &PpoConfig, spec: &EnvSpec) -> ActorCriticConfig {
    let (count, continuous) = match &spec.action_space {
        ActionSpace::Discrete(count) => (*count, false),
        ActionSpace::Continuous(space) => (space.len(), true),
    };
    ActorCriticConfig::new(spec.observation_space.len(), count)
        .with_continuous(continuous)
        .with_hidden(ppo.net_arch.clone())
}

/// PPO with the hyperparameters of RL Baselines3 Zoo,
/// <https://github.com/DLR-RM/rl-baselines3-zoo>.
fn ppo(recipe: &mut Recipe, environment: &str) {
    let mut ppo = PpoConfig::default();
    recipe.train.total_timesteps = 100_000;
    recipe.train.batch_size = 256;
    recipe.train.clip_norm = 0.5;
    recipe.train.eval_freq = 2_048;
    recipe.train.log_every = 2_048;
    recipe.schedule = Schedule::Linear {
        warmup: 0.0,
        floor: 0.0,
    };
    *recipe.optimizer.learning_rate_mut() = 1e-3;
    if environment != "CartPole-v1" {
        recipe.train.total_timesteps = 500_000;
        recipe.train.num_envs = 16;
        recipe.train.eval_freq = 16_384;
        recipe.train.log_every = 16_384;
        recipe.schedule = Schedule::default();
        *recipe.optimizer.learning_rate_mut() = 3e-4;
        ppo.n_steps = 256;
        ppo.n_epochs = 4;
        ppo.gamma = 0.99;
        ppo.gae_lambda = 0.94;
        ppo.anneal_clip_range = false;
    }
    if environment == "Pendulum-v1" {
        recipe.train.num_envs = 4;
        recipe.train.total_timesteps = 300_000;
        recipe.train.batch_size = 64;
        *recipe.optimizer.learning_rate_mut() = 1e-3;
        ppo.n_steps = 1024;
        ppo.n_epochs = 10;
        ppo.gamma = 0.9;
        ppo.gae_lambda = 0.95;
    }
    recipe.agent = Agent::Ppo(ppo);
}

/// Exploration by noise alone: a random action would hide what the noise does.
fn noisy(dqn: &mut DqnConfig) {
    dqn.noisy = true;
    dqn.exploration_initial_eps = 0.0;
    dqn.exploration_final_eps = 0.0;
}

/// Plain DQN.
fn base(environment: &str) -> Recipe {
    let mut recipe = Recipe {
        name: String::new(),
        environment: environment.to_owned(),
        agent: Agent::Dqn(DqnConfig::default()),
        optimizer: Optimizer::Adam {
            learning_rate: 2.3e-3,
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
        },
        schedule: Schedule::default(),
        train: TrainingOptions::default(),
        metrics: MetricsOptions::default(),
    };
    recipe.train.eval_freq = 512;
    recipe.train.log_every = 512;
    recipe.train.evals_to_stop = 3;
    recipe.train.reward_threshold = environment
        .parse::<ClassicControl>()
        .ok()
        .and_then(|env| env.spec().reward_threshold)
        .unwrap_or(f64::INFINITY);
    if environment == "CartPole-v1" {
        // Solved is 475; this is the largest possible return, and costs little more.
        recipe.train.reward_threshold = 500.0;
    }
    recipe
}

#[cfg(test)]
mod tests {
    use tinderbox_train::overlay::annotated;

    use super::*;

    #[test]
    fn a_kind_that_is_refused_is_not_listed() {
        let text = annotated(&Recipe::builtin("dqn").unwrap()).unwrap();
        let listed = "# Shape of the schedule: constant, linear, cosine, one-cycle\n";
        assert!(text.contains(listed), "{text}");
    }

    #[test]
    fn the_first_recipe_that_fits_is_found() {
        let first = |environment| Recipe::fitting(environment).next();
        assert_eq!(first("CartPole-v1"), Some("dqn"));
        assert_eq!(first("Pendulum-v1"), Some("ppo"));
    }
}
