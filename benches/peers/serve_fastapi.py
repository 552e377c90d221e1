"""A trained churn model in FastAPI and PyTorch, as a peer of `tabular serve`: a row in, probabilities out.

    pip install fastapi uvicorn torch safetensors
    cargo run -p tabular -- train --recipe churn --data FILE --out churn
    MODEL=churn/model uvicorn --app-dir benches/peers serve_fastapi:app --port 8001 --workers 2 --no-access-log

It reads the same model folder: the recipe's network (TabM-mini with quantiles and one-hot codes). Each process predicts
with one thread, the fastest setting for rows; pydantic checks the row, as FastAPI users have it. `benches/serve.sh`
checks that both give the same answer, and compares them.
"""

import bisect
import json
import math
import os
import pathlib
import statistics
from typing import Optional, Union

import torch
from fastapi import FastAPI
from pydantic import create_model
from safetensors.torch import load_file

folder = pathlib.Path(os.environ["MODEL"])
spec = json.loads((folder / "model.json").read_text())
weights = load_file(folder / "weights.safetensors")
torch.set_num_threads(1)
assert spec["model"]["kind"] == "tabm" and spec["model"]["variant"] == "mini"
labels, threshold = spec["target"]["labels"], spec["threshold"]
words = {column["name"]: column.get("words") for column in spec["schema"]["columns"]}
codings = [(feature["name"], feature["coding"]) for feature in spec["encoder"]]
normal = statistics.NormalDist()


def quantile(quantiles, number):
    """The number of the normal distribution with the same rank; equals are in the middle of their place."""
    last = len(quantiles) - 1
    above, equal = bisect.bisect_right(quantiles, number), bisect.bisect_left(quantiles, number)
    if above > equal:
        steps = (equal + above - 1) / 2
    elif above == 0:
        steps = 0
    elif above > last:
        steps = last
    else:
        low, high = quantiles[above - 1], quantiles[above]
        steps = above - 1 + (number - low) / (high - low)
    return normal.inv_cdf(min(max(steps / last, 1e-7), 1 - 1e-7))


def encode(row):
    """Numbers, and then the positions of ones."""
    numbers, codes = [], []
    for name, coding in codings:
        value = row[name]
        if coding["kind"] == "number":
            value_or_fill = coding["fill"] if value is None else value
            numbers.append(quantile(coding["scale"]["quantiles"], value_or_fill))
            if coding["missing"]:
                codes.append(int(value is None))
        elif coding["kind"] == "categories":
            known = coding["categories"]
            codes.append(0 if value is None else 2 + known.index(value) if value in known else 1)
        else:
            truth = words[name]["truth"] if words[name] else True
            codes.append(0 if value is None else 2 if value == truth else 1)
    return numbers, codes


@torch.inference_mode()
def predict(row):
    numbers, codes = encode(row)
    hot = torch.zeros(1, sum(spec["sizes"]["cardinalities"]))
    start = 0
    for code, count in zip(codes, spec["sizes"]["cardinalities"]):
        hot[0, start + code] = 1
        start += count
    x = torch.cat([torch.tensor([numbers]), hot], 1)
    x = x[:, None] * weights["scale"]
    for block in range(spec["model"]["n_blocks"]):
        name = f"blocks.{block}.linear"
        x = torch.relu(torch.nn.functional.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"]))
    scores = torch.einsum("bmd,mdo->bmo", x, weights["output.weight"]) + weights["output.bias"]
    mean = torch.softmax(scores, 2).mean(1)
    return torch.softmax(mean.log() / spec["temperature"], 1)[0].tolist()


kinds = {"number": Optional[float], "boolean": Optional[Union[bool, str]], "categories": Optional[str]}
Row = create_model("Row", **{name: (kinds[coding["kind"]], ...) for name, coding in codings})
app = FastAPI()


@app.post("/predict")
async def answer(row: Row):
    probabilities = predict(row.model_dump())
    positive = probabilities[1] >= threshold if threshold is not None else probabilities[1] > 0.5
    return {"label": labels[int(positive)], "probabilities": dict(zip(labels, probabilities))}
