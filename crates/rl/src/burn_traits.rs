//! burn-rl's traits for the environments and policies of this crate.
//!
//! burn-rl uses tensors where this crate uses plain numbers, and it has no errors: an error of
//! [`Environment::step`] is a panic here.

use burn::tensor::{Device, Int, Tensor, TensorData};
use burn_rl::{Batchable, PolicyState, SliceAccess, StepResult};

use crate::dqn::rows;
use crate::environment::{Action, ActionSpace, Environment};
use crate::policy::{Actions, Policy};
use crate::random::Purpose;

/// An [`Environment`] with its current observation and the seeds of its episodes.
#[derive(Clone, Debug)]
pub struct Adapted<E> {
    env: E,
    seed: u64,
    episode: u64,
    observation: Vec<f32>,
}

impl<E: Environment> Adapted<E> {
    /// Starts the first episode; each episode's seed follows from `seed` and its number.
    pub fn new(env: E, seed: u64) -> Self {
        let observation = vec![0.0; env.spec().observation_space.len()];
        let mut env = Self {
            env,
            seed,
            episode: 0,
            observation,
        };
        env.start();
        env
    }

    fn start(&mut self) {
        let seed = Purpose::Environments.seed(self.seed, self.episode);
        self.episode += 1;
        self.env.reset(seed, &mut self.observation);
    }
}

/// Plain numbers: an observation, or an action (a discrete one is a single integer).
#[derive(Clone, Debug, PartialEq)]
pub struct Values(pub Vec<f32>);

impl burn_rl::ToObservation<Rows> for Values {
    fn to_observation(&self, device: &Device) -> Rows {
        Rows(rows(&self.0, self.0.len(), device))
    }
}

impl burn_rl::ToAction<Rows> for Values {
    fn to_action(&self, device: &Device) -> Rows {
        Rows(rows(&self.0, self.0.len(), device))
    }
}

/// The first row.
impl From<Rows> for Values {
    fn from(rows: Rows) -> Self {
        let [_, width] = rows.0.dims();
        let mut values = crate::dqn::read(rows.0);
        values.truncate(width);
        Self(values)
    }
}

impl<E: Environment> burn_rl::Environment for Adapted<E> {
    type State = Values;
    type Action = Values;

    /// The environments have time limits of their own.
    const MAX_STEPS: usize = usize::MAX;

    fn state(&self) -> Values {
        Values(self.observation.clone())
    }

    /// # Panics
    ///
    /// If the action is not in the action space.
    fn step(&mut self, action: Values) -> StepResult<Values> {
        let action = match self.env.spec().action_space {
            ActionSpace::Discrete(_) => Action::Discrete(action.0[0].round() as usize),
            ActionSpace::Continuous(_) => Action::Continuous(&action.0),
        };
        match self.env.step(action, &mut self.observation) {
            Ok(step) => StepResult {
                next_state: self.state(),
                reward: step.reward.into(),
                done: step.terminated,
                truncated: step.truncated,
            },
            #[expect(clippy::panic, reason = "burn-rl's step has no error to return")]
            Err(error) => panic!("{error}"),
        }
    }

    fn reset(&mut self) {
        self.start();
    }
}

/// A batch of observations or actions, `[rows, values]`.
#[derive(Clone, Debug)]
pub struct Rows(pub Tensor<2>);

impl Batchable for Rows {
    fn batch(rows: Vec<Self>) -> Self {
        Self(Tensor::cat(
            rows.into_iter().map(|rows| rows.0).collect(),
            0,
        ))
    }

    fn unbatch(self) -> Vec<Self> {
        let count = self.0.dims()[0];
        self.0.chunk(count, 0).into_iter().map(Self).collect()
    }
}

impl SliceAccess for Rows {
    fn zeros_like(sample: &Self, capacity: usize, device: &Device) -> Self {
        Self(SliceAccess::zeros_like(&sample.0, capacity, device))
    }

    fn select(self, dim: usize, indices: Tensor<1, Int>) -> Self {
        Self(self.0.select(dim, indices))
    }

    fn slice_assign_inplace(&mut self, index: usize, value: Self) {
        SliceAccess::slice_assign_inplace(&mut self.0, index, value.0);
    }
}

/// The weights of a [`Policy`], exact to the bit.
#[derive(Clone, Debug)]
pub struct Weights(Policy);

impl PolicyState for Weights {
    type Record = Policy;

    fn into_record(self) -> Policy {
        self.0
    }

    fn load_record(&self, record: Policy) -> Self {
        Self(record)
    }
}

