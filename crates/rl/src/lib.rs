//! Reinforcement learning: environments, replay, agents and the loop that trains them.
//!
//! | module | what |
//! |---|---|
//! | [`environment`], [`mod@env`] | the trait, with an example; CartPole, MountainCar, Acrobot, Pendulum |
//! | [`vector`] | copies that step together |
//! | [`replay`] | one ring per field, uniform or prioritised, over one step or several |
//! | [`dqn`], [`ppo`] | what learns |
//! | [`recipe`] | what decides an agent, as data |
//! | [`mod@train`] | the loop, with evaluations, checkpoints and resume |
//! | [`policy`], [`evaluation`] | what a trained agent does, and how good that is |
//! | [`scene`] | what an environment looks like, as shapes |
//! | [`burn_traits`] | the environments and policies behind burn-rl's traits |
//!
//! ```
//! use burn::tensor::Device;
//! use tinderbox_rl::recipe::Recipe;
//! use tinderbox_rl::train::{Options, train};
//!
//! let mut recipe = Recipe::builtin("dqn").ok_or("no such recipe")?;
//! recipe.train.steps = 1_000; // 50,000 in earnest
//! let env = recipe.make_env()?;
//! let trained = train(&recipe, &env, &Device::flex(), Options::default())?;
//! assert_eq!(trained.test.returns.len(), 100);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Environments hold and return plain numbers; tensors begin where an agent makes a batch. What it
//! refuses to do: parse flags, draw on a screen, or know which backends exist (it takes a
//! [`Device`](burn::tensor::Device)).

pub mod burn_traits;
mod docs;
pub mod dqn;
pub mod env;
pub mod environment;
mod error;
pub mod evaluation;
pub mod policy;
pub mod ppo;
pub mod random;
pub mod recipe;
pub mod replay;
pub mod scene;
pub mod sum_tree;
pub mod train;
pub mod vector;

pub use error::RlError;
