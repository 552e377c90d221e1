"""Reference values of the networks for tables, from PyTorch in float64.

    pip install torch==2.9.0 numpy safetensors && python tabular.py

Writes tabular.json and one .safetensors file of weights per model, beside itself; and, since it
takes its pieces from there, what references.py writes, unchanged."""
import json

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from references import HERE, linear, linear_weights, noise, rounded, value

torch.manual_seed(1)

# Edges of the bins of two numeric columns.
EDGES = [[-1.0, -0.25, 0.5, 1.5], [-0.5, 0.75]]
N_BINS = 3
CARDINALITIES = [3, 2]
CLASSES = 3

layers = []


def layer(name, function, *inputs, labels=()):
    inputs = [tensor.clone().requires_grad_() for tensor in inputs]
    output = function(*inputs)
    upstream = noise(*output.shape)
    (output * upstream).sum().backward()
    layers.append({
        "name": name,
        "inputs": [value(tensor) for tensor in inputs],
        "labels": list(labels),
        "upstream": value(upstream),
        "output": value(output),
        "gradients": [value(tensor.grad) for tensor in inputs],
    })


def encode(x):
    """Piecewise-linear encoding, by its definition: [batch, columns, bins], a column's last bin last."""
    columns = []
    for column, edges in zip(x.unbind(1), EDGES):
        bins = []
        for t, (left, right) in enumerate(zip(edges, edges[1:])):
            share = (column - left) / (right - left)
            if t > 0:
                share = torch.where(column < left, torch.zeros_like(share), share)
            if t < len(edges) - 2:
                share = torch.where(column >= right, torch.ones_like(share), share)
            bins.append(share)
        unused = [torch.zeros_like(column)] * (N_BINS - len(bins))
        columns.append(torch.stack(bins[:-1] + unused + bins[-1:], 1))
    return torch.stack(columns, 1)


codes = torch.tensor([2, 0, 1, 2, 2])
layer("embedding", lambda table: table[codes], noise(4, 3), labels=codes.tolist())


# What the columns become. A function of the weights `w`, whose names are those that Tinderbox saves.

def per_column(w, name, x):
    return x.unsqueeze(2) * w[f"{name}.weight"] + w[f"{name}.bias"]


def per_column_weights(name, d):
    return {f"{name}.weight": noise(2, d), f"{name}.bias": noise(2, d, scale=0.1)}


def bins_weights(name):
    left, slope = torch.zeros(2, N_BINS), torch.zeros(2, N_BINS)
    for column, edges in enumerate(EDGES):
        last = len(edges) - 2
        for t, (start, end) in enumerate(zip(edges, edges[1:])):
            place = N_BINS - 1 if t == last else t
            left[column, place], slope[column, place] = start, 1 / (end - start)
    return {f"{name}.left": left, f"{name}.slope": slope}


def piecewise(w, name, x):
    encoded = torch.einsum("bnt,ntd->bnd", encode(x), w[f"{name}.weight"])
    return F.relu(encoded) + per_column(w, f"{name}.linear", x)


def piecewise_weights(name, d):
    return per_column_weights(f"{name}.linear", d) | bins_weights(f"{name}.bins") | {f"{name}.weight": noise(2, N_BINS, d, scale=0.5)}


def periodic(w, name, x):
    angle = 2 * torch.pi * x.unsqueeze(2) * w[f"{name}.frequency"]
    waves = torch.cat([angle.cos(), angle.sin()], 2)
    weight, bias = w[f"{name}.weight"], w[f"{name}.bias"]
    return F.relu(torch.einsum("bnk,nkd->bnd", waves, weight.expand(2, -1, -1)) + bias)


def periodic_weights(name, k, d, layers):
    return {f"{name}.frequency": noise(2, k, scale=0.3), f"{name}.weight": noise(layers, 2 * k, d, scale=0.4), f"{name}.bias": noise(layers, d, scale=0.1)}


def places(codes):
    return codes + torch.tensor([0, CARDINALITIES[0]])


def one_hot(codes):
    return F.one_hot(places(codes), sum(CARDINALITIES)).sum(1).double()


def table(w, name, codes):
    return w[f"{name}.weight"][places(codes)]


def table_weights(name, d):
    return {f"{name}.weight": noise(sum(CARDINALITIES), d)}


# The networks.

def perceptron(w, name, x, depth):
    for i in range(depth):
        x = F.relu(linear(w, f"{name}.hidden.{i}.linear", x))
    return linear(w, f"{name}.output", x)


