//! Trained agents: the model folder, and actions for observations.

use std::path::Path;

use burn::module::Module;
use burn::store::RecordError;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use tinderbox_models::rl::{ActorCritic, ActorCriticConfig, QNetwork, QNetworkConfig};
use tinderbox_predict::ModelFiles;
use tinderbox_predict::model_dir::{self, ModelError, WeightsError};
use tinderbox_train::{weights_from_bytes, weights_to_bytes};

use crate::dqn::loss::argmax;
use crate::dqn::{read, rows};
use crate::environment::{Action, ActionSpace, BoxSpace, EnvSpec, Environment};
use crate::evaluation::{EpisodeReturns, evaluate_policy};
use crate::ppo::clip_to;
use crate::random::Purpose;
use crate::vector_env::VectorEnvError;

/// Actions for several observations.
#[derive(Clone, Debug, PartialEq)]
pub enum Actions {
    /// A number for each.
    Discrete(Vec<u16>),
    /// A vector of `width` values for each.
    Continuous {
        /// All values, one action after the other.
        values: Vec<f32>,
        /// Values in one action.
        width: usize,
    },
}

impl Actions {
    /// The action for the observation at `index`.
    ///
    /// # Panics
    ///
    /// If there is none at `index`.
    pub fn get(&self, index: usize) -> Action<'_> {
        match self {
            Self::Discrete(numbers) => Action::Discrete(numbers[index].into()),
            Self::Continuous { values, width } => {
                Action::Continuous(&values[index * width..][..*width])
            }
        }
    }
}

/// The content of `model.json`, which [`Policy::load`] builds the network from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PolicySpec {
    /// [`KIND`].
    pub kind: String,
    /// Name of the recipe of the training; none in a model of an older version, or without a recipe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<String>,
    /// Name of the environment of the training.
    pub environment: String,
    /// The observations.
    pub observation_space: BoxSpace,
    /// The actions.
    pub action_space: ActionSpace,
    /// The network.
    pub network: Network,
    /// The test of the training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<TestEpisodes>,
}

/// The test episodes of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestEpisodes {
    /// Seed of the run.
    pub seed: u64,
    /// Number of episodes.
    pub episodes: usize,
}

impl TestEpisodes {
    /// Plays the episodes in `env`.
    ///
    /// # Errors
    ///
    /// If an action is outside the space, or a reward or an observation is not finite.
    pub fn evaluate<E: Environment>(
        self,
        policy: &Policy,
        env: &E,
    ) -> Result<EpisodeReturns, VectorEnvError> {
        self.play(env, |observations| policy.act(observations))
    }

    /// Plays the episodes in `env` with the actions of a function of the observations, `[rows, values]`.
    ///
    /// # Errors
    ///
    /// If an action is outside the space, or a reward or an observation is not finite.
    pub fn play<E: Environment>(
        self,
        env: &E,
        act: impl FnMut(&[f32]) -> Actions,
    ) -> Result<EpisodeReturns, VectorEnvError> {
        let seed = Purpose::Test.seed(self.seed, 0);
        evaluate_policy(env, self.episodes, seed, act)
    }
}

/// Largest number of test episodes, as of `train.n_eval_episodes`.
const MAX_EPISODES: usize = 65_536;

/// Kind of an agent in `model.json`.
pub const KIND: &str = "agent";

/// A network by its kind.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Network {
    /// Acts with the highest Q-value.
    QNetwork(QNetworkConfig),
    /// Acts with the mode of the policy.
    ActorCritic(ActorCriticConfig),
}

impl Network {
    /// Checks the sizes, and that they are those of the spaces.
    fn validate(&self, observations: usize, actions: &ActionSpace) -> Result<(), String> {
        let (d_input, count, continuous) = match self {
            Self::QNetwork(config) => {
                config.validate().map_err(|error| error.to_string())?;
                (config.d_input, config.n_actions, false)
            }
            Self::ActorCritic(config) => {
                config.validate().map_err(|error| error.to_string())?;
                (config.d_input, config.d_action, config.continuous)
            }
        };
        let expected = match actions {
            ActionSpace::Discrete(count) => (*count, false),
            ActionSpace::Continuous(space) => (space.len(), true),
        };
        if d_input == observations && (count, continuous) == expected {
            return Ok(());
        }
        Err("the network does not fit the observation and action spaces".to_owned())
    }
}

/// A policy and an environment that do not fit each other.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}", misfit(.trained_in, .given))]
pub struct PolicyError {
    /// Name of the environment of the training.
    pub trained_in: String,
    /// Name of the other environment.
    pub given: String,
}

/// Why a policy cannot act in an environment. One name for both means that `model.json` was edited.
fn misfit(trained_in: &str, given: &str) -> String {
    if trained_in == given {
        return format!(
            "the observations and actions in the agent's `model.json` are not those of its environment, {given}"
        );
    }
    format!(
        "the agent was trained in {trained_in}, whose observations and actions are not those of {given}"
    )
}

/// A trained network that acts.
#[derive(Clone, Debug)]
pub struct Policy {
    spec: PolicySpec,
    net: Net,
    device: Device,
}

