#!/usr/bin/env python3
"""Compares settings of the recipe `texts` with the linear baseline, on six sets of texts.

    python3 benches/texts.py prepare DATA WORK      write train.csv, dev.csv, valid.csv, test.csv per set
    python3 benches/texts.py sample WORK SMALL      the same with 2,000 texts of dev.csv and 700 of valid.csv
    python3 benches/texts.py compare WORK NAME...   train candidates on dev.csv, measure on valid.csv
    python3 benches/texts.py final WORK             train the default on train.csv, measure on test.csv

`compare` is for choosing and never reads test.csv. dev.csv and valid.csv are parts of train.csv; `text
train` holds its own validation texts out of the file that it learns from. Without NAME, all candidates.
SETS=sst2,headlines restricts the sets, TEXT names the binary, THREADS (1) the threads.
"""

import ast
import csv
import gzip
import json
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

ALL = ["sst2", "sms-spam", "ag-news", "headlines", "contracts", "languages"]
SETS = os.environ.get("SETS", ",".join(ALL)).split(",")
BINARY = os.environ.get("TEXT", "target/debug/text")

# Keys of the recipe.
CANDIDATES = json.loads((Path(__file__).parent / "texts.json").read_text())


def prepare(data, work):
    """Splits every set; what has an official test keeps it."""
    fixed = {"sst2": sst2(data), "ag-news": ag_news(data)}
    fixed["headlines"] = [shorten(part) for part in fixed["ag-news"]]
    for name in SETS:
        if name in fixed:
            dev, valid, test = fixed[name]
            train = dev + valid
        else:
            groups = {"sms-spam": sms, "contracts": contracts, "languages": languages}[name](data)
            train, test = split(groups, 0.2)
            dev, valid = split(train, 0.2)
            train, dev, valid, test = (sum(part, []) for part in (train, dev, valid, test))
        write(work / name, train=train, test=test)
        write(work / name, dev=dev, valid=valid)
        print(name, len(dev), len(valid), len(test))


def sample(work, small):
    """Classes with fewer than ten texts in the sample are left out."""
    for name in SETS:
        parts = {}
        for part, count in (("dev", 2000), ("valid", 700)):
            with open(work / name / f"{part}.csv", newline="", encoding="utf-8") as file:
                rows = list(csv.reader(file))[1:]
            random.Random(5).shuffle(rows)
            parts[part] = rows[:count]
        counts = Counter(label for _, label in parts["dev"])
        parts = {part: [row for row in rows if counts[row[1]] >= 10] for part, rows in parts.items()}
        write(small / name, **parts)


def split(groups, share):
    """Keeps the rows of a group together."""
    groups = list(groups)
    random.Random(1).shuffle(groups)
    cut = round(len(groups) * share)
    return groups[cut:], groups[:cut]