def perceptron_weights(name, widths):
    weights = {}
    for i, (d_in, d_out) in enumerate(zip(widths[:-2], widths[1:-1])):
        weights |= linear_weights(f"{name}.hidden.{i}.linear", d_in, d_out)
    return weights | linear_weights(f"{name}.output", widths[-2], widths[-1])


def mlp(w, x, codes):
    numeric = periodic(w, "features.numeric.Periodic", x)
    categorical = table(w, "features.categorical.Learned", codes)
    return perceptron(w, "mlp", torch.cat([numeric.flatten(1), categorical.flatten(1)], 1), 1)


def mlp_weights():
    return (periodic_weights("features.numeric.Periodic", 3, 4, 2) | table_weights("features.categorical.Learned", 3)
            | perceptron_weights("mlp", [2 * 4 + 2 * 3, 8, CLASSES]))


def batch_norm(w, name, x):
    return F.batch_norm(x, None, None, w[f"{name}.weight"], w[f"{name}.bias"], training=True)


def norm_weights(name, d, running=True):
    weights = {f"{name}.weight": 1 + noise(d, scale=0.1), f"{name}.bias": noise(d, scale=0.1)}
    return weights | ({f"{name}.running_mean": torch.zeros(d), f"{name}.running_var": torch.ones(d)} if running else {})


def without_bias(name, d_in, d_out):
    return {f"{name}.weight": noise(d_out, d_in, scale=d_in ** -0.5)}


def resnet(w, x, codes):
    numeric = F.relu(per_column(w, "features.numeric.LinearRelu", x))
    x = F.linear(torch.cat([numeric.flatten(1), one_hot(codes)], 1), w["input.weight"])
    for i in range(2):
        inner = F.relu(linear(w, f"blocks.{i}.hidden", batch_norm(w, f"blocks.{i}.norm", x)))
        x = x + F.linear(inner, w[f"blocks.{i}.output.weight"])
    return linear(w, "output", F.relu(batch_norm(w, "norm", x)))


def resnet_weights():
    weights = per_column_weights("features.numeric.LinearRelu", 4) | without_bias("input", 2 * 4 + 5, 6)
    for i in range(2):
        weights |= norm_weights(f"blocks.{i}.norm", 6) | linear_weights(f"blocks.{i}.hidden", 6, 8) | without_bias(f"blocks.{i}.output", 8, 6)
    return weights | norm_weights("norm", 6) | linear_weights("output", 6, CLASSES)


