#!/usr/bin/env python3
"""Measures `sweep`: what it finds from a poor start, TPE against random search, two workers against one, and kills.

    cargo build -p tabular -p vision -p text -p rl-cartpole
    python3 benches/sweep.py poor TARGET DATA OUT [RECIPE]...   # 30 trials from a poor start, then 5 seeds of the best
    python3 benches/sweep.py samplers TARGET DATA OUT [RECIPE]...  # 10 repetitions of 30 trials with each sampler
    python3 benches/sweep.py workers TARGET DATA OUT            # trials per minute, one thread each
    python3 benches/sweep.py kill TARGET DATA OUT               # 20 SIGKILLs

TARGET is the folder of the programs, such as target/debug, DATA that of the data sets (telco-churn, german-credit,
sms-spam), OUT an empty folder.
"""

import json
import os
import pathlib
import random
import signal
import statistics
import subprocess
import sys
import time

COMMAND, TARGET, DATA, OUT = sys.argv[1], *map(pathlib.Path, sys.argv[2:5])
SEEDS = range(101, 106)

NETWORK = """
optimizer.learning_rate = { min = 1e-6, max = 1.0, log = true }
optimizer.weight_decay = { min = 1e-5, max = 1.0, log = true }
model.dropout = { min = 0.0, max = 0.9 }
"""
TABLE = NETWORK + """
model.d_block = { choices = [8, 32, 128] }
train.batch_size = { choices = [64, 256, 1024] }
"""
POOR = ["optimizer.learning_rate=0.000001", "model.dropout=0.9"]

# Name: program, data, poor start, search space, metric (None: steps to solve), trainings of each trial. One validation
# split of these tables is too small to tell good settings apart.
RECIPES = {
    "churn": ("tabular", "telco-churn", [*POOR, "model.d_block=8"], TABLE, "auroc", ["--folds", 3]),
    "german-credit": ("tabular", "german-credit", [*POOR, "model.d_block=8"], TABLE, "auroc", ["--folds", 5]),
    "digits": ("vision", None, POOR, NETWORK + "train.batch_size = { choices = [32, 128, 512] }\n", "accuracy", []),
    "sms-spam": ("text", "sms-spam", POOR, NETWORK + "train.batch_size = { choices = [16, 64, 256] }\n", "f1_positive", []),
    "dqn": (
        "rl-cartpole",
        None,
        ["optimizer.learning_rate=0.000001", "agent.n_step=1", "agent.target_update_interval=4096"],
        """
optimizer.learning_rate = { min = 1e-6, max = 0.1, log = true }
agent.n_step = { min = 1, max = 20 }
agent.gamma = { min = 0.9, max = 0.999 }
agent.target_update_interval = { choices = [32, 128, 512, 4096] }
""",
        None,
        ["--seeds", 2],
    ),
}


def run(*args, env=None):
    args = [str(arg) for arg in args]
    done = subprocess.run(args, capture_output=True, text=True, env={**os.environ, **(env or {})})
    if done.returncode:
        sys.exit(f"{' '.join(args)}\n{done.stderr}")
    return done


def sets(values):
    return [part for value in values for part in ("--set", value)]


def data_flags(data):
    return ["--data", DATA / data] if data else []


def score(run_dir, metric):
    summary = json.loads((run_dir / "summary.json").read_text())
    if metric:
        return summary["test"][metric]
    solved = summary["solved"]
    return solved["steps"] if solved else summary["steps"] * 2


def shown(values):
    return f"{statistics.mean(values):.4f} ± {statistics.stdev(values):.4f}"


def results(sweep):
    files = sorted((sweep / "trials").glob("*/result.json"))
    return {file.parent.name: json.loads(file.read_text()) for file in files}


def seeds(program, recipe, data, out, metric):
    scores = []
    for seed in SEEDS:
        run_dir = out / str(seed)
        flags = ["--recipe", recipe, "--seed", seed, "--out", run_dir, "--quiet", "--no-report"]
        if program != "rl-cartpole":
            flags.append("--no-baseline")
        run(TARGET / program, "train", *flags, *data)
        scores.append(score(run_dir, metric))
    return scores


def poor(names):
    for name in names or RECIPES:
        program, data, start, space, metric, trainings = RECIPES[name]
        data = data_flags(data)
        out = OUT / name
        out.mkdir(parents=True)
        (out / "space.toml").write_text(space)
        built_in = seeds(program, name, data, out / "built-in", metric)
        poor_args = ["--recipe", name, "--out", out / "start", "--quiet", "--no-report", *sets(start), *data]
        if program != "rl-cartpole":
            poor_args.append("--no-baseline")
        run(TARGET / program, "train", *poor_args)
        began = time.time()
        sweep = out / "sweep"
        flags = ["--recipe", name, "--trials", 30, *trainings, "--space", out / "space.toml", "--out", sweep]
        run(TARGET / program, "sweep", *flags, "--no-baseline", "--quiet", *sets(start), *data)
        took = time.time() - began
        best = seeds(program, sweep / "best" / "recipe.toml", [], out / "best", metric)
        found = results(sweep).values()
        ends = {end: sum(one["outcome"] == end for one in found) for end in ("complete", "pruned", "failed")}
        print(
            f"{name}: {metric or 'steps to solve'} of the built-in recipe {shown(built_in)}, "
            f"of the poor start {score(out / 'start', metric):.4f}, of the best of 30 trials {shown(best)} "
            f"(5 seeds each); {ends}, {took:.0f} s",
            flush=True,
        )


