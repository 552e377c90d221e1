//! An agent with what it learns from.

use std::collections::BTreeMap;

use burn::module::Module as _;
use burn::tensor::{Bytes, Device};
use tinderbox_models::rl::ActorCriticConfig;
use tinderbox_train::{weights_from_bytes, weights_to_bytes};

use super::state::part;
use crate::dqn::Dqn;
use crate::environment::{Action, ActionSpace, BoxSpace, Environment, EnvSpec};
use crate::error::RlError;
use crate::policy::Policy;
use crate::ppo::Ppo;
use crate::recipe::{Agent, Recipe, actor_critic};
use crate::replay_buffer::ReplayBuffer;
use crate::vector_env::VectorEnv;

/// Where training stands at the beginning of a round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    pub(super) steps: u64,
    pub(super) total: u64,
    /// Step size as a share of the optimizer's.
    pub(super) rate: f64,
}

/// What a round has done.
#[derive(Clone, Debug, Default)]
pub(super) struct Round {
    /// Steps of each copy.
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
    bounds: Option<BoxSpace>,
    device: Device,
}

pub(super) struct DqnLearner {
    agent: Dqn,
    replay: ReplayBuffer,
    learning_rate: f64,
    device: Device,
}

impl Learner {
    pub(super) fn new(recipe: &Recipe, spec: &EnvSpec, device: &Device) -> Result<Self, RlError> {
        let width = spec.observation.len();
        match (&recipe.agent, &spec.action) {
            (Agent::Dqn(config), ActionSpace::Discrete(n_actions)) => {
                let sizes = [width, *n_actions];
                let seed = recipe.train.seed;
                Ok(Self::Dqn(DqnLearner {
                    agent: Dqn::new(config, &recipe.optimizer, sizes, seed, device),
                    replay: ReplayBuffer::new(config.replay(recipe.train.envs, width))?,
                    learning_rate: recipe.optimizer.learning_rate(),
                    device: device.clone().inner(),
                }))
            }
            (Agent::Ppo(config), _) => {
                let (network, bounds) = actor_critic(config, spec);
                let (optimizer, seed) = (&recipe.optimizer, recipe.train.seed);
                Ok(Self::Ppo(PpoLearner {
                    agent: Ppo::new(config, optimizer, &network, bounds.clone(), seed, device),
                    network,
                    bounds,
                    device: device.clone().inner(),
                }))
            }
            (Agent::Dqn(_), ActionSpace::Continuous(_)) => {
                Err(RlError::Policy("DQN needs numbered actions".to_owned()))
            }
        }
    }

    pub(super) fn round<E: Environment>(
        &mut self,
        envs: &mut VectorEnv<E>,
        clock: Clock,
    ) -> Result<Round, RlError> {
        match self {
            Self::Dqn(learner) => learner.round(envs, clock),
            Self::Ppo(learner) => learner.round(envs, clock),
        }
    }

    pub(super) fn policy(&self, environment: &str) -> Policy {
        match self {
            Self::Dqn(DqnLearner { agent, device, .. }) => {
                let net = agent.network().clone();
                let config = agent.config.network(net.d_input(), net.n_actions());
                Policy::q_network(environment, config, net, device)
            }
            Self::Ppo(learner) => {
                let net = learner.agent.network().clone();
                let (config, bounds) = (learner.network.clone(), learner.bounds.clone());
                Policy::actor_critic(environment, config, bounds, net, &learner.device)
            }
        }
    }

    pub(super) fn updates(&self) -> u64 {
        match self {
            Self::Dqn(learner) => learner.agent.updates,
            Self::Ppo(learner) => learner.agent.updates,
        }
    }

    pub(super) fn epsilon(&self, steps: u64) -> Option<f64> {
        match self {
            Self::Dqn(learner) => Some(learner.agent.config.epsilon(steps)),
            Self::Ppo(_) => None,
        }
    }

    pub(super) fn save(&self) -> Result<BTreeMap<String, Vec<u8>>, RlError> {
        match self {
            Self::Dqn(learner) => learner.save(),
            Self::Ppo(learner) => learner.save(),
        }
    }

