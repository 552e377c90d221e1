#!/usr/bin/env python3
"""Runs every command of every app over real data sets, and checks `eval` against `predict`.

    cargo build -p vision -p text -p tabular
    python3 benches/check_data.py DATA [--bins target/debug] [--only NAME,NAME]

DATA holds one folder for each data set, in the formats they are published in. For each set that has
a loader: `inspect`, `train` (two epochs), `eval`, `predict` and `explain`. It fails on a panic, on
an exit code above 2, on a command that should succeed and does not, and where the metrics of `eval`
differ from those computed here from the labels and values of `predict`. Python's standard library is
enough. A set that is missing is skipped and named.
"""

import argparse
import csv
import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

QUICK = ["--no-baseline", "--quiet", "--epochs", "2"]


def table(recipe, path, target, **more):
    """A table in one CSV file: trained on four fifths of some thousand of its rows, measured on the others."""
    return {"app": "tabular", "recipe": recipe, "path": path, "target": target, **more}


def whole(app, recipe, path, **more):
    """A data set that is read as it is published; measured on its own test split."""
    return {"app": app, "recipe": recipe, "path": path, **more}


CASES = {
    "churn": table("churn", "telco-churn/Telco-Customer-Churn.csv", "Churn"),
    "house-price": table("house-price", "california-housing/housing.csv", "median_house_value"),
    "home-value": table("home-value", "ames-housing/AmesHousing.csv", "SalePrice"),
    "credit-default": table(
        "credit-default", "credit-default-taiwan/UCI_Credit_Card.csv", "default.payment.next.month"
    ),
    "home-equity": table("home-equity", "hmeq/hmeq.csv", "BAD"),
    "fraud": table("fraud", "creditcard-fraud/creditcard_sample.csv", "Class"),
    "mobile-fraud": table(
        "mobile-fraud", "paysim-head/PS_20174392719_1491204439457_log.csv", "isFraud", rows=20_000
    ),
    "malware": table("malware", "malware-pe/dataset_malwares.csv", "Malware"),
    "malware-clamp": table("file", "malware-pe/ClaMP_Integrated-5184.csv", "class", rows=6_000),
    "forest": table("forest", "covertype-10k/covtype.csv", "Cover_Type"),
    "porphyry": table("porphyry", "porphyry-deposits/deposits.csv", "label"),
    "titanic": table("file", "titanic/train.csv", "Survived"),
    "iris": table("file", "iris/iris.csv", 4, names=5),
    "wine": table("file", "wine/wine.csv", 13, names=14),
    "wdbc": table("file", "breast-cancer-wisconsin/wdbc.data", 1, names=32),
    "optdigits": table("file", "optdigits/optdigits.tra", 64, names=65, extra=["--set", "data.task=classification"]),
    "census": whole("tabular", "census", "adult"),
    "german-credit": whole("tabular", "german-credit", "german-credit/german.data"),
    "money-laundering": whole("tabular", "money-laundering", "amlsim-20k"),
    "prospectivity": whole("tabular", "prospectivity", "li-prospectivity"),
    "mnist": whole("vision", "mnist", "mnist"),
    "fashion-mnist": whole("vision", "fashion-mnist", "fashion-mnist"),
    "cats-dogs": whole("vision", None, "cats-dogs", test="test"),
    "brain-mri": whole("vision", None, "brain-mri"),
    "clothing": whole("vision", None, "clothing-small", test="test"),
    "sms-spam": whole("text", "sms-spam", "sms-spam", text="Free entry, win cash now!"),
    "sst2": whole("text", "sst2", "sst2", text="a gorgeous, witty film"),
    "ag-news": whole("text", "ag-news", "ag-news", text="Stocks fell on Wall Street"),
    "reviews": whole("text", "reviews", "movie-review-polarity", text="a film of no interest"),
    "contracts": whole("text", "contracts", "cuad", text="This agreement is governed by law"),
    "contract-nli": whole("text", "contract-nli", "contract-nli"),
    "language-detection": whole(
        "text", None, "language-detection/Language Detection.csv", text="guten Morgen",
        extra=["--text", "column_1", "--label", "column_2"],
    ),
    "shakespeare": whole("text", "shakespeare", "tinyshakespeare", generate="ROMEO:"),
}