def layer_norm(w, name, x):
    return F.layer_norm(x, x.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"])


def heads(x):
    return x.unflatten(2, (2, 4)).transpose(1, 2)


def transformer(w, x, codes):
    cls = w["cls"].expand(len(x), 1, -1)
    x = torch.cat([cls, piecewise(w, "numeric.PiecewiseLinear", x), table(w, "categorical", codes)], 1)
    for i in range(2):
        name = f"blocks.{i}"
        normed = layer_norm(w, f"{name}.attention_norm", x) if i > 0 else x
        q, v = (heads(linear(w, f"{name}.attention.{part}", normed)) for part in ["query", "value"])
        k = heads(F.linear(normed, w[f"{name}.attention.key.weight"]))
        context = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = x + linear(w, f"{name}.attention.output", context)
        normed = layer_norm(w, f"{name}.feed_forward_norm", x)
        inner = linear(w, f"{name}.hidden", normed) * F.relu(linear(w, f"{name}.gate", normed))
        x = x + linear(w, f"{name}.output", inner)
    return linear(w, "output", F.relu(layer_norm(w, "norm", x[:, 0])))


def transformer_weights():
    weights = {"cls": noise(8)} | piecewise_weights("numeric.PiecewiseLinear", 8) | table_weights("categorical", 8)
    for i in range(2):
        name = f"blocks.{i}"
        if i > 0:
            weights |= norm_weights(f"{name}.attention_norm", 8, running=False)
        for part in ["query", "value", "output"]:
            weights |= linear_weights(f"{name}.attention.{part}", 8, 8)
        weights |= without_bias(f"{name}.attention.key", 8, 8) | norm_weights(f"{name}.feed_forward_norm", 8, running=False)
        weights |= linear_weights(f"{name}.hidden", 8, 6) | linear_weights(f"{name}.gate", 8, 6) | linear_weights(f"{name}.output", 6, 8)
    return weights | norm_weights("norm", 8, running=False) | linear_weights("output", 8, CLASSES)


def scores(w, x):
    return torch.einsum("bkd,kdo->bko", x, w["output.weight"]) + w["output.bias"]


def tabm(w, x, codes):
    x = torch.cat([encode(x).flatten(1), table(w, "features.categorical.Learned", codes).flatten(1)], 1).unsqueeze(1)
    for i in range(2):
        name = f"blocks.{i}"
        x = F.linear(x * w[f"{name}.adapters.r"], w[f"{name}.linear.weight"])
        x = F.relu(x * w[f"{name}.adapters.s"] + w[f"{name}.adapters.bias"])
    return scores(w, x)


def heads_weights(k, d):
    return {"output.weight": noise(k, d, CLASSES, scale=d ** -0.5), "output.bias": noise(k, CLASSES, scale=0.1)}


def tabm_weights():
    weights = bins_weights("features.numeric.Encoding") | table_weights("features.categorical.Learned", 2)
    for i, d_in in enumerate([2 * N_BINS + 4, 6]):
        name = f"blocks.{i}"
        weights |= without_bias(f"{name}.linear", d_in, 6) | {f"{name}.adapters.bias": noise(3, 6, scale=0.1)}
        weights |= {f"{name}.adapters.r": 1 + noise(3, d_in, scale=0.5), f"{name}.adapters.s": 1 + noise(3, 6, scale=0.5)}
    return weights | heads_weights(3, 6)


def tabm_mini(w, x, codes):
    numeric = periodic(w, "features.numeric.Periodic", x)
    x = torch.cat([numeric.flatten(1), one_hot(codes)], 1).unsqueeze(1) * w["scale"]
    for i in range(2):
        x = F.relu(linear(w, f"blocks.{i}.linear", x))
    return scores(w, x)


def tabm_mini_weights():
    weights = periodic_weights("features.numeric.Periodic", 3, 4, 1) | {"scale": noise(3, 2 * 4 + 5)}
    return weights | linear_weights("blocks.0.linear", 2 * 4 + 5, 6) | linear_weights("blocks.1.linear", 6, 6) | heads_weights(3, 6)


def autoencoder(w, x, codes):
    row = torch.cat([x, one_hot(codes)], 1)
    return (perceptron(w, "mlp", row, 3) - row).square().mean(1)


def autoencoder_weights():
    return perceptron_weights("mlp", [7, 6, 3, 6, 7])


def loss_of(output, labels):
    """Cross-entropy, of each member if there are several; or the mean of what is an error already."""
    if output.dim() == 1:
        return output.mean()
    if output.dim() == 3:
        labels = labels.repeat_interleave(output.shape[1])
        output = output.flatten(0, 1)
    return F.cross_entropy(output, labels)


def train(model, start, inputs, labels, make):
    """Losses of 20 steps on one batch, each before its update."""
    measured = lambda name: "running" in name or name.endswith((".left", ".slope"))
    weights = {name: tensor.clone().requires_grad_(not measured(name)) for name, tensor in start.items()}
    optimizer = make([tensor for tensor in weights.values() if tensor.requires_grad])
    losses = []
    for _ in range(20):
        loss = loss_of(model(weights, *inputs), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


models = []
for name, model, make in [
    ("tabular-mlp", mlp, mlp_weights),
    ("tabular-resnet", resnet, resnet_weights),
    ("ft-transformer", transformer, transformer_weights),
    ("tabm", tabm, tabm_weights),
    ("tabm-mini", tabm_mini, tabm_mini_weights),
    ("autoencoder", autoencoder, autoencoder_weights),
]:
    weights = {key: rounded(tensor) for key, tensor in make().items()}
    x, labels = noise(8, 2), torch.tensor([0, 1, 2, 2, 1, 0, 1, 2])
    codes = torch.stack([torch.randint(n, (8,)) for n in CARDINALITIES], 1)
    save_file({key: tensor.to(torch.float32).contiguous() for key, tensor in weights.items()}, HERE / f"{name}.safetensors", metadata={"format": "pt"})
    models.append({
        "name": name,
        "numeric": value(x),
        "codes": codes.flatten().tolist(),
        "labels": labels.tolist(),
        # With the statistics of the batch, as while training.
        "output": value(model(weights, x, codes)),
        "sgd": train(model, weights, (x, codes), labels, lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9)),
        "adamw": train(model, weights, (x, codes), labels, lambda p: torch.optim.AdamW(p, lr=0.003, weight_decay=0.0)),
    })

(HERE / "tabular.json").write_text(json.dumps({"layers": layers, "models": models}, separators=(",", ":")) + "\n")
