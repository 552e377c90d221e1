//! The keys of an agent's recipe, for those who edit one.

use tinderbox_train::overlay::KeyDoc;

/// The keys that only an agent has.
pub(crate) const DOCS: &[KeyDoc] = &[
    KeyDoc::new(
        "name",
        "Name of the recipe and of its folder under runs/",
        "letters, digits, -, _ and .",
    ),
    KeyDoc::new(
        "environment",
        "Environment",
        "CartPole-v1, MountainCar-v0, Acrobot-v1 or Pendulum-v1",
    ),
    KeyDoc::new("agent", "Agent", ""),
    KeyDoc::new("agent.kind", "Algorithm", ""),
    KeyDoc::new(
        "agent.hidden",
        "Width of each hidden layer",
        "list of 1 to 65,536",
    ),
    KeyDoc::new("agent.double", "Double DQN", "true or false"),
    KeyDoc::new("agent.dueling", "Dueling network", "true or false"),
    KeyDoc::new(
        "agent.noisy",
        "Noisy layers for exploration",
        "true or false",
    ),
    KeyDoc::new(
        "agent.atoms",
        "Atoms of the return distribution (C51); 1 learns the mean alone",
        "1 or more",
    ),
    KeyDoc::new(
        "agent.v_min",
        "Return of the lowest atom",
        "number below agent.v_max",
    ),
    KeyDoc::new(
        "agent.v_max",
        "Return of the highest atom",
        "number above agent.v_min",
    ),
    KeyDoc::new(
        "agent.n_step",
        "Rewards summed before bootstrapping",
        "1 to 1,000",
    ),
    KeyDoc::new("agent.prioritized", "Prioritized replay", "true or false"),
    KeyDoc::new(
        "agent.priority_exponent",
        "Alpha of prioritized replay",
        "0 to 1",
    ),
    KeyDoc::new(
        "agent.importance",
        "Initial beta of prioritized replay; 1 at the end",
        "0 to 1",
    ),
    KeyDoc::new("agent.gamma", "Discount factor", "0 to 1"),
    KeyDoc::new(
        "agent.replay_size",
        "Capacity of the replay buffer, in transitions",
        "1 to 1,073,741,824",
    ),
    KeyDoc::new(
        "agent(dqn).batch_size",
        "Transitions per update",
        "1 to 65,536",
    ),
    KeyDoc::new(
        "agent.learning_starts",
        "Environment steps before the first update",
        "0 or more",
    ),
    KeyDoc::new(
        "agent.update_every",
        "Environment steps between rounds of updates",
        "1 to 1,048,576",
    ),
    KeyDoc::new("agent.updates", "Updates per round", "1 to 1,048,576"),
    KeyDoc::new(
        "agent.target_every",
        "Updates between moves of the target network",
        "1 to 1,073,741,824",
    ),
    KeyDoc::new(
        "agent.target_share",
        "How far the target network moves: 1 copies, less is a Polyak average",
        "1e-6 to 1",
    ),
    KeyDoc::new(
        "agent.epsilon_start",
        "Initial share of random actions",
        "0 to 1",
    ),
    KeyDoc::new(
        "agent.epsilon_end",
        "Final share of random actions",
        "0 to 1",
    ),
    KeyDoc::new(
        "agent.epsilon_steps",
        "Environment steps over which epsilon falls linearly",
        "0 or more",
    ),
    KeyDoc::new(
        "agent.clip_norm",
        "Largest global norm of the gradient; 0 turns clipping off",
        "0 to 1e9",
    ),
    KeyDoc::new(
        "agent.rollout",
        "Steps of each environment per rollout",
        "1 to 1,048,576",
    ),
    KeyDoc::new("agent.epochs", "Passes over each rollout", "1 to 65,536"),
    KeyDoc::new(
        "agent(ppo).batch_size",
        "Steps per update",
        "1 to 1,048,576",
    ),
    KeyDoc::new(
        "agent.gae_lambda",
        "Lambda of generalized advantage estimation",
        "0 to 1",
    ),
    KeyDoc::new(
        "agent.clip_range",
        "Clip range of the probability ratio",
        "1e-6 to 1,000",
    ),
    KeyDoc::new(
        "agent.anneal_clip",
        "Anneal the clip range with the learning rate",
        "true or false",
    ),
    KeyDoc::new("agent.entropy_weight", "Entropy coefficient", "0 to 1,000"),
    KeyDoc::new("agent.value_weight", "Value loss coefficient", "0 to 1,000"),
    KeyDoc::new("train", "Training loop", ""),
    KeyDoc::new(
        "train.steps",
        "Largest number of environment steps, over all copies",
        "1 or more",
    ),
    KeyDoc::new("train.envs", "Copies of the environment", "1 to 65,536"),
    KeyDoc::new("train.seed", "Random seed", "0 or more"),
    KeyDoc::new(
        "train.final_rate",
        "Final learning rate as a share of the first; it falls linearly",
        "0 to 1",
    ),
    KeyDoc::new(
        "train.evaluate_every",
        "Environment steps between evaluations",
        "1 or more",
    ),
    KeyDoc::new(
        "train.evaluation_episodes",
        "Episodes per evaluation",
        "1 to 65,536",
    ),
    KeyDoc::new(
        "train.stop_return",
        "Training stops when evaluations reach this mean return",
        "number or inf",
    ),
    KeyDoc::new(
        "train.stop_after",
        "Number of evaluations in a row that must reach it",
        "1 to 1,048,576",
    ),
    KeyDoc::new(
        "train.log_every",
        "Environment steps between points of the training curve",
        "1 or more",
    ),
    KeyDoc::new(
        "train.checkpoint_every",
        "Environment steps between checkpoints; 0 writes them at the start and the end",
        "0 or more",
    ),
];
