"""Reference values of every layer, loss and model family, from PyTorch in float64.

    pip install torch==2.9.0 numpy safetensors && python references.py

Writes layers.json, models.json and one .safetensors file of weights per model, beside itself. The
values are small on purpose: they are part of the crate and of every binary."""
import json
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
torch.manual_seed(0)
torch.set_default_dtype(torch.float64)


def rounded(tensor):
    """Values that float32 holds exactly, so that every device begins with the same numbers."""
    return tensor.detach().to(torch.float32).to(torch.float64)


def noise(*shape, scale=1.0):
    return rounded(torch.randn(*shape) * scale)


def value(tensor):
    return {"shape": list(tensor.shape), "data": tensor.detach().flatten().tolist()}


layers = []


def layer(name, function, *inputs, labels=None):
    inputs = [tensor.clone().requires_grad_() for tensor in inputs]
    output = function(*inputs) if labels is None else function(*inputs, labels)
    upstream = noise(*output.shape)
    (output * upstream).sum().backward()
    layers.append({
        "name": name,
        "inputs": [value(tensor) for tensor in inputs],
        "labels": [] if labels is None else labels.tolist(),
        "upstream": value(upstream),
        "output": value(output),
        "gradients": [value(tensor.grad) for tensor in inputs],
    })


layer("matmul", torch.matmul, noise(5, 7), noise(7, 4))
layer("linear", lambda x, w, b: x @ w + b, noise(6, 5), noise(5, 3), noise(3))
layer("conv2d", lambda x, w: F.conv2d(x, w, padding=1), noise(2, 3, 6, 5), noise(4, 3, 3, 3))
layer("conv2d-stride-2", lambda x, w: F.conv2d(x, w, stride=2, padding=1), noise(2, 3, 7, 6), noise(4, 3, 3, 3))
layer("conv2d-1x1", lambda x, w: F.conv2d(x, w, stride=2), noise(2, 4, 5, 6), noise(3, 4, 1, 1))
layer("batch-norm", lambda x, g, b: F.batch_norm(x, None, None, g, b, training=True), noise(4, 3, 3, 4), noise(3), noise(3))
layer("batch-norm-relu", lambda x, g, b: F.relu(F.batch_norm(x, None, None, g, b, training=True)), noise(4, 3, 3, 4), noise(3), noise(3))
layer("layer-norm", lambda x, g, b: F.layer_norm(x, (6,), g, b), noise(4, 6), noise(6), noise(6))
layer("max-pool-2x2", lambda x: F.max_pool2d(x, 2), noise(2, 3, 5, 6))
layer("max-pool-3x3", lambda x: F.max_pool2d(x, 3, stride=2, padding=1), noise(2, 3, 6, 7))
layer("global-average", lambda x: x.mean((2, 3)), noise(2, 3, 4, 5))
layer("relu", F.relu, noise(3, 9))
layer("gelu", F.gelu, noise(3, 9))
layer("silu", F.silu, noise(3, 9))
layer("tanh", torch.tanh, noise(3, 9))
layer("leaky-relu", lambda x: F.leaky_relu(x, 0.01), noise(3, 9))
layer("softmax", lambda x: F.softmax(x, 1), noise(4, 5))
labels = torch.tensor([0, 2, 1, 4])
layer("cross-entropy", lambda x, y: F.cross_entropy(x, y, reduction="none"), noise(4, 5), labels=labels)
layer("cross-entropy-smoothed", lambda x, y: F.cross_entropy(x, y, reduction="none", label_smoothing=0.1), noise(4, 5), labels=labels)
layer("cross-entropy-mixed", lambda x, y: 0.7 * F.cross_entropy(x, y, reduction="none") + 0.3 * F.cross_entropy(x, y.roll(-1), reduction="none"), noise(4, 5), labels=labels)


# Models, as functions of their weights: a name as Tinderbox saves it, and what it begins with.

def conv_norm(w, name, x, stride=1, rectify=True):
    kernel = w[f"{name}.conv.weight"]
    x = F.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2)
    x = F.batch_norm(x, None, None, w[f"{name}.norm.weight"], w[f"{name}.norm.bias"], training=True)
    return F.relu(x) if rectify else x


