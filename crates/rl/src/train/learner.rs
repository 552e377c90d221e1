//! An agent with its replay buffer or rollouts.

use std::collections::BTreeMap;

use burn::module::Module as _;
use burn::tensor::{Bytes, Device};
use tinderbox_models::rl::ActorCriticConfig;
use tinderbox_train::{Ranks, TaskError, weights_from_bytes, weights_to_bytes};

use super::checkpoint::{foreign, take};
use crate::dqn::Dqn;
use crate::environment::{Action, ActionSpace, EnvSpec, Environment};
use crate::policy::Policy;
use crate::ppo::Ppo;
use crate::recipe::{Agent, Recipe, actor_critic};
use crate::replay_buffer::ReplayBuffer;
use crate::vector_env::VectorEnv;

/// The position at the beginning of a round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    pub(super) steps: u64,
    pub(super) total: u64,
    /// Factor of the schedule on the learning rate.
    pub(super) rate: f64,
}

/// The result of a round.
#[derive(Clone, Debug, Default)]
pub(super) struct Round {
    /// Steps of each environment.
    pub(super) rows: u64,
    pub(super) returns: Vec<f64>,
    pub(super) loss_sum: f64,
    pub(super) losses: u64,
}

#[expect(clippy::large_enum_variant, reason = "there is one of them")]
pub(super) enum Learner {
    Dqn(DqnLearner),
    Ppo(PpoLearner),
}

pub(super) struct PpoLearner {
    agent: Ppo,
    network: ActorCriticConfig,
    device: Device,
}

pub(super) struct DqnLearner {
    agent: Dqn,
    replay: ReplayBuffer,
    learning_rate: f64,
    device: Device,
}

impl Learner {
    /// An untrained agent, whose updates the ranks share.
    pub(super) fn new(
        recipe: &Recipe,
        spec: &EnvSpec,
        device: &Device,
        ranks: &Ranks,
    ) -> Result<Self, TaskError> {
        let width = spec.observation_space.len();
        match (&recipe.agent, &spec.action_space) {
            (Agent::Dqn(config), ActionSpace::Discrete(n_actions)) => {
                let sizes = [width, *n_actions];
                let train = &recipe.train;
                Ok(Self::Dqn(DqnLearner {
                    agent: Dqn::new(config, &recipe.optimizer, train, sizes, device)
                        .on_ranks(ranks.clone()),
                    replay: ReplayBuffer::new(config.replay_buffer(train, width))?,
                    learning_rate: recipe.optimizer.learning_rate(),
                    device: device.clone().inner(),
                }))
            }
            (Agent::Ppo(config), _) => {
                let network = actor_critic(config, spec);
                let bounds = match &spec.action_space {
                    ActionSpace::Continuous(space) => Some(space.clone()),
                    ActionSpace::Discrete(_) => None,
                };
                let (optimizer, train) = (&recipe.optimizer, &recipe.train);
                Ok(Self::Ppo(PpoLearner {
                    agent: Ppo::new(config, optimizer, train, &network, bounds, device)
                        .on_ranks(ranks.clone()),
                    network,
                    device: device.clone().inner(),
                }))
            }
            (Agent::Dqn(_), ActionSpace::Continuous(_)) => {
                Err(TaskError::user("DQN supports discrete actions only"))
            }
        }
    }

    pub(super) fn round<E: Environment>(
        &mut self,
        envs: &mut VectorEnv<E>,
        clock: Clock,
    ) -> Result<Round, TaskError> {
        match self {
            Self::Dqn(learner) => learner.round(envs, clock),
            Self::Ppo(learner) => learner.round(envs, clock),
        }
    }

    pub(super) fn policy(&self, spec: &EnvSpec) -> Policy {
        match self {
            Self::Dqn(DqnLearner { agent, device, .. }) => {
                let net = agent.network().clone();
                let config = agent.config.network(net.d_input(), net.n_actions());
                Policy::q_network(spec, config, net, device)
            }
            Self::Ppo(learner) => {
                let net = learner.agent.network().clone();
                let config = learner.network.clone();
                Policy::actor_critic(spec, config, net, &learner.device)
            }
        }
    }

    /// Steps of each environment in a round.
    pub(super) fn rows(&self) -> u64 {
        match self {
            Self::Dqn(_) => 1,
            Self::Ppo(learner) => learner.agent.n_steps() as u64,
        }
    }

    pub(super) fn updates(&self) -> u64 {
        match self {
            Self::Dqn(learner) => learner.agent.updates,
            Self::Ppo(learner) => learner.agent.updates,
        }
    }

    /// The norm of the gradient of the first update since it was taken.
    pub(super) fn gradient_norm_mut(&mut self) -> &mut Option<f64> {
        match self {
            Self::Dqn(learner) => &mut learner.agent.gradient_norm,
            Self::Ppo(learner) => &mut learner.agent.gradient_norm,
        }
    }

    pub(super) fn epsilon(&self, steps: u64) -> Option<f64> {
        match self {
            Self::Dqn(learner) => Some(learner.agent.config.epsilon(steps)),
            Self::Ppo(_) => None,
        }
    }