def write(folder, **parts):
    folder.mkdir(parents=True, exist_ok=True)
    known = {label for _, label in next(iter(parts.values()))}
    for part, rows in parts.items():
        rows = [row for row in rows if row[1] in known and row[0].strip()]
        with open(folder / f"{part}.csv", "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("text", "label"), *rows])


def sst2(data):
    def rows(part):
        lines = (data / "sst2" / f"{part}.tsv").read_text(encoding="utf-8").splitlines()
        return [tuple(line.rsplit("\t", 1)) for line in lines]

    return [rows(part) for part in ("train", "dev", "test")]


def ag_news(data):
    rows, seen = [], set()
    for part in "ab":
        with open(data / "ag-news" / f"train_subset_{part}.csv", encoding="utf-8", newline="") as file:
            for text, label in csv.reader(file):
                if label != "label" and text not in seen:
                    seen.add(text)
                    rows.append((text, str(int(float(label)))))
    with open(data / "ag-news" / "test.csv", encoding="utf-8", newline="") as file:
        test = [(f"{title} {text}", str(int(label) - 1)) for label, title, text in csv.reader(file)]
    dev, valid = split(([row] for row in rows), 0.2)
    return sum(dev, []), sum(valid, []), test


def shorten(rows):
    """The first words of a piece of news, of a fifth of them."""
    return [(" ".join(text.split()[:8]), label) for text, label in rows[::5]]


def sms(data):
    lines = (data / "sms-spam" / "SMSSpamCollection").read_text(encoding="utf-8").split("\n")
    rows = [line.split("\t", 1)[::-1] for line in lines if line.strip()]
    # Copies stay in one part.
    return [[tuple(row)] for row in dict.fromkeys(map(tuple, rows))]


def contracts(data):
    path = data / "cuad" / "master_clauses.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        reader, seen, groups = csv.DictReader(file), set(), []
        kinds = [name for name in reader.fieldnames if f"{name}-Answer" in reader.fieldnames]
        for contract in reader:
            rows = []
            for kind in kinds:
                for text in ast.literal_eval(contract[kind].strip() or "[]"):
                    if (text := text.strip()) and (kind, text) not in seen:
                        seen.add((kind, text))
                        rows.append((text, kind))
            groups.append(rows)
    return groups


def languages(data):
    with open(data / "language-detection" / "Language Detection.csv", encoding="utf-8", newline="") as file:
        rows = [tuple(row) for row in csv.reader(file) if len(row) == 2 and row[1] != "Language"]
    return [[row] for row in dict.fromkeys(rows)]


def sets(keys):
    return [word for key in keys.split() for word in ("--set", key)]


def train(folder, parts, out, more):
    """The summary of a run."""
    done = out / "summary.json"
    if not done.exists():
        command = ["nice", "-n", "10", BINARY, "train", "--recipe", "texts", "--quiet", "--out", out]
        command += ["--data", folder / f"{parts[0]}.csv", "--set", f"data.test={folder}/{parts[1]}.csv"]
        environment = {**os.environ, "RAYON_NUM_THREADS": os.environ.get("THREADS", "1")}
        subprocess.run([*command, *more], check=True, stdout=subprocess.DEVNULL, env=environment)
    return json.loads(done.read_text())


def line(name, scores, seconds):
    keys = ("accuracy", "f1", "loss", "ece")
    print(f"| {name} |", " | ".join(f"{scores[key]:.4f}" for key in keys), f"| {seconds:.0f} s |", flush=True)


def compare(work, names):
    print("| set, candidate | accuracy | macro F1 | loss | ece | time |\n|---|---|---|---|---|---|")
    for name in names or CANDIDATES:
        for one in SETS:
            plain = [] if not (work / one / "linear.json").exists() else ["--no-baseline"]
            out = work / "runs" / f"{one}-{name}"
            summary = train(work / one, ("dev", "valid"), out, plain + sets(CANDIDATES[name]))
            if not plain and summary.get("baselines"):
                (work / one / "linear.json").write_text(json.dumps(summary["baselines"][0]))
                line(f"{one}, TF-IDF", summary["baselines"][0]["test"], summary["baselines"][0]["wall_s"])
            line(f"{one}, {name}", summary["test"], summary["wall_s"])


def final(work):
    print("| set, model | accuracy | macro F1 | loss | ece | time |\n|---|---|---|---|---|---|")
    for one in SETS:
        summary = train(work / one, ("train", "test"), work / "runs" / f"{one}-final", [])
        line(f"{one}, TF-IDF", summary["baselines"][0]["test"], summary["baselines"][0]["wall_s"])
        line(f"{one}, default", summary["test"], summary["wall_s"])


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    verb, *rest = sys.argv[1:]
    paths = [Path(path) for path in rest[:2]]
    if verb == "prepare":
        prepare(*paths)
    elif verb == "sample":
        sample(*paths)
    elif verb == "compare":
        compare(paths[0], rest[1:])
    elif verb == "final":
        final(paths[0])
    else:
        sys.exit(__doc__)