    pub(super) fn restore(&mut self, blobs: &mut BTreeMap<String, Vec<u8>>) -> Result<(), RlError> {
        match self {
            Self::Dqn(learner) => learner.restore(blobs),
            Self::Ppo(learner) => learner.restore(blobs),
        }
    }
}

impl DqnLearner {
    /// One step of every copy, and the updates that are due after it.
    fn round<E: Environment>(
        &mut self,
        envs: &mut VectorEnv<E>,
        clock: Clock,
    ) -> Result<Round, RlError> {
        let config = &self.agent.config;
        let before = envs.observations().to_vec();
        let epsilon = if clock.steps < config.learning_starts as u64 && !config.noisy {
            // What has learned nothing has no opinion.
            1.0
        } else {
            config.epsilon(clock.steps)
        };
        let actions = self.agent.act(&before, epsilon, clock.steps);
        envs.step(|copy| Action::Discrete(actions[copy].into()))?;
        self.replay.push(
            &before,
            &actions,
            envs.steps(),
            envs.observations(),
            |copy| envs.next_observation(copy),
        );
        let mut round = Round {
            rows: 1,
            returns: envs.ended().map(|episode| episode.total).collect(),
            ..Round::default()
        };
        let after = clock.steps + envs.len() as u64;
        let every = config.update_every as u64;
        let due = (after / every - clock.steps / every) * config.updates as u64;
        if after < config.learning_starts as u64 || self.replay.len() < config.batch_size {
            return Ok(round);
        }
        let progress = clock.steps as f32 / clock.total as f32;
        for _ in 0..due {
            let batch = self.agent.sample(&self.replay, progress)?;
            let feedback = self.agent.update(&batch, self.learning_rate * clock.rate);
            self.replay.update_priorities(&batch.places, &feedback.errors);
            round.loss_sum += f64::from(feedback.loss);
            round.losses += 1;
        }
        Ok(round)
    }

    fn save(&self) -> Result<BTreeMap<String, Vec<u8>>, RlError> {
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

    fn restore(&mut self, blobs: &mut BTreeMap<String, Vec<u8>>) -> Result<(), RlError> {
        let agent = &mut self.agent;
        let online = part(blobs, "online")?;
        agent.online = weights_from_bytes(agent.online.valid(), online)?.train();
        agent.target = weights_from_bytes(agent.target.clone(), part(blobs, "target")?)?;
        let optimizer = Bytes::from_bytes_vec(part(blobs, "optimizer")?);
        agent.optimizer = agent.fresh_optimizer().from_bytes(optimizer)?;
        agent.refresh();
        self.replay.restore(&part(blobs, "replay")?)?;
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
    ) -> Result<Round, RlError> {
        let learned = self.agent.round(envs, clock.steps, clock.rate)?;
        Ok(Round {
            rows: self.agent.rollout() as u64,
            returns: learned.returns,
            loss_sum: learned.loss_sum,
            losses: learned.updates,
        })
    }

    fn save(&self) -> Result<BTreeMap<String, Vec<u8>>, RlError> {
        let agent = &self.agent;
        let optimizer = agent.optimizer.into_bytes()?.to_vec();
        let blobs = [
            ("online", weights_to_bytes(&agent.online.valid())?),
            ("optimizer", optimizer),
            ("updates", agent.updates.to_le_bytes().to_vec()),
        ];
        Ok(blobs.map(|(name, bytes)| (name.to_owned(), bytes)).into())
    }

    fn restore(&mut self, blobs: &mut BTreeMap<String, Vec<u8>>) -> Result<(), RlError> {
        let agent = &mut self.agent;
        let online = part(blobs, "online")?;
        agent.online = weights_from_bytes(agent.online.valid(), online)?.train();
        let optimizer = Bytes::from_bytes_vec(part(blobs, "optimizer")?);
        agent.optimizer = agent.fresh_optimizer().from_bytes(optimizer)?;
        agent.refresh();
        agent.updates = updates(blobs)?;
        Ok(())
    }
}

fn updates(blobs: &mut BTreeMap<String, Vec<u8>>) -> Result<u64, RlError> {
    let wrong = |_| RlError::Foreign("`updates` is no number".to_owned());
    let bytes = part(blobs, "updates")?.try_into().map_err(wrong)?;
    Ok(u64::from_le_bytes(bytes))
}
