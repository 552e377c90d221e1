#!/usr/bin/env bash
# CartPole beside Stable-Baselines3, in turn: the time until it is solved with the default recipe, and
# the speed with the peer's own settings. Needs a Python with stable-baselines3.
#   bash benches/cartpole.sh [SEEDS]
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
seeds=${1:-3}
target=${CARGO_TARGET_DIR:-target}
cargo build -q --workspace --bins
ours=$target/debug/rl-cartpole
runs=$(mktemp -d)
trap 'rm -rf "$runs"' EXIT
# The peer's network, batch, updates, target, replay and exploration; one environment.
same=(agent.n_step=1 'agent.net_arch=[256,256]' train.batch_size=64 agent.train_freq=256
    agent.gradient_steps=128 agent.target_update_interval=128 agent.buffer_size=100000
    agent.learning_starts=1000 agent.exploration_steps=8000 agent.exploration_final_eps=0.04
    train.num_envs=1 train.reward_threshold=inf train.eval_freq=5000 train.n_eval_episodes=20)
for seed in $(seq 0 $((seeds - 1))); do
    echo "== seed $seed: ours, default recipe"
    "$ours" train --quiet --seed "$seed" --out "$runs/default-$seed" | head -n 3
    echo "== seed $seed: ours, the peer's settings"
    "$ours" train --quiet --seed "$seed" --out "$runs/same-$seed" "${same[@]/#/--set=}" | head -n 3
    grep -E 'steps_per_s' "$runs/same-$seed/summary.json"
    echo "== seed $seed: Stable-Baselines3"
    "$python" benches/peers/cartpole_sb3.py "$seed"
done
echo "== ours, default recipe, ten seeds"
"$ours" ablation dqn --seeds 10