class Checks:
    """Runs commands and remembers what failed."""

    def __init__(self, bins, limit):
        self.bins, self.limit = bins, limit
        self.failures, self.commands = [], 0

    def run(self, name, app, *args, may_fail=False):
        """Standard output of a command, or nothing where it failed."""
        command = [str(self.bins / app), *map(str, args)]
        self.commands += 1
        try:
            ran = subprocess.run(command, capture_output=True, text=True, timeout=self.limit, check=False)
        except subprocess.TimeoutExpired:
            self.fail(name, f"`{' '.join(command)}` took more than {self.limit} s")
            return None
        allowed = (0, 2) if may_fail else (0,)
        if "panicked" in ran.stderr or ran.returncode not in allowed:
            self.fail(name, f"`{' '.join(command)}` ended with {ran.returncode}: {ran.stderr[-400:]}")
            return None
        return ran.stdout if ran.returncode == 0 else None

    def fail(self, name, what):
        self.failures.append(f"{name}: {what}")
        print(f"  FAIL {what}", flush=True)

    def equal(self, name, metric, ours, theirs):
        """Compares a metric of `eval` with the one from `predict`."""
        if ours is None or abs(ours - theirs) > 2e-6 * max(1.0, abs(theirs)):
            self.fail(name, f"eval says {metric} {ours}, predict gives {theirs}")
        else:
            print(f"  {metric} {ours:.6f} = {theirs:.6f} from predict", flush=True)