#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a program has a handful of policies"
)]
enum Net {
    Q(QNetwork),
    Actor(ActorCritic),
}

impl Policy {
    /// The greedy policy of a Q-network that was trained in the environment of `spec`.
    pub fn q_network(
        spec: &EnvSpec,
        config: QNetworkConfig,
        net: QNetwork,
        device: &Device,
    ) -> Self {
        Self::new(spec, Network::QNetwork(config), Net::Q(net), device)
    }

    /// The deterministic policy of an actor-critic that was trained in the environment of `spec`.
    pub fn actor_critic(
        spec: &EnvSpec,
        config: ActorCriticConfig,
        net: ActorCritic,
        device: &Device,
    ) -> Self {
        Self::new(spec, Network::ActorCritic(config), Net::Actor(net), device)
    }

    fn new(spec: &EnvSpec, network: Network, net: Net, device: &Device) -> Self {
        let spec = PolicySpec {
            kind: KIND.to_owned(),
            recipe: None,
            environment: spec.name.clone(),
            observation_space: spec.observation_space.clone(),
            action_space: spec.action_space.clone(),
            network,
            test: None,
        };
        Self {
            spec,
            net,
            device: device.clone(),
        }
    }

    /// The same policy on another device.
    #[must_use]
    pub fn on(self, device: &Device) -> Self {
        let device = device.clone().inner();
        let net = match self.net {
            Net::Q(net) => Net::Q(net.to_device(&device)),
            Net::Actor(net) => Net::Actor(net.to_device(&device)),
        };
        Self {
            net,
            device,
            ..self
        }
    }

    /// The same policy with other test episodes.
    #[must_use]
    pub fn with_test(mut self, test: TestEpisodes) -> Self {
        self.spec.test = Some(test);
        self
    }

    /// The same policy with the name of the recipe that trained it.
    #[must_use]
    pub fn with_recipe(mut self, recipe: &str) -> Self {
        self.spec.recipe = Some(recipe.to_owned());
        self
    }

    /// The test of the training, if it is known.
    pub fn test(&self) -> Option<TestEpisodes> {
        self.spec.test
    }

    /// Name of the environment of the training.
    pub fn environment(&self) -> &str {
        &self.spec.environment
    }

    /// The observations and actions, the network and the test.
    pub fn spec(&self) -> &PolicySpec {
        &self.spec
    }

    /// The deterministic action for each observation.
    ///
    /// # Shapes
    ///
    /// - observations: `[rows, values]`
    pub fn act(&self, observations: &[f32]) -> Actions {
        match &self.net {
            Net::Q(net) => {
                let values = read(net.forward(rows(observations, net.d_input(), &self.device)));
                let best = values.chunks_exact(net.n_actions());
                Actions::Discrete(best.map(|row| argmax(row) as u16).collect())
            }
            Net::Actor(net) => {
                let policy = read(net.policy(rows(observations, net.d_input(), &self.device)));
                let width = net.d_action();
                if let ActionSpace::Continuous(bounds) = &self.spec.action_space {
                    let values = clip_to(&policy, bounds);
                    return Actions::Continuous { values, width };
                }
                let best = policy.chunks_exact(width);
                Actions::Discrete(best.map(|row| argmax(row) as u16).collect())
            }
        }
    }

    /// Checks that it can act in an environment.
    ///
    /// # Errors
    ///
    /// If the environment is another one.
    pub fn check(&self, spec: &EnvSpec) -> Result<(), PolicyError> {
        let own = &self.spec;
        if own.environment == spec.name
            && own.observation_space == spec.observation_space
            && own.action_space == spec.action_space
        {
            return Ok(());
        }
        Err(PolicyError {
            trained_in: own.environment.clone(),
            given: spec.name.clone(),
        })
    }

    /// Number of trainable parameters.
    pub fn parameters(&self) -> usize {
        match &self.net {
            Net::Q(net) => net.num_params(),
            Net::Actor(net) => net.num_params(),
        }
    }

