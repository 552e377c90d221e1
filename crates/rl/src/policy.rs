//! What a trained agent does, without what it was trained with.

use std::path::Path;

use burn::module::Module as _;
use burn::store::RecordError;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use tinderbox_models::rl::{ActorCritic, ActorCriticConfig, QNetwork, QNetworkConfig};
use tinderbox_predict::ModelFiles;
use tinderbox_predict::model_dir::{self, ModelError};
use tinderbox_train::{weights_from_bytes, weights_to_bytes};

use crate::dqn::loss::argmax;
use crate::dqn::{read, rows};
use crate::environment::{Action, ActionSpace, BoxSpace, Environment, Spec};
use crate::evaluation::{Evaluation, evaluate};
use crate::ppo::within;
use crate::random::Purpose;
use crate::vector::VectorError;

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
    /// If there are not so many.
    pub fn get(&self, index: usize) -> Action<'_> {
        match self {
            Self::Discrete(numbers) => Action::Discrete(numbers[index].into()),
            Self::Continuous { values, width } => {
                Action::Continuous(&values[index * width..][..*width])
            }
        }
    }
}

/// What to build around stored weights.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PolicySpec {
    /// What the folder holds, which tells it from models of other tasks.
    pub kind: String,
    /// Name of the environment that it was trained in.
    pub environment: String,
    /// The network.
    pub network: Network,
    /// The test of its training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<TestEpisodes>,
}

/// Episodes that an agent is tested on after its training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestEpisodes {
    /// Seed of the run.
    pub seed: u64,
    /// Number of episodes.
    pub episodes: usize,
}

impl TestEpisodes {
    /// Plays them in `env`, which may be the one that the policy was trained in or a like one.
    ///
    /// # Errors
    ///
    /// If an action is outside the space, or a reward or an observation is not finite.
    pub fn evaluate<E: Environment>(
        self,
        policy: &Policy,
        env: &E,
    ) -> Result<Evaluation, VectorError> {
        let seed = Purpose::Test.seed(self.seed, 0);
        evaluate(env, self.episodes, seed, |rows| policy.act(rows))
    }
}

/// Kind of an agent in `model.json`.
pub const KIND: &str = "agent";

/// A network by its kind.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Network {
    /// The action of the highest value.
    QNetwork(QNetworkConfig),
    /// The likeliest action.
    ActorCritic {
        /// The network.
        config: ActorCriticConfig,
        /// Bounds of the actions, if they are vectors.
        bounds: Option<BoxSpace>,
    },
}

impl Network {
    fn sizes(&self) -> (usize, ActionCount) {
        match self {
            Self::QNetwork(config) => (config.d_input, ActionCount::Discrete(config.n_actions)),
            Self::ActorCritic { config, .. } if config.continuous => {
                (config.d_input, ActionCount::Continuous(config.d_action))
            }
            Self::ActorCritic { config, .. } => {
                (config.d_input, ActionCount::Discrete(config.d_action))
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ActionCount {
    Discrete(usize),
    Continuous(usize),
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
    /// The policy that takes the action of the highest value.
    pub fn q_network(
        environment: &str,
        config: QNetworkConfig,
        net: QNetwork,
        device: &Device,
    ) -> Self {
        Self {
            spec: PolicySpec {
                kind: KIND.to_owned(),
                environment: environment.to_owned(),
                network: Network::QNetwork(config),
                test: None,
            },
            net: Net::Q(net),
            device: device.clone(),
        }
    }

    /// The policy that takes the likeliest action; `bounds` are those of actions that are vectors.
    pub fn actor_critic(
        environment: &str,
        config: ActorCriticConfig,
        bounds: Option<BoxSpace>,
        net: ActorCritic,
        device: &Device,
    ) -> Self {
        Self {
            spec: PolicySpec {
                kind: KIND.to_owned(),
                environment: environment.to_owned(),
                network: Network::ActorCritic { config, bounds },
                test: None,
            },
            net: Net::Actor(net),
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

    /// The same policy with the test of its training.
    #[must_use]
    pub fn with_test(mut self, test: TestEpisodes) -> Self {
        self.spec.test = Some(test);
        self
    }

    /// The test of its training, if it is known.
    pub fn test(&self) -> Option<TestEpisodes> {
        self.spec.test
    }

    /// Name of the environment that it was trained in.
    pub fn environment(&self) -> &str {
        &self.spec.environment
    }

    /// The best action for each observation, without chance.
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
                if let Network::ActorCritic {
                    bounds: Some(bounds),
                    ..
                } = &self.spec.network
                {
                    let values = within(&policy, bounds);
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
    /// Says how the spaces differ.
    pub fn check(&self, spec: &Spec) -> Result<(), String> {
        let actions = match &spec.action {
            ActionSpace::Discrete(count) => ActionCount::Discrete(*count),
            ActionSpace::Continuous(space) => ActionCount::Continuous(space.len()),
        };
        let (expected, found) = (self.spec.network.sizes(), (spec.observation.len(), actions));
        if self.environment() == spec.name && expected == found {
            return Ok(());
        }
        Err(format!(
            "it was trained in {} ({} values observed, {:?} actions), and this is {} ({}, {:?})",
            self.environment(),
            expected.0,
            expected.1,
            spec.name,
            found.0,
            found.1
        ))
    }

    /// Number of parameters.
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

    /// Writes the folder that [`load`](Self::load) reads.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), ModelError> {
        model_dir::save(dir, &self.to_safetensors()?, &self.spec)
    }

    /// Writes such a folder for a run that is not finished.
    pub(crate) fn save_best(&self, dir: &Path) -> Result<(), ModelError> {
        model_dir::save_best(dir, 0, &self.to_safetensors()?, &self.spec, &[])
    }

    fn to_safetensors(&self) -> Result<Vec<u8>, ModelError> {
        Ok(match &self.net {
            Net::Q(net) => model_dir::to_bytes(net)?,
            Net::Actor(net) => model_dir::to_bytes(net)?,
        })
    }

    /// Reads a folder.
    ///
    /// # Errors
    ///
    /// If it is missing or damaged, or no agent of this version.
    pub fn load(dir: &Path, device: &Device) -> Result<Self, ModelError> {
        let files = ModelFiles::open(dir);
        let spec: PolicySpec = files.spec(KIND)?;
        let device = device.clone().inner();
        let net = match &spec.network {
            Network::QNetwork(config) => {
                config
                    .validate()
                    .map_err(|error| ModelError::spec(dir, error))?;
                let net = config.init(&device);
                Net::Q(files.weights(0, |bytes| model_dir::from_bytes(bytes, net))?)
            }
            Network::ActorCritic { config, bounds } => {
                config
                    .validate()
                    .map_err(|error| ModelError::spec(dir, error))?;
                let width = bounds
                    .as_ref()
                    .map(|bounds| [bounds.low.len(), bounds.high.len()]);
                if width != config.continuous.then_some([config.d_action; 2]) {
                    return Err(ModelError::spec(dir, "its bounds do not fit its actions"));
                }
                let net = config.init(&device);
                Net::Actor(files.weights(0, |bytes| model_dir::from_bytes(bytes, net))?)
            }
        };
        Ok(Self { spec, net, device })
    }
}
