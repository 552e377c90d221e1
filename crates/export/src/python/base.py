"""Loads the weights of a Tinderbox model into PyTorch. It needs torch and safetensors:

    networks, config = load()
    scores = networks[0](INPUTS)

Networks that predict together are averaged after softmax; if config.get("average_flip") is true, so are the images and
images.flip(3); with config.get("average_shift") so are four copies shifted by as many pixels along both axes, filled with
black, and their mirror images. `config` is the `model.json` of the run.
"""

import json
import math
import pathlib

import torch
from safetensors import safe_open
from torch import nn
from torch.nn import functional as F

FILE = pathlib.Path(__file__).with_name("model.safetensors")


def load(file=FILE):
    with safe_open(file, "pt") as opened:
        config = json.loads(opened.metadata()["config"])
        weights = {name: opened.get_tensor(name) for name in opened.keys()}
    members = config.get("members", 1)
    prefixes = [""] if members == 1 else [f"member.{member}." for member in range(members)]
    parts = [{k[len(p) :]: v for k, v in weights.items() if k.startswith(p)} for p in prefixes]
    return [Network(config, part).eval() for part in parts], config


class Layers(nn.Module):
    """The weights under their names, and the layers that read them as in inference."""

    def __init__(self, config, weights):
        super().__init__()
        self.config = config
        self.model = config.get("model", config.get("network"))
        statistics = ("running_mean", "running_var", "left", "slope")
        self.weights = nn.ParameterDict(
            # A parameter's name has no dots.
            {k.replace(".", "/"): nn.Parameter(v, not k.endswith(statistics)) for k, v in weights.items()}
        )

    def w(self, name):
        return self.weights[name.replace(".", "/")] if name in self else None

    def __contains__(self, name):
        return name.replace(".", "/") in self.weights

    def linear(self, x, layer):
        return F.linear(x, self.w(f"{layer}.weight"), self.w(f"{layer}.bias"))

    def layer_norm(self, x, layer, epsilon=1e-5):
        return F.layer_norm(x, x.shape[-1:], self.w(f"{layer}.weight"), self.w(f"{layer}.bias"), epsilon)

    def batch_norm(self, x, layer, epsilon=1e-5):
        parts = [self.w(f"{layer}.{part}") for part in ["running_mean", "running_var", "weight", "bias"]]
        return F.batch_norm(x, *parts, eps=epsilon)

    def conv(self, x, layer, stride=1, groups=1):
        weight = self.w(f"{layer}.weight")
        return F.conv2d(x, weight, self.w(f"{layer}.bias"), stride, weight.shape[-1] // 2, groups=groups)

    def conv_norm(self, x, layer, stride=1, groups=1, epsilon=1e-5):
        return self.batch_norm(self.conv(x, f"{layer}.conv", stride, groups), f"{layer}.norm", epsilon)

    def attention(self, queries, keys, layer, heads, mask=None):
        q, k, v = [
            self.linear(x, f"{layer}.{part}").unflatten(-1, (heads, -1)).transpose(1, 2)
            for x, part in [(queries, "query"), (keys, "key"), (keys, "value")]
        ]
        x = F.scaled_dot_product_attention(*self.positioned(q, k), v, attn_mask=mask)
        return self.linear(x.transpose(1, 2).flatten(2), f"{layer}.output")

    def positioned(self, q, k):
        return q, k

    def activation(self, x, name):
        functions = {"relu": F.relu, "gelu": F.gelu, "silu": F.silu, "tanh": torch.tanh, "leaky-relu": F.leaky_relu}
        return functions[name](x)

    def mlp(self, x, prefix=""):
        for index in range(len(self.model["hidden"])):
            x = self.linear(x, f"{prefix}hidden.{index}.linear")
            if self.model["normalization"] == "batch":
                x = self.batch_norm(x, f"{prefix}hidden.{index}.norm.Batch")
            if self.model["normalization"] == "layer":
                x = self.layer_norm(x, f"{prefix}hidden.{index}.norm.Layer")
            x = self.activation(x, self.model["activation"])
        return self.linear(x, f"{prefix}output")
