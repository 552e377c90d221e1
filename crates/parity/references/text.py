"""Reference values of the networks for texts, from PyTorch in float64.

    pip install torch==2.9.0 numpy safetensors && python text.py

Writes text.json and one .safetensors file of weights per model, beside itself; and, since it takes
a few functions from there, what references.py writes, unchanged."""
import json
from collections import namedtuple

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from references import HERE, linear, rounded

generator = np.random.default_rng(2)

VOCABULARY = 12
CLASSES = 3
HEADS = 2
D_MODEL = 8
D_FEED_FORWARD = 12
D_EMBEDDING = 6
D_HIDDEN = 5
D_BYTE = 4
MAX_LEN = 8

# Numbers of texts; what stands behind a text's length is not to be looked at.
Texts = namedtuple("Texts", ["ids", "lengths", "types"])


def noise(*shape, scale=1.0):
    return rounded(torch.from_numpy(generator.standard_normal(shape)) * scale)


def value(tensor):
    """Nine digits tell all numbers of float32 apart."""
    return {"shape": list(tensor.shape), "data": [float(f"{x:.9g}") for x in tensor.detach().flatten().tolist()]}


def numbers(below, *shape):
    return torch.from_numpy(generator.integers(below, size=shape))


def present(lengths, seq):
    return torch.arange(seq) < torch.tensor(lengths).unsqueeze(1)


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


def attention(packed, keep=None, causal=False):
    q, k, v = (part.unflatten(2, (HEADS, -1)).transpose(1, 2) for part in packed.chunk(3, 2))
    mask = None if keep is None else keep[:, None, None, :]
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal).transpose(1, 2).flatten(2)


def rotated(packed, start=0):
    """A number and the one half a head further on are a complex number, which is turned."""
    seq, half = packed.shape[1], packed.shape[2] // (6 * HEADS)
    angle = torch.arange(start, start + seq).unsqueeze(1) * 10_000 ** (-torch.arange(half) / half)
    turn = torch.polar(torch.ones_like(angle), angle).unsqueeze(1)
    q, k, v = packed.chunk(3, 2)
    turned = []
    for part in [q, k]:
        part = part.unflatten(2, (HEADS, 2, half))
        part = torch.complex(part[..., 0, :], part[..., 1, :]) * turn
        turned.append(torch.stack([part.real, part.imag], 3).flatten(2))
    return torch.cat([*turned, v], 2)