def conv_norm_weights(name, d_in, d_out, kernel):
    scale = (2 / (d_in * kernel * kernel)) ** 0.5
    return {
        f"{name}.conv.weight": noise(d_out, d_in, kernel, kernel, scale=scale),
        f"{name}.norm.weight": 1 + noise(d_out, scale=0.1),
        f"{name}.norm.bias": noise(d_out, scale=0.1),
        f"{name}.norm.running_mean": torch.zeros(d_out),
        f"{name}.norm.running_var": torch.ones(d_out),
    }


def linear(w, name, x):
    return F.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])


def linear_weights(name, d_in, d_out):
    return {f"{name}.weight": noise(d_out, d_in, scale=d_in ** -0.5), f"{name}.bias": noise(d_out, scale=0.1)}


def mlp(w, x):
    x = x.flatten(1)
    for i in range(2):
        x = linear(w, f"hidden.{i}.linear", x)
        x = F.gelu(F.layer_norm(x, x.shape[1:], w[f"hidden.{i}.norm.Layer.weight"], w[f"hidden.{i}.norm.Layer.bias"]))
    return linear(w, "output", x)


def cnn(w, x):
    for i in range(2):
        x = F.max_pool2d(conv_norm(w, f"blocks.{i}.convs.0", x), 2)
    return linear(w, "output", F.relu(linear(w, "hidden", x.flatten(1))))


def resnet(w, x):
    x = conv_norm(w, "stem", x)
    for i, stride in enumerate([1, 2]):
        name = f"stages.{i}.0"
        shortcut = x if stride == 1 else conv_norm(w, f"{name}.shortcut", x, stride, rectify=False)
        x = conv_norm(w, f"{name}.convs.0", x, stride)
        x = F.relu(conv_norm(w, f"{name}.convs.1", x, rectify=False) + shortcut)
    return linear(w, "output", x.mean((2, 3)))


def mlp_weights():
    weights = {}
    for i, (d_in, d_out) in enumerate([(64, 12), (12, 8)]):
        weights |= linear_weights(f"hidden.{i}.linear", d_in, d_out)
        weights |= {f"hidden.{i}.norm.Layer.weight": 1 + noise(d_out, scale=0.1), f"hidden.{i}.norm.Layer.bias": noise(d_out, scale=0.1)}
    return weights | linear_weights("output", 8, 3)


def cnn_weights():
    return (conv_norm_weights("blocks.0.convs.0", 1, 4, 3) | conv_norm_weights("blocks.1.convs.0", 4, 6, 3)
            | linear_weights("hidden", 24, 10) | linear_weights("output", 10, 3))


def resnet_weights():
    return (conv_norm_weights("stem", 1, 4, 3)
            | conv_norm_weights("stages.0.0.convs.0", 4, 4, 3) | conv_norm_weights("stages.0.0.convs.1", 4, 4, 3)
            | conv_norm_weights("stages.1.0.convs.0", 4, 8, 3) | conv_norm_weights("stages.1.0.convs.1", 8, 8, 3)
            | conv_norm_weights("stages.1.0.shortcut", 4, 8, 1) | linear_weights("output", 8, 3))


def train(model, start, x, y, make):
    """Losses of 20 steps on one batch, each before its update."""
    weights = {name: tensor.clone().requires_grad_("running" not in name) for name, tensor in start.items()}
    optimizer = make([tensor for tensor in weights.values() if tensor.requires_grad])
    losses = []
    for _ in range(20):
        loss = F.cross_entropy(model(weights, x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


models = []
for name, model, make in [("mlp", mlp, mlp_weights), ("cnn", cnn, cnn_weights), ("resnet", resnet, resnet_weights)]:
    weights = {key: rounded(tensor) for key, tensor in make().items()}
    x, y = noise(8, 1, 8, 8), torch.tensor([0, 1, 2, 2, 1, 0, 1, 2])
    save_file({key: tensor.to(torch.float32).contiguous() for key, tensor in weights.items()}, HERE / f"{name}.safetensors", metadata={"format": "pt"})
    models.append({
        "name": name,
        "input": value(x),
        "labels": y.tolist(),
        # With the statistics of the batch, as while training.
        "logits": value(model(weights, x)),
        "sgd": train(model, weights, x, y, lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9)),
        "adamw": train(model, weights, x, y, lambda p: torch.optim.AdamW(p, lr=0.003, weight_decay=0.0)),
    })

(HERE / "layers.json").write_text(json.dumps(layers, separators=(",", ":")) + "\n")
(HERE / "models.json").write_text(json.dumps(models, separators=(",", ":")) + "\n")
