//! What decides an agent, and the recipes that come with the crate.

use serde::{Deserialize, Serialize};
use tinderbox_models::rl::ActorCriticConfig;
use tinderbox_train::docs::OPTIMIZER_DOCS;
use tinderbox_train::overlay::{KeyDoc, Patchable};
use tinderbox_train::{ConfigError, Optimizer, check_name, check_range};
use toml::Table;

use crate::docs::DOCS;
use crate::dqn::DqnConfig;
use crate::env::{Native, UnknownEnvironment};
use crate::environment::{ActionSpace, BoxSpace, Environment as _, Spec};
use crate::ppo::PpoConfig;

/// Everything that decides a trained agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Name of the recipe, and of its folder under `runs/`.
    pub name: String,
    /// Name of the environment.
    pub environment: String,
    /// What learns.
    pub agent: Agent,
    /// What turns gradients into steps.
    pub optimizer: Optimizer,
    /// How long, and what is looked at on the way.
    pub train: Loop,
}

/// What learns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Agent {
    /// Deep Q-learning.
    Dqn(DqnConfig),
    /// Proximal policy optimization.
    Ppo(PpoConfig),
}

/// How long an agent is trained, and what is looked at on the way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loop {
    /// Most steps of the environments, all copies together.
    pub steps: usize,
    /// Copies of the environment.
    pub envs: usize,
    /// Seed of everything random.
    pub seed: u64,
    /// The step size at the end, as a share of that at the start; it falls evenly.
    pub final_rate: f64,
    /// Steps between two evaluations.
    pub evaluate_every: usize,
    /// Episodes of an evaluation.
    pub evaluation_episodes: usize,
    /// Training ends when evaluations have at least this mean return; `inf` for never.
    pub stop_return: f64,
    /// How many evaluations in a row have to.
    pub stop_after: usize,
    /// Steps between two lines of the training curve.
    pub log_every: usize,
    /// Steps between two checkpoints; 0 writes them at the start and the end only.
    pub checkpoint_every: usize,
}

impl Default for Loop {
    fn default() -> Self {
        Self {
            steps: 50_000,
            envs: 8,
            seed: 42,
            final_rate: 1.0,
            evaluate_every: 1_000,
            evaluation_episodes: 100,
            stop_return: f64::INFINITY,
            stop_after: 1,
            log_every: 1_000,
            checkpoint_every: 0,
        }
    }
}

impl Loop {
    fn validate(&self) -> Result<(), ConfigError> {
        let count = |key: &str, value: usize, least: usize, most: usize| {
            if (least..=most).contains(&value) {
                return Ok(());
            }
            Err(ConfigError::new(
                key,
                value,
                format!("between {least} and {most}"),
            ))
        };
        count("train.steps", self.steps, 1, 1 << 40)?;
        count("train.envs", self.envs, 1, 65_536)?;
        count("train.evaluate_every", self.evaluate_every, 1, 1 << 40)?;
        count(
            "train.evaluation_episodes",
            self.evaluation_episodes,
            1,
            65_536,
        )?;
        count("train.stop_after", self.stop_after, 1, 1 << 20)?;
        count("train.log_every", self.log_every, 1, 1 << 40)?;
        check_range("train.final_rate", self.final_rate, 0.0..=1.0)?;
        if self.stop_return.is_nan() {
            return Err(ConfigError::new(
                "train.stop_return",
                "NaN",
                "a number or `inf`",
            ));
        }
        // TOML has no unsigned 64-bit integers, and a recipe must survive its own `recipe.toml`.
        if i64::try_from(self.seed).is_err() {
            let expected = "at most 9223372036854775807";
            return Err(ConfigError::new("train.seed", self.seed, expected));
        }
        Ok(())
    }
}

impl Patchable for Recipe {
    fn variant(path: &str, kind: &str) -> Option<Table> {
        match (path, kind) {
            ("agent", "dqn") => Table::try_from(Agent::Dqn(DqnConfig::default())).ok(),
            ("agent", "ppo") => Table::try_from(Agent::Ppo(PpoConfig::default())).ok(),
            ("optimizer", kind) => Table::try_from(Optimizer::of_kind(kind)?).ok(),
            _ => None,
        }
    }

