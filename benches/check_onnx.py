"""Compares exported models with the predictions of this project, to 1e-5: ONNX files in ONNX Runtime, and weights
in PyTorch by the code that is exported with them.

    cargo run -p tinderbox-export --features text --example cases -- DIR
    python3 benches/check_onnx.py DIR

It needs numpy, onnx, onnxruntime, safetensors and torch.
"""

import importlib.util
import json
import pathlib
import sys

import numpy
import onnx
import onnxruntime
import torch

TOLERANCE = 1e-5


def array(value):
    kind = object if value["kind"] == "str" else value["kind"]
    # A missing number is null.
    data = [float("nan") if cell is None else cell for cell in value["data"]]
    return numpy.array(data, dtype=kind).reshape(value["shape"])


def difference(case, outputs):
    """The largest difference of any output, relative where the output is above 1."""
    worst = 0.0
    for (name, expected), found in zip(case["outputs"].items(), outputs, strict=True):
        expected, found = numpy.array(expected), numpy.asarray(found, dtype="float64").ravel()
        assert found.shape == expected.shape, (name, found.shape, expected.shape)
        assert numpy.ptp(expected) > 1e-3, f"{name} says nothing: all numbers are equal"
        error = numpy.abs(found - expected) / numpy.maximum(1.0, numpy.abs(expected))
        worst = max(worst, float(error.max()))
    return worst


def in_onnx_runtime(file, case):
    onnx.checker.check_model(onnx.load(file), full_check=True)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    inputs = {name: array(value) for name, value in case["inputs"].items()}
    return session.run(list(case["outputs"]), inputs)


def prediction(scores, config):
    """From the scores of networks to predictions, as the graphs do it."""
    temperature = config.get("temperature", 1.0)
    if config["kind"] == "agent":
        return scores
    if config["kind"] == "object-detector":
        return scores[0]
    if config["kind"] == "table-model" and config["target"]["kind"] == "number":
        target = config["target"]
        number = sum(s if s.ndim == 2 else s.mean(1) for s in scores) / len(scores)
        number = number.double() * target["deviation"] + target["mean"]
        return [number.exp() if target["log"] else number]
    if config.get("task") == "multi-label":
        mean = sum(s.sigmoid() for s in scores) / len(scores)
        return [(mean.logit() / temperature).sigmoid()]
    axis = 1 if config["kind"] == "image-segmenter" else -1
    members = [s.softmax(axis) for s in scores]
    if config["kind"] == "table-model":
        members = [p if p.ndim == 2 else p.mean(1) for p in members]
    mean = sum(members) / len(members)
    if temperature == 1.0:
        return [mean]
    return [(mean.log() / temperature).softmax(axis)]


def shifted(images, by, normalize):
    black = -torch.tensor(normalize["mean"]) / torch.tensor(normalize["std"])
    black = black[:, None, None]
    padded = torch.nn.functional.pad(images - black, [by] * 4) + black
    height, width = images.shape[2:]
    corners = [(top, left) for top in (0, 2 * by) for left in (0, 2 * by)]
    return [padded[:, :, top : top + height, left : left + width] for top, left in corners]


def in_torch(file, case):
    spec = importlib.util.spec_from_file_location(file.stem.replace("-", "_"), file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    networks, config = module.load()
    inputs = {name: torch.from_numpy(array(value)) for name, value in case["networks"].items()}
    if config.get("test_time_augmentation"):
        return None
    if len(inputs) == 1:
        images = [*inputs.values()]
        if shift := config.get("average_shift"):
            images += shifted(images[0], shift, config["normalize"])
        if config.get("average_flip"):
            images += [image.flip(3) for image in images]
        scores = [network(x) for network in networks for x in images]
    else:
        scores = [network(**inputs) for network in networks]
    outputs = prediction(scores, config)
    # The networks can be trained further.
    sum(output.sum() for output in outputs).backward()
    return [output.detach() for output in outputs]


def main(folder):
    files = sorted(pathlib.Path(folder).glob("*.json"))
    assert files, f"{folder} has no cases"
    failed = []
    for file in files:
        case = json.loads(file.read_text())
        found = {"ONNX Runtime": in_onnx_runtime(file.with_suffix(".onnx"), case)}
        if "networks" in case:
            found["PyTorch"] = in_torch(file.with_suffix(".py"), case)
        line = f"{file.stem:28}"
        for name, outputs in found.items():
            if outputs is None:
                continue
            worst = difference(case, outputs)
            line += f" {name} {worst:.1e}"
            if not worst <= TOLERANCE:
                failed.append(f"{file.stem} in {name}")
        print(line)
    sys.exit(f"differ by more than {TOLERANCE}: {', '.join(failed)}" if failed else 0)


main(sys.argv[1])