/// It is deterministic: `deterministic` changes nothing, and the distribution is the action.
impl burn_rl::Policy for Policy {
    type Observation = Rows;
    type ActionDistribution = Rows;
    type Action = Rows;
    type ActionContext = ();
    type PolicyState = Weights;

    fn forward(&mut self, observations: Rows) -> Rows {
        let device = observations.0.device();
        let (values, width) = match self.act(&crate::dqn::read(observations.0)) {
            Actions::Discrete(numbers) => (numbers.into_iter().map(f32::from).collect(), 1),
            Actions::Continuous { values, width } => (values, width),
        };
        let shape = [values.len() / width, width];
        Rows(Tensor::from_data(TensorData::new(values, shape), &device))
    }

    fn action(&mut self, observations: Rows, _deterministic: bool) -> (Rows, Vec<()>) {
        let actions = self.forward(observations);
        let contexts = vec![(); actions.0.dims()[0]];
        (actions, contexts)
    }

    fn update(&mut self, update: Weights) {
        *self = update.0;
    }

    fn state(&self) -> Weights {
        Weights(self.clone())
    }

    fn to_device(self, device: &Device) -> Self {
        self.on(device)
    }

    fn load_record(self, record: Policy) -> Self {
        record
    }
}

#[cfg(test)]
mod tests {
    use burn_rl::{AsyncPolicy, Environment as _, ToObservation as _, TransitionBuffer};

    use super::*;
    use crate::env::ClassicControl;
    use crate::recipe::Recipe;
    use crate::train::{Options, train};

    fn policy(name: &str, environment: &str, device: &Device) -> (Policy, ClassicControl) {
        let mut recipe = Recipe::tuned(name, environment).unwrap();
        recipe.train.total_timesteps = 600;
        recipe.train.n_eval_episodes = 2;
        let env = recipe.make_env().unwrap();
        let trained = train(&recipe, &env, device, Options::default()).unwrap();
        (trained.policy, env)
    }

    /// An episode as code written for burn-rl plays it.
    fn play<E, P>(env: &mut E, policy: &mut P, device: &Device) -> (f64, bool)
    where
        E: burn_rl::Environment<State = Values, Action = Values>,
        P: burn_rl::Policy<Observation = Rows, Action = Rows>,
    {
        env.reset();
        let mut total = 0.0;
        loop {
            let (action, _) = policy.action(env.state().to_observation(device), true);
            let step = env.step(action.into());
            total += step.reward;
            if step.done || step.truncated {
                return (total, step.truncated);
            }
        }
    }

    #[test]
    fn code_for_burn_rl_plays_our_environments_with_our_policies() {
        let device = Device::flex();
        for (name, environment) in [("dqn", "CartPole-v1"), ("ppo", "Pendulum-v1")] {
            let (mut policy, env) = policy(name, environment, &device);
            let alone = play(&mut Adapted::new(env.clone(), 3), &mut policy, &device);
            // Behind burn-rl's server of batched inference.
            let mut served = AsyncPolicy::new(4, policy);
            let env = &mut Adapted::new(env, 3);
            assert_eq!(play(env, &mut served, &device), alone, "{environment}");
            assert_eq!(alone.1, environment == "Pendulum-v1" || alone.0 >= 500.0);
        }
    }

    #[test]
    fn transitions_go_into_burns_own_buffer() {
        let device = Device::flex();
        let mut env = Adapted::new("CartPole-v1".parse::<ClassicControl>().unwrap(), 0);
        let mut buffer = TransitionBuffer::<Rows, Rows>::new(8, &device);
        for number in 0..6 {
            let before = env.state().to_observation(&device);
            let action = Values(vec![(number % 2) as f32]);
            let step = env.step(action.clone());
            buffer.push(
                before,
                step.next_state.to_observation(&device),
                burn_rl::ToAction::to_action(&action, &device),
                step.reward as f32,
                step.done,
            );
        }
        let batch = buffer.sample(5);
        assert_eq!(batch.states.0.dims(), [5, 4]);
        assert_eq!(batch.actions.0.dims(), [5, 1]);
        assert_eq!(Rows::batch(batch.states.clone().unbatch()).0.dims(), [5, 4]);
    }

    #[test]
    #[should_panic(expected = "the action number 7 is not in the action space of CartPole-v1")]
    fn an_action_outside_the_space_is_named() {
        let mut env = Adapted::new("CartPole-v1".parse::<ClassicControl>().unwrap(), 0);
        env.step(Values(vec![7.0]));
    }
}