def rows_of(path, names, limit):
    """Header and rows of a CSV file."""
    with open(path, newline="", encoding="utf-8-sig", errors="replace") as file:
        rows = [row for row in csv.reader(file, skipinitialspace=True) if row]
    # Spread over the file, which may be sorted by class.
    step = max(1, (len(rows) - 1) // limit)
    rows = rows[:1] + rows[1::step]
    return ([f"column_{index + 1}" for index in range(names)], rows) if names else (rows[0], rows[1:])


def write(path, header, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


def check_table(checks, name, case, data, dir):
    """Trains on four fifths and compares `eval` with `predict` on the rest."""
    header, rows = rows_of(data, case.get("names"), case.get("rows", 3_000))
    target = case["target"]
    target = header[target] if isinstance(target, int) else target
    at = header.index(target)
    rows = [row for row in rows if len(row) == len(header) and row[at] != ""]
    held = [row for index, row in enumerate(rows) if index % 5 == 0]
    classes = {row[at] for index, row in enumerate(rows) if index % 5}
    held = [row for row in held if len(classes) > 50 or row[at] in classes]
    write(dir / "train.csv", header, [row for index, row in enumerate(rows) if index % 5])
    write(dir / "held.csv", header, held)
    run = dir / "run"
    checks.run(name, "tabular", "inspect", "--data", data)
    if checks.run(
        name, "tabular", "train", "--recipe", case["recipe"], "--data", dir / "train.csv",
        "--target", target, *QUICK, *case.get("extra", []), "--out", run,
    ) is None:
        return
    evaluated = checks.run(name, "tabular", "eval", "--run", run, "--data", dir / "held.csv", "--json")
    predicted = checks.run(name, "tabular", "predict", "--run", run, "--json", dir / "held.csv")
    checks.run(name, "tabular", "explain", "--run", run, "--data", dir / "held.csv")
    if evaluated is None or predicted is None:
        return
    evaluated = json.loads(evaluated)
    lines = [json.loads(line) for line in predicted.splitlines()]
    if evaluated["samples"] != len(lines) or len(lines) != len(held):
        checks.fail(name, f"eval has {evaluated['samples']} rows, predict {len(lines)}, the file {len(held)}")
        return
    truth = [row[at] for row in held]
    compare(checks, name, evaluated["test"], lines, truth)


def compare(checks, name, metrics, lines, truth):
    """Accuracy, or root mean squared error and R², from the predictions."""
    if "value" in lines[0]:
        pairs = [(line["value"], float(label)) for line, label in zip(lines, truth)]
        mean = sum(label for _, label in pairs) / len(pairs)
        squares = sum((value - label) ** 2 for value, label in pairs)
        spread = sum((label - mean) ** 2 for _, label in pairs)
        checks.equal(name, "rmse", metrics.get("rmse"), math.sqrt(squares / len(pairs)))
        checks.equal(name, "r2", metrics.get("r2"), 1 - squares / spread)
    else:
        right = sum(line["label"].rstrip(".") == label.rstrip(".") for line, label in zip(lines, truth))
        checks.equal(name, "accuracy", metrics.get("accuracy"), right / len(lines))


def check_whole(checks, name, case, data, dir):
    """Trains on a set as it is published, and uses the model."""
    app, run = case["app"], dir / "run"
    checks.run(name, app, "inspect", "--data", data, may_fail=True)
    recipe = ["--recipe", case["recipe"]] if case["recipe"] else []
    if checks.run(name, app, "train", *recipe, "--data", data, *QUICK, *case.get("extra", []), "--out", run) is None:
        return
    evaluated = checks.run(name, app, "eval", "--run", run, "--json")
    summary = json.loads((run / "summary.json").read_text())
    if evaluated:
        evaluated = json.loads(evaluated)["test"]
        for metric in ("accuracy", "rmse", "perplexity"):
            if metric in evaluated and metric in summary["test"]:
                checks.equal(name, metric, evaluated[metric], summary["test"][metric])
    if "test" in case:
        lines = checks.run(name, app, "predict", "--run", run, "--json", data / case["test"])
        if lines and evaluated:
            lines = [json.loads(line) for line in lines.splitlines()]
            truth = [Path(line["input"]).parent.name for line in lines]
            compare(checks, name, evaluated, lines, truth)
    if "text" in case:
        line = checks.run(name, app, "predict", "--run", run, "--json", *text_input(dir, case["text"]))
        if line:
            json.loads(line)
        checks.run(name, app, "explain", "--run", run, case["text"])
    if "generate" in case:
        checks.run(name, app, "generate", "--run", run, "--prompt", case["generate"], "--tokens", "20")


def text_input(dir, text):
    """A file with one text."""
    (dir / "one.txt").write_text(text + "\n", encoding="utf-8")
    return [dir / "one.txt"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with one folder for each data set")
    parser.add_argument("--bins", type=Path, default=Path("target/debug"), help="folder of the binaries")
    parser.add_argument("--only", default="", help="names of cases, separated by commas")
    parser.add_argument("--limit", type=float, default=1_800, help="seconds for one command")
    args = parser.parse_args()
    only = set(filter(None, args.only.split(",")))
    unknown = only - set(CASES)
    if unknown:
        parser.error(f"unknown cases {sorted(unknown)}; known are {sorted(CASES)}")
    checks, missing, done = Checks(args.bins.resolve(), args.limit), [], 0
    for name, case in CASES.items():
        if only and name not in only:
            continue
        data = (args.data / case["path"]).resolve()
        if not data.exists():
            missing.append(name)
            continue
        started = time.monotonic()
        print(name, flush=True)
        with tempfile.TemporaryDirectory() as dir:
            check = check_table if "target" in case else check_whole
            check(checks, name, case, data, Path(dir))
        print(f"  {time.monotonic() - started:.0f} s", flush=True)
        done += 1
    if missing:
        print(f"skipped, as there is no data: {', '.join(missing)}")
    print(f"{done} data sets, {checks.commands} commands, {len(checks.failures)} failures")
    for failure in checks.failures:
        print(f"  {failure}")
    return 1 if checks.failures else 0


if __name__ == "__main__":
    sys.exit(main())