    fn docs() -> &'static [&'static [KeyDoc]] {
        &[DOCS, OPTIMIZER_DOCS]
    }
}

/// Names of the built-in recipes with a line on each.
pub const BUILTIN: [(&str, &str); 10] = [
    (
        "dqn",
        "deep Q-learning with sums of ten rewards; the default",
    ),
    ("plain", "DQN as it was in 2015, which the next six add to"),
    (
        "double",
        "DQN, double: one network chooses, the other values",
    ),
    (
        "dueling",
        "DQN with the value of a state apart from the actions'",
    ),
    ("per", "DQN with prioritised replay"),
    ("n-step", "DQN with sums of three rewards"),
    ("noisy", "DQN that explores by noise in its weights"),
    ("c51", "DQN that learns the distribution of returns"),
    ("rainbow", "all of them together"),
    ("ppo", "proximal policy optimization"),
];

impl Recipe {
    /// A built-in recipe by its name, for CartPole.
    pub fn builtin(name: &str) -> Option<Self> {
        Self::tuned(name, "CartPole-v1")
    }

    /// A built-in recipe with settings that suit an environment; those of CartPole for one that is
    /// not known here.
    pub fn tuned(name: &str, environment: &str) -> Option<Self> {
        let mut recipe = base(environment);
        name.clone_into(&mut recipe.name);
        let mut dqn = DqnConfig::default();
        match name {
            "dqn" => dqn.n_step = 10,
            "plain" => {}
            "double" => dqn.double = true,
            "dueling" => dqn.dueling = true,
            "per" => dqn.prioritized = true,
            "n-step" => dqn.n_step = 3,
            "noisy" => noisy(&mut dqn),
            "c51" => dqn.atoms = 51,
            "rainbow" => {
                dqn.double = true;
                dqn.dueling = true;
                dqn.prioritized = true;
                dqn.n_step = 3;
                dqn.atoms = 51;
                noisy(&mut dqn);
            }
            "ppo" => {
                ppo(&mut recipe, environment);
                return Some(recipe);
            }
            _ => return None,
        }
        if environment == "Pendulum-v1" {
            // Its actions are no numbers.
            return None;
        }
        suit(&mut recipe, &mut dqn);
        recipe.agent = Agent::Dqn(dqn);
        Some(recipe)
    }

    /// The environment, if it is one of this crate.
    ///
    /// # Errors
    ///
    /// Names the nearest that there is.
    pub fn native(&self) -> Result<Native, UnknownEnvironment> {
        self.environment.parse()
    }

    /// Checks every number, for an environment with these spaces.
    ///
    /// # Errors
    ///
    /// Names the first key that is out of range.
    pub fn validate(&self, spec: &Spec) -> Result<(), ConfigError> {
        check_name(&self.name)?;
        self.train.validate()?;
        self.optimizer.validate()?;
        match (&self.agent, &spec.action) {
            (Agent::Dqn(dqn), ActionSpace::Discrete(count)) => {
                if *count > usize::from(u16::MAX) {
                    let expected = "at most 65535 actions";
                    return Err(ConfigError::new("environment", &spec.name, expected));
                }
                dqn.validate(spec.observation.len(), *count)?;
                let rows = dqn.replay_size / self.train.envs * self.train.envs;
                if rows < dqn.batch_size {
                    let expected = format!(
                        "a multiple of `train.envs`, {}, and at least `agent.batch_size`, {}",
                        self.train.envs, dqn.batch_size
                    );
                    return Err(ConfigError::new(
                        "agent.replay_size",
                        dqn.replay_size,
                        expected,
                    ));
                }
                Ok(())
            }
            (Agent::Ppo(ppo), _) => {
                let (network, _) = actor_critic(ppo, spec);
                ppo.validate(&network, self.train.envs)
            }
            (Agent::Dqn(_), ActionSpace::Continuous(_)) => {
                let expected = "one with numbered actions: DQN has no others";
                Err(ConfigError::new("environment", &spec.name, expected))
            }
        }
    }
}

