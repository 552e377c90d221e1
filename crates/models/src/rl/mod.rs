//! Networks for agents: from observations to policies and values.

pub mod actor_critic;
pub mod q_network;

pub use actor_critic::{ActorCritic, ActorCriticConfig};
pub use q_network::{Noise, QNetwork, QNetworkConfig};
