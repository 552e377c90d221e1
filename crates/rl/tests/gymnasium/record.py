"""Records the trajectories that tests/gymnasium.rs replays.

    pip install gymnasium==1.4.0 numpy
    python crates/rl/tests/gymnasium/record.py

Writes one JSON file per environment beside this script. Floats have as many digits as it takes to
read back the same float, in double precision for states and in single for observations.
"""

import json
import pathlib

import gymnasium as gym
import numpy as np

# Environment: numbers of steps of the episodes, None for a whole one.
EPISODES = {
    "CartPole-v1": [None] * 7,
    "MountainCar-v0": [None, None],
    "Acrobot-v1": [100, None],
    "Pendulum-v1": [None, None],
}


def policy(name, episode, state, rng):
    """Mixes chance with the simplest policy that ends an episode the other way."""
    if name == "Pendulum-v1":
        # The exact ends of the action space too.
        return np.clip(rng.uniform(-3, 3, size=1), -2, 2).astype(np.float32)
    actions = 2 if name == "CartPole-v1" else 3
    # The first of two episodes plays by chance, the second well.
    if episode % 2 == 0 or rng.random() < 0.1:
        return int(rng.integers(actions))
    if name == "CartPole-v1":
        if episode == 1:
            # Balances until the time limit.
            return int(0.05 * state[0] + 0.1 * state[1] + state[2] + 0.5 * state[3] > 0)
        # Drives off the track or falls, left or right.
        return episode // 2 % 2 if rng.random() < 0.6 else int(state[2] + state[3] > 0)
    if name == "MountainCar-v0":
        return 2 if state[1] > 0 else 0
    return 2 if state[2] < 0 else 0


def single(values):
    return [float(str(value)) for value in values]


def record(name, episode, steps):
    env = gym.make(name)
    rng = np.random.default_rng([episode, len(name)])
    observation, _ = env.reset(seed=1000 + episode)
    state = env.unwrapped.state
    trajectory = {
        "initial": [float(value) for value in state],
        "steps": [],
    }
    while True:
        action = policy(name, episode, state, rng)
        observation, reward, terminated, truncated, _ = env.step(action)
        state = env.unwrapped.state
        trajectory["steps"].append([
            float(action[0]) if isinstance(action, np.ndarray) else action,
            [float(value) for value in state],
            single(observation),
            float(reward),
            terminated,
            truncated,
        ])
        if terminated or truncated or len(trajectory["steps"]) == steps:
            return trajectory


def line(trajectory):
    """One line per step, so that a change can be read."""
    steps = ",\n".join(json.dumps(step, separators=(",", ":")) for step in trajectory["steps"])
    head = {key: value for key, value in trajectory.items() if key != "steps"}
    return json.dumps(head)[:-1] + ', "steps": [\n' + steps + "\n]}"


def main():
    here = pathlib.Path(__file__).parent
    for name, episodes in EPISODES.items():
        trajectories = [record(name, index, steps) for index, steps in enumerate(episodes)]
        body = ",\n".join(line(trajectory) for trajectory in trajectories)
        text = f'{{"gymnasium": "{gym.__version__}", "episodes": [\n{body}\n]}}\n'
        (here / f"{name}.json").write_text(text)
        ends = [t["steps"][-1][4:] + [len(t["steps"])] for t in trajectories]
        print(name, len(text), "bytes", ends)


if __name__ == "__main__":
    main()