/// Settings for environments that pay nothing until the goal is reached, after those of RL
/// Baselines3 Zoo, <https://github.com/DLR-RM/rl-baselines3-zoo>.
fn suit(recipe: &mut Recipe, dqn: &mut DqnConfig) {
    let acrobot = match recipe.environment.as_str() {
        "Acrobot-v1" => true,
        "MountainCar-v0" => false,
        _ => return,
    };
    recipe.train.steps = if acrobot { 100_000 } else { 150_000 };
    recipe.train.evaluate_every = 2_048;
    recipe.train.log_every = 2_048;
    dqn.hidden = vec![128, 128];
    dqn.batch_size = 128;
    // Every step costs one.
    (dqn.v_min, dqn.v_max) = (-100.0, 0.0);
    if acrobot {
        *recipe.optimizer.learning_rate_mut() = 6.3e-4;
        dqn.update_every = 8;
        dqn.updates = 4;
        dqn.target_every = 128;
        dqn.epsilon_steps = 12_000;
        dqn.epsilon_end = 0.1;
    } else {
        *recipe.optimizer.learning_rate_mut() = 4e-3;
        dqn.gamma = 0.98;
        dqn.update_every = 16;
        dqn.updates = 8;
        dqn.target_every = 600;
        // Longer sums are of actions by chance.
        dqn.n_step = dqn.n_step.min(3);
        dqn.replay_size = 10_000;
        dqn.learning_starts = 1_000;
        dqn.epsilon_steps = 24_000;
        dqn.epsilon_end = 0.07;
    }
}

/// The network of a PPO agent, and the bounds of its actions if they are vectors.
pub(crate) fn actor_critic(ppo: &PpoConfig, spec: &Spec) -> (ActorCriticConfig, Option<BoxSpace>) {
    let (count, bounds) = match &spec.action {
        ActionSpace::Discrete(count) => (*count, None),
        ActionSpace::Continuous(space) => (space.len(), Some(space.clone())),
    };
    let config = ActorCriticConfig::new(spec.observation.len(), count)
        .with_continuous(bounds.is_some())
        .with_hidden(ppo.hidden.clone());
    (config, bounds)
}

/// PPO with the settings of RL Baselines3 Zoo, <https://github.com/DLR-RM/rl-baselines3-zoo>.
fn ppo(recipe: &mut Recipe, environment: &str) {
    let mut ppo = PpoConfig::default();
    recipe.train.steps = 100_000;
    recipe.train.final_rate = 0.0;
    recipe.train.evaluate_every = 2_048;
    recipe.train.log_every = 2_048;
    *recipe.optimizer.learning_rate_mut() = 1e-3;
    if environment != "CartPole-v1" {
        recipe.train.steps = 500_000;
        recipe.train.envs = 16;
        recipe.train.final_rate = 1.0;
        recipe.train.evaluate_every = 16_384;
        recipe.train.log_every = 16_384;
        *recipe.optimizer.learning_rate_mut() = 3e-4;
        ppo.rollout = 256;
        ppo.epochs = 4;
        ppo.gamma = 0.99;
        ppo.gae_lambda = 0.94;
        ppo.anneal_clip = false;
    }
    if environment == "Pendulum-v1" {
        recipe.train.envs = 4;
        recipe.train.steps = 300_000;
        *recipe.optimizer.learning_rate_mut() = 1e-3;
        ppo.rollout = 1024;
        ppo.epochs = 10;
        ppo.batch_size = 64;
        ppo.gamma = 0.9;
        ppo.gae_lambda = 0.95;
    }
    recipe.agent = Agent::Ppo(ppo);
}

/// Noise explores, and a random action would only hide what it does.
fn noisy(dqn: &mut DqnConfig) {
    dqn.noisy = true;
    dqn.epsilon_start = 0.0;
    dqn.epsilon_end = 0.0;
}

/// Plain DQN with settings that suit an environment.
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
        train: Loop::default(),
    };
    recipe.train.evaluate_every = 512;
    recipe.train.log_every = 512;
    recipe.train.stop_after = 3;
    recipe.train.stop_return = environment
        .parse::<Native>()
        .ok()
        .and_then(|env| env.spec().solved)
        .unwrap_or(f64::INFINITY);
    if environment == "CartPole-v1" {
        // Solved is 475; this is the most there is, and costs little more.
        recipe.train.stop_return = 500.0;
    }
    recipe
}
