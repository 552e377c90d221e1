//! Reinforcement learning: environments, replay, agents and the loop that trains them.
//!
//! | module | content |
//! |---|---|
//! | [`environment`], [`mod@env`] | the trait, with an example; CartPole, MountainCar, Acrobot, Pendulum |
//! | [`vector_env`] | environments that step together |
//! | [`replay_buffer`] | one ring per field; uniform or prioritized, one-step or n-step |
//! | [`dqn`], [`ppo`] | the algorithms |
//! | [`recipe`] | everything that determines an agent, as data |
//! | [`mod@train`] | the loop, with evaluations, checkpoints and resume |
//! | [`ReinforcementLearning`] | the task, for apps and servers |
//! | [`policy`], [`evaluation`] | trained agents and their returns |
//! | [`mod@ablation`] | several recipes with several seeds |
//! | [`render`] | environments as shapes; with the feature `render` also as pixels, GIF and terminal |
//! | [`burn_traits`] | burn-rl's traits for the environments and policies |
//!
//! ```
//! use burn::tensor::Device;
//! use tinderbox_rl::recipe::Recipe;
//! use tinderbox_rl::train::{Options, train};
//!
//! let mut recipe = Recipe::builtin("dqn").ok_or("no such recipe")?;
//! recipe.train.total_timesteps = 1_000; // 50,000 by default
//! let env = recipe.make_env()?;
//! let trained = train(&recipe, &env, &Device::flex(), Options::default())?;
//! assert_eq!(trained.test.returns.len(), 100);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Environments take and return plain numbers; tensors begin where an agent makes a batch. Non-goals:
//! flags, windows, and knowledge of backends (it takes a [`Device`](burn::tensor::Device)).

pub mod ablation;
mod baseline;
pub mod burn_traits;
mod docs;
pub mod dqn;
pub mod env;
pub mod environment;
mod error;
pub mod evaluation;
mod observations;
pub mod policy;
pub mod ppo;
mod preview;
mod progress;
pub mod random;
pub mod recipe;
pub mod render;
pub mod replay_buffer;
pub mod sum_tree;
mod task;
pub mod train;
pub mod vector_env;

pub use task::{ReinforcementLearning, make_env, test_episodes};

/// The example of the README, which is compiled and run as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
