"""Converts published YOLOX weights to a folder that `vision --weights` reads.

    python yolox_to_safetensors.py yolox_nano.onnx OUT
    python yolox_to_safetensors.py yolox_nano.pth OUT

OUT gets model.safetensors, with the names of the tensors in the release of YOLOX, and config.json. Needs numpy and
safetensors, and onnx for an ONNX file or torch for a checkpoint. An ONNX file has its batch normalizations folded into
its convolutions: they become the shift of a normalization that does nothing else.
"""

import json
import pathlib
import sys

import numpy as np
from safetensors.numpy import save_file

EPSILON = 1e-3

# Depth, width and whether the convolutions are depthwise.
SIZES = {
    "yolox_nano": (1, 16, True),
    "yolox_tiny": (1, 24, False),
    "yolox_s": (1, 32, False),
    "yolox_m": (2, 48, False),
    "yolox_l": (3, 64, False),
    "yolox_x": (4, 80, False),
}

COCO = (
    "person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,stop sign,parking meter,"
    "bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,handbag,tie,suitcase,frisbee,"
    "skis,snowboard,sports ball,kite,baseball bat,baseball glove,skateboard,surfboard,tennis racket,bottle,wine glass,"
    "cup,fork,knife,spoon,bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,"
    "potted plant,bed,dining table,toilet,tv,laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink,"
    "refrigerator,book,clock,vase,scissors,teddy bear,hair drier,toothbrush"
).split(",")


def conv3x3(name, depthwise):
    return [f"{name}.dconv", f"{name}.pconv"] if depthwise else [name]


def csp(name, blocks, depthwise):
    """The convolutions of a CSP layer in the order in which ONNX computes them."""
    names = [f"{name}.conv1", f"{name}.conv2"]
    for block in range(blocks):
        names += [f"{name}.m.{block}.conv1", *conv3x3(f"{name}.m.{block}.conv2", depthwise)]
    return names


def convolutions(depth, depthwise):
    """The normalized convolutions in the order of the graph."""
    names = ["backbone.backbone.stem.conv"]
    for stage, blocks in zip((2, 3, 4, 5), (depth, 3 * depth, 3 * depth, depth)):
        name = f"backbone.backbone.dark{stage}"
        names += conv3x3(f"{name}.0", depthwise)
        if stage == 5:
            names += [f"{name}.1.conv1", f"{name}.1.conv2"]
        layer = f"{name}.{2 if stage == 5 else 1}"
        names += csp(layer, blocks, depthwise) + [f"{layer}.conv3"]
    for first, layer in (("lateral_conv0", "C3_p4"), ("reduce_conv1", "C3_p3"), ("bu_conv2", "C3_n3"), ("bu_conv1", "C3_n4")):
        first = f"backbone.{first}"
        names += conv3x3(first, depthwise) if "bu_" in first else [first]
        names += csp(f"backbone.{layer}", depth, depthwise) + [f"backbone.{layer}.conv3"]
    for level in range(3):
        names.append(f"head.stems.{level}")
        for branch in ("cls_convs", "reg_convs"):
            for conv in range(2):
                names += conv3x3(f"head.{branch}.{level}.{conv}", depthwise)
    return names


def from_onnx(path, depth, depthwise):
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(path).graph
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    names = iter(convolutions(depth, depthwise))
    tensors = {}
    for node in graph.node:
        if node.op_type != "Conv":
            continue
        weight, bias = (values[name] for name in node.input[1:3])
        if node.input[1].startswith("head.") and "_preds." in node.input[1]:
            name = node.input[1].removesuffix(".weight")
            tensors |= {f"{name}.weight": weight, f"{name}.bias": bias}
            continue
        name = next(names)
        ones = np.ones_like(bias)
        tensors |= {
            f"{name}.conv.weight": weight,
            f"{name}.bn.weight": ones,
            f"{name}.bn.bias": bias,
            f"{name}.bn.running_mean": 0 * ones,
            f"{name}.bn.running_var": (1 - EPSILON) * ones,
        }
    if next(names, None) is not None:
        raise SystemExit("the graph has fewer convolutions than this network: is the size right?")
    return tensors


def from_checkpoint(path):
    import torch

    state = torch.load(path, map_location="cpu", weights_only=True)
    state = state.get("model", state)
    return {name: value.float().numpy() for name, value in state.items() if "num_batches_tracked" not in name}


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    source, out = map(pathlib.Path, sys.argv[1:])
    if source.stem not in SIZES:
        raise SystemExit(f"the name of the file must be that of a size: {', '.join(SIZES)}")
    depth, _, depthwise = SIZES[source.stem]
    tensors = from_onnx(source, depth, depthwise) if source.suffix == ".onnx" else from_checkpoint(source)
    classes = tensors["head.cls_preds.0.bias"].shape[0]
    config = {
        "architecture": source.stem,
        "num_classes": classes,
        "input_size": [3, 416, 416] if source.stem in ("yolox_nano", "yolox_tiny") else [3, 640, 640],
    }
    if classes == len(COCO):
        config["label_names"] = COCO
    out.mkdir(parents=True, exist_ok=True)
    save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, out / "model.safetensors")
    (out / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    print(f"{out}: {source.stem}, {len(tensors)} tensors, {classes} classes")


main()