def states(cell, x, lengths, weights, depth=1, both=False):
    """States behind each token; zero behind the end of a text. Each layer and direction has four weights."""
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    start = torch.zeros(len(weights) // 4, len(x), weights[1].shape[1])
    begin = (start, start) if cell is torch.lstm else start
    data = cell(packed.data, packed.batch_sizes, begin, weights, True, depth, 0.0, False, both)[0]
    return pad_packed_sequence(PackedSequence(data, *packed[1:]), batch_first=True, total_length=x.shape[1])[0]


def walk(cell, gates, weight, lengths, bias=None, backwards=False):
    """The same from what the gates get of the input. The state stays behind the end of a text."""
    width = gates.shape[2]
    places = torch.arange(gates.shape[1]).expand(len(gates), -1)
    ends = torch.tensor(lengths).unsqueeze(1)
    mirrored = torch.where(places < ends, ends - 1 - places, places)
    pick = lambda x, order: x.gather(1, order.unsqueeze(2).expand_as(x))
    weights = [torch.eye(width), weight.T, torch.zeros(width), torch.zeros(width) if bias is None else bias]
    if backwards:
        return pick(states(cell, pick(gates, mirrored), lengths, weights), mirrored)
    return pick(states(cell, gates, lengths, weights), torch.minimum(places, ends - 1))


def rms_norm(x, weight):
    return F.rms_norm(x, x.shape[-1:], weight, 1e-5)


def gated(x):
    gate, up = x.chunk(2, -1)
    return F.silu(gate) * up


def label_loss(logits, flags):
    return F.binary_cross_entropy_with_logits(logits, flags.view_as(logits).double(), reduction="none").sum(1)


lengths = [5, 2, 3]
layer("self-attention", lambda x: attention(x, present(lengths, 5)), noise(3, 5, 3 * D_MODEL), labels=lengths)
layer("self-attention-causal", lambda x: attention(x, causal=True), noise(2, 5, 3 * D_MODEL))
layer("rotary-places", lambda x: rotated(x, start=3), noise(2, 4, 3 * D_MODEL))
layer("projections", lambda x, q, k, v, *b: torch.cat([x @ q + b[0], x @ k + b[1], x @ v + b[2]], 2),
      noise(2, 3, 5), noise(5, 4), noise(5, 4), noise(5, 4), noise(4), noise(4), noise(4))
layer("linear-gelu", lambda x, w, b: F.gelu(x @ w + b), noise(2, 4, 5), noise(5, 6), noise(6))
layer("layer-norm-of-tokens", lambda x, g, b: F.layer_norm(x, (6,), g, b), noise(2, 3, 6), noise(6), noise(6))
layer("rms-norm", rms_norm, noise(2, 3, 6), noise(6))
layer("gated-silu", gated, noise(2, 3, 10))
for backwards in [False, True]:
    suffix = "-backwards" if backwards else ""
    layer(f"lstm{suffix}", lambda x, w: walk(torch.lstm, x, w, lengths, backwards=backwards), noise(3, 5, 16), noise(4, 16, scale=0.5), labels=lengths)
    layer(f"gru{suffix}", lambda x, w, b: walk(torch.gru, x, w, lengths, b, backwards), noise(3, 5, 12), noise(4, 12, scale=0.5), noise(12), labels=lengths)
flags = torch.tensor([1, 0, 0, 1, 0, 1, 1, 1, 0, 0, 0, 0])
layer("label-loss", lambda x: label_loss(x, flags), noise(3, 4, scale=3.0), labels=flags.tolist())


# Pieces of the networks. A function of the weights `w`, whose names are those that Tinderbox saves.

def linear_weights(name, d_in, d_out, bias=True):
    weights = {f"{name}.weight": noise(d_out, d_in, scale=d_in ** -0.5)}
    return weights | ({f"{name}.bias": noise(d_out, scale=0.1)} if bias else {})


def table(name, count, d):
    return {f"{name}.weight": noise(count, d)}


def layer_norm(w, name, x, epsilon=1e-5):
    return F.layer_norm(x, x.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"], epsilon)


def norm_weights(name, bias=True):
    weights = {f"{name}.weight": 1 + noise(D_MODEL, scale=0.1)}
    return weights | ({f"{name}.bias": noise(D_MODEL, scale=0.1)} if bias else {})


def project(w, name, x):
    return F.linear(x, w[f"{name}.weight"], w.get(f"{name}.bias"))


def attend(w, name, x, rotary, **mask):
    packed = torch.cat([project(w, f"{name}.{part}", x) for part in ["query", "key", "value"]], 2)
    return project(w, f"{name}.output", attention(rotated(packed) if rotary else packed, **mask))


def attend_weights(name, bias=True):
    weights = {}
    for part in ["query", "key", "value", "output"]:
        weights |= linear_weights(f"{name}.{part}", D_MODEL, D_MODEL, bias)
    return weights


def feed_forward(w, name, x):
    return linear(w, f"{name}.down", F.gelu(linear(w, f"{name}.up", x)))


def feed_forward_weights(name):
    return linear_weights(f"{name}.up", D_MODEL, D_FEED_FORWARD) | linear_weights(f"{name}.down", D_FEED_FORWARD, D_MODEL)


def encode(w, x, keep, rotary, depth):
    """Layers with normalization in front of each branch, and one behind the last."""
    for i in range(depth):
        name = f"layers.{i}"
        x = x + attend(w, f"{name}.attention", layer_norm(w, f"{name}.attention_norm", x), rotary, keep=keep)
        x = x + feed_forward(w, f"{name}.feed_forward", layer_norm(w, f"{name}.feed_forward_norm", x))
    return layer_norm(w, "norm", x)


def encode_weights(prefix, depth):
    weights = {}
    for i in range(depth):
        name = f"{prefix}layers.{i}"
        weights |= norm_weights(f"{name}.attention_norm") | attend_weights(f"{name}.attention")
        weights |= norm_weights(f"{name}.feed_forward_norm") | feed_forward_weights(f"{name}.feed_forward")
    return weights | norm_weights(f"{prefix}norm")


def mean(x, lengths):
    return torch.stack([row[:length].mean(0) for row, length in zip(x, lengths)])


def convolve(w, name, x, width, **how):
    """A layer of `[out, width * d]` as the convolution that it is."""
    kernel = w[f"{name}.weight"].unflatten(1, (width, -1)).transpose(1, 2)
    return F.conv1d(x.transpose(1, 2), kernel, w[f"{name}.bias"], **how).transpose(1, 2)


def centred(w, name, x, width):
    """With zeros beyond the ends; more of them behind if the width is even."""
    before = (width - 1) // 2
    return convolve(w, name, F.pad(x, (0, 0, before, width - 1 - before)), width)


# The networks.

def encoder(w, texts):
    seq = texts.ids.shape[1]
    x = w["tokens.weight"][texts.ids] + w["positions.weight"][:seq]
    x = encode(w, x, present(texts.lengths, seq), rotary=False, depth=2)
    return linear(w, "head", mean(x, texts.lengths))


def encoder_weights():
    return (table("tokens", VOCABULARY, D_MODEL) | table("positions", MAX_LEN, D_MODEL) | encode_weights("", 2)
            | linear_weights("head", D_MODEL, CLASSES))


def rotary_encoder(w, texts):
    x = encode(w, w["tokens.weight"][texts.ids], present(texts.lengths, texts.ids.shape[1]), rotary=True, depth=1)
    return linear(w, "head", x[:, 0])


def rotary_encoder_weights():
    return table("tokens", VOCABULARY, D_MODEL) | encode_weights("", 1) | linear_weights("head", D_MODEL, CLASSES)


def byte_encoder(w, texts, window=5, patch=4):
    seq = texts.ids.shape[1]
    keep = present(texts.lengths, seq)
    x = w["bytes.weight"][texts.ids] * keep.unsqueeze(2)
    x = F.gelu(centred(w, "neighbours", x, window)) * keep.unsqueeze(2)
    x = convolve(w, "join", F.pad(x, (0, 0, 0, -seq % patch)), patch, stride=patch)
    patches = [-(-length // patch) for length in texts.lengths]
    x = encode(w, x, present(patches, x.shape[1]), rotary=True, depth=1)
    return linear(w, "head", mean(x, patches))


def byte_encoder_weights():
    return (table("bytes", 256, D_BYTE) | linear_weights("neighbours", 5 * D_BYTE, D_BYTE) | linear_weights("join", 4 * D_BYTE, D_MODEL)
            | encode_weights("", 1) | linear_weights("head", D_MODEL, CLASSES))


def bert(w, texts):
    seq = texts.ids.shape[1]
    x = w["bert.tokens.weight"][texts.ids] + w["bert.positions.weight"][:seq] + w["bert.types.weight"][texts.types]
    x = layer_norm(w, "bert.norm", x, 1e-12)
    for i in range(2):
        name = f"bert.layers.{i}"
        x = x + attend(w, f"{name}.attention", x, rotary=False, keep=present(texts.lengths, seq))
        x = layer_norm(w, f"{name}.attention_norm", x, 1e-12)
        x = layer_norm(w, f"{name}.feed_forward_norm", x + feed_forward(w, f"{name}.feed_forward", x), 1e-12)
    return linear(w, "head", torch.tanh(linear(w, "pooler", x[:, 0])))


def bert_weights():
    return (table("bert.tokens", VOCABULARY, D_MODEL) | table("bert.positions", MAX_LEN, D_MODEL) | table("bert.types", 2, D_MODEL)
            | encode_weights("bert.", 2) | linear_weights("pooler", D_MODEL, D_MODEL) | linear_weights("head", D_MODEL, CLASSES))


def gpt(w, texts):
    x = w["tokens.weight"][texts.ids]
    for i in range(2):
        name = f"layers.{i}"
        x = x + attend(w, f"{name}.attention", rms_norm(x, w[f"{name}.attention_norm.weight"]), rotary=True, causal=True)
        normed = rms_norm(x, w[f"{name}.feed_forward_norm.weight"])
        gate, up = (project(w, f"{name}.feed_forward.{part}", normed) for part in ["gate", "up"])
        x = x + project(w, f"{name}.feed_forward.down", F.silu(gate) * up)
    return rms_norm(x, w["norm.weight"]) @ w["tokens.weight"].T


def gpt_weights():
    # Scores are products with these.
    weights = {"tokens.weight": noise(VOCABULARY, D_MODEL, scale=0.3)}
    for i in range(2):
        name = f"layers.{i}"
        weights |= norm_weights(f"{name}.attention_norm", False) | attend_weights(f"{name}.attention", False) | norm_weights(f"{name}.feed_forward_norm", False)
        for part in ["gate", "up"]:
            weights |= linear_weights(f"{name}.feed_forward.{part}", D_MODEL, D_FEED_FORWARD, False)
        weights |= linear_weights(f"{name}.feed_forward.down", D_FEED_FORWARD, D_MODEL, False)
    return weights | norm_weights("norm", False)


def direction(w, name):
    """The weights of one direction, in the order of PyTorch."""
    hidden = w[f"{name}.hidden.weight"]
    none = torch.zeros(len(hidden))
    return [w[f"{name}.input.weight"], hidden, w[f"{name}.input.bias"], w.get(f"{name}.hidden.bias", none)]


def direction_weights(name, d_in, gates):
    # Long short-term memory has one bias, gated recurrent units have two.
    return linear_weights(f"{name}.input", d_in, gates * D_HIDDEN) | linear_weights(f"{name}.hidden", D_HIDDEN, gates * D_HIDDEN, gates == 3)


def lstm(w, texts):
    weights = direction(w, "layers.0.forward") + direction(w, "layers.0.backward")
    x = states(torch.lstm, w["tokens.weight"][texts.ids], texts.lengths, weights, both=True)
    return linear(w, "head", mean(x, texts.lengths))


def lstm_weights():
    return (table("tokens", VOCABULARY, D_EMBEDDING) | direction_weights("layers.0.forward", D_EMBEDDING, 4)
            | direction_weights("layers.0.backward", D_EMBEDDING, 4) | linear_weights("head", 2 * D_HIDDEN, CLASSES))


def gru(w, texts):
    weights = direction(w, "layers.0.forward") + direction(w, "layers.1.forward")
    x = states(torch.gru, w["tokens.weight"][texts.ids], texts.lengths, weights, depth=2)
    last = torch.tensor(texts.lengths) - 1
    return linear(w, "head", x[torch.arange(len(x)), last])


def gru_weights():
    return (table("tokens", VOCABULARY, D_EMBEDDING) | direction_weights("layers.0.forward", D_EMBEDDING, 3)
            | direction_weights("layers.1.forward", D_HIDDEN, 3) | linear_weights("head", D_HIDDEN, CLASSES))


def cnn(w, texts):
    keep = present(texts.lengths, texts.ids.shape[1]).unsqueeze(2)
    x = w["tokens.weight"][texts.ids] * keep
    features = [(F.relu(centred(w, f"filters.{i}", x, width)) * keep).amax(1) for i, width in enumerate([2, 3])]
    return linear(w, "head", torch.cat(features, 1))


def cnn_weights():
    return (table("tokens", VOCABULARY, D_EMBEDDING) | linear_weights("filters.0", 2 * D_EMBEDDING, 5)
            | linear_weights("filters.1", 3 * D_EMBEDDING, 5) | linear_weights("head", 10, CLASSES))


def bag(w, texts, longest=3):
    means = []
    for ids, length in zip(texts.ids.tolist(), texts.lengths):
        vectors = [w["tokens.weight"][id] for id in ids[:length]]
        for count in range(2, longest + 1):
            for start in range(length - count + 1):
                number = ids[start]
                for id in ids[start + 1:start + count]:
                    number = (number * 1009 + id) % len(w["buckets.weight"])
                vectors.append(w["buckets.weight"][number])
        means.append(torch.stack(vectors).mean(0))
    return linear(w, "head", torch.stack(means))


def bag_weights():
    return table("tokens", VOCABULARY, D_EMBEDDING) | table("buckets", 9, D_EMBEDDING) | linear_weights("head", D_EMBEDDING, CLASSES)


def loss_of(output, truth):
    [[kind, wanted]] = truth.items()
    wanted = torch.tensor(wanted)
    if kind == "labels":
        return label_loss(output, wanted).mean()
    return F.cross_entropy(output.flatten(0, -2), wanted)


def train(model, start, texts, truth, make):
    """Losses of 20 steps on one batch, each before its update."""
    weights = {name: tensor.clone().requires_grad_() for name, tensor in start.items()}
    optimizer = make(list(weights.values()))
    losses = []
    for _ in range(20):
        loss = loss_of(model(weights, texts), truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


classes = {"classes": [0, 1, 2, 2, 1, 0]}
models = []
for name, model, make, truth in [
    ("text-encoder", encoder, encoder_weights, classes),
    ("rotary-encoder", rotary_encoder, rotary_encoder_weights, classes),
    ("byte-encoder", byte_encoder, byte_encoder_weights, classes),
    ("bert", bert, bert_weights, classes),
    ("gpt", gpt, gpt_weights, {"next": numbers(VOCABULARY, 6 * 7).tolist()}),
    ("lstm", lstm, lstm_weights, classes),
    ("gru", gru, gru_weights, classes),
    ("text-cnn", cnn, cnn_weights, {"labels": numbers(2, 6 * CLASSES).tolist()}),
    ("bag", bag, bag_weights, classes),
]:
    weights = {key: rounded(tensor) for key, tensor in make().items()}
    seq = 11 if name == "byte-encoder" else 7
    lengths = [seq] * 6 if name == "gpt" else [seq, 4, 1, 3, seq, 5]
    texts = Texts(numbers(256 if name == "byte-encoder" else VOCABULARY, 6, seq), lengths, numbers(2, 6, seq))
    save_file({key: tensor.to(torch.float32).contiguous() for key, tensor in weights.items()}, HERE / f"{name}.safetensors", metadata={"format": "pt"})
    models.append({
        "name": name,
        "ids": texts.ids.flatten().tolist(),
        "lengths": lengths,
        "types": texts.types.flatten().tolist(),
        "truth": truth,
        "logits": value(model(weights, texts)),
        "sgd": train(model, weights, texts, truth, lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9)),
        "adamw": train(model, weights, texts, truth, lambda p: torch.optim.AdamW(p, lr=0.003, weight_decay=0.0)),
    })

(HERE / "text.json").write_text(json.dumps({"layers": layers, "models": models}, separators=(",", ":")) + "\n")
