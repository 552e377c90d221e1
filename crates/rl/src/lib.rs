//! Reinforcement learning: environments, replay, agents and the loop that trains them.
//!
//! Environments hold and return plain numbers; tensors begin where an agent makes a batch. What it
//! refuses to do: parse flags, draw on a screen, or know which backends exist (it takes a
//! [`Device`](burn::tensor::Device)).

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
