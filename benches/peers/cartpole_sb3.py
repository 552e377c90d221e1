"""Stable-Baselines3's DQN on CartPole-v1 with the settings of RL Baselines3 Zoo, one line per seed.

    pip install stable-baselines3 && python cartpole_sb3.py SEED...

Solved: 20 greedy episodes, looked at every 5,000 steps, average at least 475; evaluations are not
in the times."""
import sys
import time

import gymnasium
import torch
from stable_baselines3 import DQN
from stable_baselines3.common.evaluation import evaluate_policy

torch.set_num_threads(2)
for seed in sys.argv[1:]:
    model = DQN(
        "MlpPolicy", gymnasium.make("CartPole-v1"), seed=int(seed), learning_rate=2.3e-3, batch_size=64,
        buffer_size=100_000, learning_starts=1_000, gamma=0.99, target_update_interval=10, train_freq=256,
        gradient_steps=128, exploration_fraction=0.16, exploration_final_eps=0.04,
        policy_kwargs={"net_arch": [256, 256]})
    spent, solved = 0.0, "never"
    for part in range(1, 11):
        start = time.perf_counter()
        model.learn(5_000, reset_num_timesteps=part == 1)
        spent += time.perf_counter() - start
        mean, _ = evaluate_policy(model, gymnasium.make("CartPole-v1"), n_eval_episodes=100 if part == 10 else 20)
        if mean >= 475 and solved == "never":
            solved = f"{spent:.2f} s"
    print(f"seed {seed}: return {mean:.1f}, solved after {solved}, {50_000 / spent:.0f} steps/s", flush=True)