    pub(super) fn save(&self) -> Result<BTreeMap<String, Vec<u8>>, TaskError> {
        match self {
            Self::Dqn(learner) => learner.save(),
            Self::Ppo(learner) => learner.save(),
        }
    }

    pub(super) fn restore(
        &mut self,
        blobs: &mut BTreeMap<String, Vec<u8>>,
    ) -> Result<(), TaskError> {
        match self {
            Self::Dqn(learner) => learner.restore(blobs),
            Self::Ppo(learner) => learner.restore(blobs),
        }
    }
}

impl DqnLearner {
    /// One step of every environment, and the updates that are due after it.
    fn round<E: Environment>(
        &mut self,
        envs: &mut VectorEnv<E>,
        clock: Clock,
    ) -> Result<Round, TaskError> {
        let config = &self.agent.config;
        let before = envs.observations().to_vec();
        let epsilon = if clock.steps < config.learning_starts as u64 && !config.noisy {
            1.0
        } else {
            config.epsilon(clock.steps)
        };
        let actions = self.agent.act(&before, epsilon, clock.steps);
        envs.step(|env| Action::Discrete(actions[env].into()))?;
        self.replay.push(
            &before,
            &actions,
            envs.steps(),
            envs.observations(),
            |env| envs.next_observation(env),
        );
        let mut round = Round {
            rows: 1,
            returns: envs.ended().map(|episode| episode.total).collect(),
            ..Round::default()
        };
        let after = clock.steps + envs.len() as u64;
        let every = config.train_freq as u64;
        let due = (after / every - clock.steps / every) * config.gradient_steps as u64;
        if after < config.learning_starts as u64 || self.replay.len() < self.replay.batch_size() {
            return Ok(round);
        }
        let progress = clock.steps as f32 / clock.total as f32;
        for _ in 0..due {
            let batch = self.agent.sample(&self.replay, progress)?;
            let rate = self.learning_rate * clock.rate;
            let (loss, errors) = self.agent.update(&batch, rate)?;
            self.replay.update_priorities(&batch.indices, &errors);
            round.loss_sum += f64::from(loss);
            round.losses += 1;
        }
        Ok(round)
    }

    fn save(&self) -> Result<BTreeMap<String, Vec<u8>>, TaskError> {
        let agent = &self.agent;
        let optimizer = agent.optimizer.into_bytes()?.to_vec();
        let blobs = [
            ("online", weights_to_bytes(&agent.online.valid())?),
            ("target", weights_to_bytes(&agent.target)?),
            ("optimizer", optimizer),
            ("replay", self.replay.to_bytes()),
            ("updates", agent.updates.to_le_bytes().to_vec()),
        ];
        Ok(blobs.map(|(name, bytes)| (name.to_owned(), bytes)).into())
    }

    fn restore(&mut self, blobs: &mut BTreeMap<String, Vec<u8>>) -> Result<(), TaskError> {
        let agent = &mut self.agent;
        let online = take(blobs, "online")?;
        agent.online = weights_from_bytes(agent.online.valid(), online)?.train();
        agent.target = weights_from_bytes(agent.target.clone(), take(blobs, "target")?)?;
        let optimizer = Bytes::from_bytes_vec(take(blobs, "optimizer")?);
        agent.optimizer = agent.fresh_optimizer().from_bytes(optimizer)?;
        agent.refresh();
        self.replay.restore(&take(blobs, "replay")?)?;
        agent.updates = updates(blobs)?;
        Ok(())
    }
}

impl PpoLearner {
    /// A rollout, and the updates after it.
    fn round<E: Environment>(
        &mut self,
        envs: &mut VectorEnv<E>,
        clock: Clock,
    ) -> Result<Round, TaskError> {
        let report = self.agent.round(envs, clock.steps, clock.rate)?;
        Ok(Round {
            rows: self.agent.n_steps() as u64,
            returns: report.returns,
            loss_sum: report.loss_sum,
            losses: report.updates,
        })
    }

    fn save(&self) -> Result<BTreeMap<String, Vec<u8>>, TaskError> {
        let agent = &self.agent;
        let optimizer = agent.optimizer.into_bytes()?.to_vec();
        let blobs = [
            ("online", weights_to_bytes(&agent.online.valid())?),
            ("optimizer", optimizer),
            ("updates", agent.updates.to_le_bytes().to_vec()),
        ];
        Ok(blobs.map(|(name, bytes)| (name.to_owned(), bytes)).into())
    }

    fn restore(&mut self, blobs: &mut BTreeMap<String, Vec<u8>>) -> Result<(), TaskError> {
        let agent = &mut self.agent;
        let online = take(blobs, "online")?;
        agent.online = weights_from_bytes(agent.online.valid(), online)?.train();
        let optimizer = Bytes::from_bytes_vec(take(blobs, "optimizer")?);
        agent.optimizer = agent.fresh_optimizer().from_bytes(optimizer)?;
        agent.refresh();
        agent.updates = updates(blobs)?;
        Ok(())
    }
}

fn updates(blobs: &mut BTreeMap<String, Vec<u8>>) -> Result<u64, TaskError> {
    let wrong = |_| foreign("`updates` is not a number");
    let bytes = take(blobs, "updates")?.try_into().map_err(wrong)?;
    Ok(u64::from_le_bytes(bytes))
}