# Cheap trainings: program, data, keys that make them short, search space.
CHEAP = {
    "german-credit": ("tabular", "german-credit", ["train.epochs=10", "model.n_members=4"], TABLE),
    "mlp-digits": (
        "vision",
        None,
        ["train.epochs=5"],
        """
optimizer.learning_rate = { min = 1e-5, max = 10.0, log = true }
optimizer.weight_decay = { min = 1e-6, max = 1.0, log = true }
model.dropout = { min = 0.0, max = 0.9 }
train.batch_size = { choices = [16, 64, 256] }
""",
    ),
}


def samplers(names):
    OUT.mkdir(parents=True, exist_ok=True)
    for name in names or CHEAP:
        program, data, short, space = CHEAP[name]
        (OUT / f"{name}.toml").write_text(space)
        ranks = {"tpe": [], "random": []}
        scores = {"tpe": [], "random": []}
        for repetition in range(10):
            for sampler in ranks:
                sweep = OUT / f"{name}-{sampler}-{repetition}"
                flags = ["--recipe", name, "--seed", 1000 + repetition, "--trials", 30, "--pruner", "none"]
                flags += ["--sampler", sampler, "--space", OUT / f"{name}.toml", "--out", sweep]
                flags += ["--quiet", "--no-baseline", *sets(short), *data_flags(data)]
                run(TARGET / program, "sweep", *flags)
                done = [one["score"] for one in results(sweep).values() if one["outcome"] == "complete"]
                scores[sampler].append(max(done))
            for sampler, other in (("tpe", "random"), ("random", "tpe")):
                own, rival = scores[sampler][-1], scores[other][-1]
                ranks[sampler].append(1.0 if own > rival else 2.0 if own < rival else 1.5)
        for sampler in ranks:
            print(
                f"{name}, {sampler}: mean rank {statistics.mean(ranks[sampler]):.2f} ± "
                f"{statistics.stdev(ranks[sampler]):.2f}, best score {shown(scores[sampler])}",
                flush=True,
            )


def per_minute(sweep):
    began = min(file.stat().st_mtime for file in (sweep / "trials").glob("*/trial.toml"))
    ended = max(file.stat().st_mtime for file in (sweep / "trials").glob("*/result.json"))
    return 60 * len(results(sweep)) / (ended - began)


def workers():
    # Trials of the same length, so that none is left alone at the end.
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "equal.toml").write_text("optimizer.learning_rate = { min = 1e-4, max = 1e-2, log = true }\n")
    equal = sets(["train.epochs=20", "train.patience=0", "model.n_members=8"])
    ratios = []
    for round_ in range(3):
        rates = {}
        for count in (1, 2):
            sweep = OUT / f"workers-{count}-{round_}"
            flags = ["--recipe", "churn", "--seed", 7, "--trials", 16, "--pruner", "none", "--sampler", "random"]
            flags += ["--workers", count, "--out", sweep, "--quiet", "--no-baseline", "--space", OUT / "equal.toml"]
            # One core for one worker: more than one thread of it computes at times.
            cores = ["taskset", "-c", "0" if count == 1 else "0,1"]
            env = {"RAYON_NUM_THREADS": "1"}
            run(*cores, TARGET / "tabular", "sweep", *flags, *equal, *data_flags("telco-churn"), env=env)
            rates[count] = per_minute(sweep)
        ratios.append(rates[2] / rates[1])
        print(f"trials per minute {rates[1]:.1f} and {rates[2]:.1f}: {ratios[-1]:.2f} times", flush=True)
    print(f"median {statistics.median(ratios):.2f}")


def kill():
    common = ["--recipe", "churn", "--seed", 7, "--trials", 24, "--sampler", "random", "--pruner", "none"]
    common += ["--quiet", "--no-baseline", *data_flags("telco-churn")]
    whole, killed = OUT / "whole", OUT / "killed"
    run(TARGET / "tabular", "sweep", *common, "--out", whole)
    dice = random.Random(1)
    args = [TARGET / "tabular", "sweep", *common, "--workers", "2", "--out", killed]
    known, kills = {}, 0
    while True:
        process = subprocess.Popen([str(arg) for arg in args], start_new_session=True, stderr=subprocess.DEVNULL)
        if kills < 20:
            try:
                process.wait(dice.uniform(1.0, 3.0))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                kills += 1
        process.wait()
        found = results(killed)
        lost = [name for name, result in known.items() if found.get(name) != result]
        if lost:
            sys.exit(f"lost after {kills} kills: {lost}")
        known = found
        if kills == 20 and process.returncode == 0:
            break
        if (killed / "sweep.toml").is_file():
            args = [TARGET / "tabular", "sweep", "--join", killed, "--workers", "2", "--quiet"]
    scores = lambda sweep: {name: result["score"] for name, result in results(sweep).items()}
    lines = len((killed / "journal.jsonl").read_text().splitlines())
    same = scores(whole) == scores(killed)
    weights = [(sweep / "best/model/weights.safetensors").read_bytes() for sweep in (whole, killed)]
    print(f"{kills} kills, {len(known)} trials, {lines} lines in the journal; scores equal: {same}, "
          f"weights of the best equal: {weights[0] == weights[1]}")


{"poor": lambda: poor(sys.argv[5:]), "samplers": lambda: samplers(sys.argv[5:]), "workers": workers, "kill": kill}[COMMAND]()