    /// The weights, exact to the bit.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, RecordError> {
        match &self.net {
            Net::Q(net) => weights_to_bytes(net),
            Net::Actor(net) => weights_to_bytes(net),
        }
    }

    /// The same policy with other weights, as [`to_bytes`](Self::to_bytes) gives them.
    pub(crate) fn with_weights(mut self, bytes: Vec<u8>) -> Result<Self, RecordError> {
        self.net = match self.net {
            Net::Q(net) => Net::Q(weights_from_bytes(net, bytes)?),
            Net::Actor(net) => Net::Actor(weights_from_bytes(net, bytes)?),
        };
        Ok(self)
    }

    /// Writes the model folder that [`load`](Self::load) reads.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), ModelError> {
        model_dir::save(dir, &self.to_safetensors()?, &self.spec)
    }

    /// Writes the model folder of a run that is not finished.
    pub(crate) fn save_best(&self, dir: &Path) -> Result<(), ModelError> {
        model_dir::save_best(dir, 0, &self.to_safetensors()?, &self.spec, &[])
    }

    fn to_safetensors(&self) -> Result<Vec<u8>, ModelError> {
        Ok(match &self.net {
            Net::Q(net) => model_dir::to_bytes(net)?,
            Net::Actor(net) => model_dir::to_bytes(net)?,
        })
    }

    /// Reads a model folder, from a disk or from memory.
    ///
    /// # Errors
    ///
    /// If it is missing or damaged, of another version or not an agent.
    pub fn load(files: &ModelFiles, device: &Device) -> Result<Self, ModelError> {
        let spec: PolicySpec = files.spec(KIND)?;
        let device = device.clone().inner();
        spec.network
            .validate(spec.observation_space.len(), &spec.action_space)
            .map_err(|reason| files.refuse(reason))?;
        if let Some(TestEpisodes { episodes, .. }) = spec.test
            && !(1..=MAX_EPISODES).contains(&episodes)
        {
            let reason = format!("`test.episodes` must be 1 to {MAX_EPISODES} (got {episodes})");
            return Err(files.refuse(reason));
        }
        let net = match &spec.network {
            Network::QNetwork(config) => {
                let net = config.init(&device);
                Net::Q(files.weights(0, |bytes| filled(bytes, net))?)
            }
            Network::ActorCritic(config) => {
                let net = config.init(&device);
                Net::Actor(files.weights(0, |bytes| filled(bytes, net))?)
            }
        };
        Ok(Self { spec, net, device })
    }
}

/// A network with the weights of a file. The largest of values that are not numbers would still be an action.
fn filled<M: Module>(bytes: Vec<u8>, net: M) -> Result<M, WeightsError> {
    model_dir::from_bytes(bytes, net).and_then(model_dir::with_finite_weights)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use super::*;

    /// A model folder of the first stable format.
    fn fixture() -> BTreeMap<String, Vec<u8>> {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/agent");
        let names = ["model.json", "weights.safetensors"];
        let file = |name: &str| (name.to_owned(), fs::read(dir.join(name)).unwrap());
        names.map(file).into()
    }

    #[test]
    fn a_stored_model_folder_keeps_loading() {
        let files = ModelFiles::from_memory(fixture());
        let policy = Policy::load(&files, &Device::flex()).unwrap();
        assert_eq!(policy.environment(), "CartPole-v1");
        let env: crate::env::ClassicControl = "CartPole-v1".parse().unwrap();
        policy.check(&env.spec()).unwrap();
        let falling = [0.0, 0.0, 0.1, 0.5, 0.0, 0.0, -0.1, -0.5];
        assert_eq!(policy.act(&falling), Actions::Discrete(vec![1, 0]));
    }

    #[test]
    fn weights_that_are_not_numbers_are_refused() {
        for value in [f32::NAN, f32::INFINITY] {
            let mut files = fixture();
            let weights = files.get_mut("weights.safetensors").unwrap();
            let at = weights.len() - 4;
            weights[at..].copy_from_slice(&value.to_le_bytes());
            let files = ModelFiles::from_memory(files);
            let error = Policy::load(&files, &Device::flex()).unwrap_err();
            assert!(error.to_string().contains("NaN or infinite"), "{error}");
        }
    }

    fn edited(from: &str, to: &str) -> ModelFiles {
        let mut files = fixture();
        let json = String::from_utf8(files["model.json"].clone()).unwrap();
        assert!(json.contains(from));
        let json = json.replace(from, to);
        files.insert("model.json".to_owned(), json.into_bytes());
        ModelFiles::from_memory(files)
    }

    #[test]
    fn the_recipe_is_in_the_model() {
        let files = ModelFiles::from_memory(fixture());
        let policy = Policy::load(&files, &Device::flex()).unwrap();
        assert_eq!(policy.spec().recipe, None);
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("model");
        policy.with_recipe("ppo").save(&dir).unwrap();
        let policy = Policy::load(&ModelFiles::open(&dir), &Device::flex()).unwrap();
        assert_eq!(policy.spec().recipe.as_deref(), Some("ppo"));
    }

    #[test]
    fn a_test_without_episodes_is_refused() {
        let files = edited("\"episodes\": 2", "\"episodes\": 0");
        let error = Policy::load(&files, &Device::flex()).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("`test.episodes` must be 1 to 65536 (got 0)"),
            "{text}"
        );
    }

    #[test]
    fn an_edited_environment_is_not_compared_with_itself() {
        let files = edited("CartPole-v1", "MountainCar-v0");
        let policy = Policy::load(&files, &Device::flex()).unwrap();
        let env: crate::env::ClassicControl = "MountainCar-v0".parse().unwrap();
        let error = policy.check(&env.spec()).unwrap_err().to_string();
        let expected = "the observations and actions in the agent's `model.json` are not those of its environment, \
                        MountainCar-v0";
        assert_eq!(error, expected);
    }

    #[test]
    fn a_network_that_does_not_fit_its_spaces_is_refused() {
        let files = edited("\"discrete\": 2", "\"discrete\": 3");
        let error = Policy::load(&files, &Device::flex()).unwrap_err();
        assert!(error.to_string().contains("does not fit"), "{error}");
    }
}
