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
    KeyDoc::new("agent", "Algorithm with its hyperparameters", ""),
    KeyDoc::new("agent.kind", "Algorithm", ""),
    KeyDoc::new(
        "agent.net_arch",
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
        "agent.n_atoms",
        "Atoms of the return distribution (C51); 1 learns only the mean",
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
        "Steps of the return before bootstrapping",
        "1 to 1,000",
    ),
    KeyDoc::new(
        "agent.prioritized_replay",
        "Prioritized experience replay",
        "true or false",
    ),
    KeyDoc::new(
        "agent.prioritized_replay_alpha",
        "Exponent of the priorities",
        "0 to 1",
    ),
    KeyDoc::new(
        "agent.prioritized_replay_beta0",
        "Initial exponent of the importance weights, which grows to 1",
        "0 to 1",
    ),
    KeyDoc::new("agent.gamma", "Discount factor", "0 to 1"),
    KeyDoc::new(
        "agent.buffer_size",
        "Capacity of the replay buffer, in transitions",
        "1 to 1,073,741,824",
    ),
    KeyDoc::new(
        "agent.learning_starts",
        "Environment steps before the first update",
        "0 or more",
    ),
    KeyDoc::new(
        "agent.train_freq",
        "Environment steps between rounds of updates",
        "1 to 1,048,576",
    ),
    KeyDoc::new(
        "agent.gradient_steps",
        "Updates per round",
        "1 to 1,048,576",
    ),
    KeyDoc::new(
        "agent.target_update_interval",
        "Updates between updates of the target network",
        "1 to 1,073,741,824",
    ),
    KeyDoc::new(
        "agent.tau",
        "Soft update coefficient of the target network; 1 copies the online network",
        "1e-6 to 1",
    ),
    KeyDoc::new(
        "agent.exploration_initial_eps",
        "Initial probability of a random action",
        "0 to 1",
    ),
    KeyDoc::new(
        "agent.exploration_final_eps",
        "Final probability of a random action",
        "0 to 1",
    ),
    KeyDoc::new(
        "agent.exploration_steps",
        "Environment steps over which this probability decreases linearly",
        "0 or more",
    ),
    KeyDoc::new(
        "agent.n_steps",
        "Steps of each environment per rollout",
        "1 to 1,048,576",
    ),
    KeyDoc::new("agent.n_epochs", "Passes over each rollout", "1 to 65,536"),
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
        "agent.anneal_clip_range",
        "Apply the schedule to the clip range too",
        "true or false",
    ),
    KeyDoc::new("agent.ent_coef", "Entropy coefficient", "0 to 1,000"),
    KeyDoc::new("agent.vf_coef", "Value function coefficient", "0 to 1,000"),
    KeyDoc::new("train", "Training loop", ""),
    KeyDoc::new(
        "train.total_timesteps",
        "Largest number of environment steps, over all environments, rounded up to whole steps of all of them (DQN) or whole rollouts (PPO)",
        "1 or more",
    ),
    KeyDoc::new(
        "train.budget",
        "Time for training, which sets the number of steps, at most train.total_timesteps; empty for none",
        "a time such as 90s, 20m or 1h30m, or empty",
    )
    .optional(),
    KeyDoc::new(
        "train.num_envs",
        "Number of parallel environments",
        "1 to 65,536",
    ),
    KeyDoc::new(
        "train.batch_size",
        "Transitions per update",
        "1 to 1,048,576",
    ),
    KeyDoc::new("train.seed", "Random seed", "0 or more"),
    KeyDoc::new(
        "train.clip_norm",
        "Largest global norm of the gradient; 0 turns clipping off",
        "0 to 1e9",
    ),
    KeyDoc::new(
        "train.eval_freq",
        "Environment steps between evaluations",
        "1 or more",
    ),
    KeyDoc::new(
        "train.n_eval_episodes",
        "Episodes per evaluation, whose mean return is compared with train.reward_threshold",
        "1 to 65,536",
    ),
    KeyDoc::new(
        "train.reward_threshold",
        "Mean return of evaluations at which training stops",
        "number or inf",
    ),
    KeyDoc::new(
        "train.evals_to_stop",
        "Consecutive evaluations that must reach train.reward_threshold",
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
