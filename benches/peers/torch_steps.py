"""PyTorch on the shapes of our benchmarks: one JSON object per case or operation on stdout.

    pip install torch==2.15.0 numpy && python torch_steps.py --threads 2 --seconds 2 [--compile] [--batch 512] [--bf16]

`train_ms` is one step (forward, cross-entropy, backward, AdamW), `infer_us` one forward pass of a
single item with its result read back; both are the best half's mean after a warm-up. With `--op JSON`,
which can be repeated, `ms` is a forward and a backward pass of one operation."""
import argparse
import json
import math
import resource
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F


def mlp(*widths):
    layers = []
    for d_in, d_out in zip(widths[:-2], widths[1:-1]):
        layers += [nn.Linear(d_in, d_out), nn.ReLU()]
    return nn.Sequential(nn.Flatten(), *layers, nn.Linear(widths[-2], widths[-1]))


def cnn():
    def block(d_in, d_out):
        return [nn.Conv2d(d_in, d_out, 3, padding=1, bias=False), nn.BatchNorm2d(d_out), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*block(1, 32), *block(32, 64), nn.Flatten(), nn.Linear(64 * 49, 128), nn.ReLU(), nn.Linear(128, 10))


class Residual(nn.Module):
    def __init__(self, d_in, d_out, stride):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(d_in, d_out, 3, stride, 1, bias=False), nn.BatchNorm2d(d_out), nn.ReLU(),
            nn.Conv2d(d_out, d_out, 3, 1, 1, bias=False), nn.BatchNorm2d(d_out))
        self.shortcut = nn.Identity()
        if stride != 1 or d_in != d_out:
            self.shortcut = nn.Sequential(nn.Conv2d(d_in, d_out, 1, stride, bias=False), nn.BatchNorm2d(d_out))

    def forward(self, x):
        return F.relu(self.body(x) + self.shortcut(x))


def resnet18():
    layers, d_in = [nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU()], 64
    for width, stride in [(64, 1), (128, 2), (256, 2), (512, 2)]:
        layers += [Residual(d_in, width, stride), Residual(width, width, 1)]
        d_in = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))


def conv_norm(d_in, d_out, kernel, stride=1, groups=1, activation=None):
    layers = [nn.Conv2d(d_in, d_out, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(d_out)]
    return layers + ([activation(inplace=True)] if activation else [])


class InvertedResidual(nn.Module):
    def __init__(self, d_in, d_out, expansion, kernel, stride):
        super().__init__()
        d_inner = d_in * expansion
        widen = conv_norm(d_in, d_inner, 1, activation=nn.ReLU6) if expansion > 1 else []
        self.body = nn.Sequential(
            *widen, *conv_norm(d_inner, d_inner, kernel, stride, groups=d_inner, activation=nn.ReLU6),
            *conv_norm(d_inner, d_out, 1))
        self.skip = stride == 1 and d_in == d_out

    def forward(self, x):
        return x + self.body(x) if self.skip else self.body(x)


def efficientnet_lite0():
    layers, d_in = conv_norm(3, 32, 3, 2, activation=nn.ReLU6), 32
    for width, blocks, expansion, kernel, stride in [
            (16, 1, 1, 3, 1), (24, 2, 6, 3, 2), (40, 2, 6, 5, 2), (80, 3, 6, 3, 2),
            (112, 3, 6, 5, 1), (192, 4, 6, 5, 2), (320, 1, 6, 3, 1)]:
        for index in range(blocks):
            layers.append(InvertedResidual(d_in, width, expansion, kernel, stride if index == 0 else 1))
            d_in = width
    layers += conv_norm(d_in, 1280, 1, activation=nn.ReLU6)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(1280, 1000))


class UNet(nn.Module):
    def __init__(self, d_in, classes, depth, width):
        super().__init__()
        def block(d_in, d_out):
            return nn.Sequential(
                *conv_norm(d_in, d_out, 3, activation=nn.ReLU), *conv_norm(d_out, d_out, 3, activation=nn.ReLU))
        widths = [width << level for level in range(depth + 1)]
        self.encoder = nn.ModuleList([block(a, b) for a, b in zip([d_in] + widths[:-2], widths[:-1])])
        self.bottleneck = block(widths[-2], widths[-1])
        self.up = nn.ModuleList([nn.ConvTranspose2d(2 * w, w, 2, 2) for w in widths[-2::-1]])
        self.decoder = nn.ModuleList([block(2 * w, w) for w in widths[-2::-1]])
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, x):
        skips = []
        for block in self.encoder:
            skips.append(block(x))
            x = F.max_pool2d(skips[-1], 2)
        x = self.bottleneck(x)
        for up, block in zip(self.up, self.decoder):
            x = block(torch.cat([skips.pop(), up(x)], 1))
        return self.head(x)


class Conv3x3(nn.Sequential):
    """A depthwise 3x3 convolution, and one of single pixels."""

    def __init__(self, d_in, d_out, stride=1):
        super().__init__(
            *conv_norm(d_in, d_in, 3, stride, groups=d_in, activation=nn.SiLU),
            *conv_norm(d_in, d_out, 1, activation=nn.SiLU))


class Csp(nn.Module):
    def __init__(self, d_in, d_out, blocks, residual):
        super().__init__()
        inner = d_out // 2
        self.main, self.bypass = pointwise(d_in, inner), pointwise(d_in, inner)
        self.blocks = nn.ModuleList([
            nn.Sequential(*pointwise(inner, inner), *Conv3x3(inner, inner)) for _ in range(blocks)])
        self.join, self.residual = pointwise(2 * inner, d_out), residual

    def forward(self, x):
        main = self.main(x)
        for block in self.blocks:
            main = main + block(main) if self.residual else block(main)
        return self.join(torch.cat([main, self.bypass(x)], 1))


class Pyramid(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.reduce, self.join = pointwise(width, width // 2), pointwise(2 * width, width)

    def forward(self, x):
        x = self.reduce(x)
        return self.join(torch.cat([x] + [F.max_pool2d(x, side, 1, side // 2) for side in (5, 9, 13)], 1))


def pointwise(d_in, d_out):
    return nn.Sequential(*conv_norm(d_in, d_out, 1, activation=nn.SiLU))


def cells(maps):
    """All outputs of every cell, [batch, outputs, cells]."""
    return torch.cat([scores.flatten(2) for scores in maps], 2)


class YoloxNano(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.stem = nn.Sequential(*conv_norm(12, 16, 3, activation=nn.SiLU))
        self.stages = nn.ModuleList([
            nn.Sequential(
                Conv3x3(width, 2 * width, 2), *([Pyramid(256)] if width == 128 else []),
                Csp(2 * width, 2 * width, blocks, width != 128))
            for width, blocks in [(16, 1), (32, 3), (64, 3), (128, 1)]])
        self.lateral = nn.ModuleList([pointwise(256, 128), pointwise(128, 64)])
        self.up = nn.ModuleList([Csp(256, 128, 1, False), Csp(128, 64, 1, False)])
        self.down = nn.ModuleList([Conv3x3(64, 64, 2), Conv3x3(128, 128, 2)])
        self.out = nn.ModuleList([Csp(128, 128, 1, False), Csp(256, 256, 1, False)])
        self.heads = nn.ModuleList([nn.ModuleDict({
            "stem": pointwise(width, 64),
            "classes": nn.Sequential(Conv3x3(64, 64), Conv3x3(64, 64)),
            "boxes": nn.Sequential(Conv3x3(64, 64), Conv3x3(64, 64)),
            "class_scores": nn.Conv2d(64, classes, 1), "objectness": nn.Conv2d(64, 1, 1), "edges": nn.Conv2d(64, 4, 1),
        }) for width in (64, 128, 256)])

    def forward(self, x):
        squares = [x[..., row::2, column::2] for column in (0, 1) for row in (0, 1)]
        x, maps = self.stem(torch.cat(squares, 1)), []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        fine, middle, coarse = maps[1:]
        top = self.lateral[0](coarse)
        middle = self.up[0](torch.cat([F.interpolate(top, scale_factor=2), middle], 1))
        side = self.lateral[1](middle)
        fine = self.up[1](torch.cat([F.interpolate(side, scale_factor=2), fine], 1))
        middle = self.out[0](torch.cat([self.down[0](fine), side], 1))
        coarse = self.out[1](torch.cat([self.down[1](middle), top], 1))
        scores = []
        for head, x in zip(self.heads, (fine, middle, coarse)):
            x = head["stem"](x)
            boxes = head["boxes"](x)
            scores.append(torch.cat(
                [head["class_scores"](head["classes"](x)), head["objectness"](boxes), head["edges"](boxes)], 1))
        return cells(scores)


class FastDetector(nn.Module):
    def __init__(self, classes):
        super().__init__()
        def conv(d_in, d_out, kernel=3, stride=1):
            return nn.Sequential(*conv_norm(d_in, d_out, kernel, stride, activation=nn.ReLU))
        widths, inner = [16, 32, 64, 96, 128], 64
        self.stem = conv(3, 16, 3, 2)
        self.stages = nn.ModuleList([
            nn.Sequential(conv(a, b, 3, 2), *([Residual(b, b, 1)] if a > 16 else []))
            for a, b in zip(widths, widths[1:])])
        self.lateral = nn.ModuleList([conv(width, inner, 1) for width in widths[2:]])
        self.up, self.out = (nn.ModuleList([conv(inner, inner) for _ in range(2)]) for _ in range(2))
        self.down = nn.ModuleList([conv(inner, inner, 3, 2) for _ in range(2)])
        self.heads = nn.ModuleList([nn.Sequential(conv(inner, inner), conv(inner, inner)) for _ in range(3)])
        self.scores = nn.ModuleList([nn.ModuleList([nn.Conv2d(inner, out, 1) for out in (classes, 32)]) for _ in range(3)])

    def forward(self, x):
        x, maps = self.stem(x), []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        fine, middle, coarse = (lateral(x) for lateral, x in zip(self.lateral, maps[1:]))
        middle = self.up[0](middle + F.interpolate(coarse, scale_factor=2))
        fine = self.up[1](fine + F.interpolate(middle, scale_factor=2))
        middle = self.out[0](middle + self.down[0](fine))
        coarse = self.out[1](coarse + self.down[1](middle))
        scores = []
        for head, pair, x in zip(self.heads, self.scores, (fine, middle, coarse)):
            x = head(x)
            scores.append(torch.cat([score(x) for score in pair], 1))
        return cells(scores)


class TextEncoder(nn.Module):
    def __init__(self, vocabulary, classes, seq, width, heads, layers, hidden):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(seq, width)
        layer = nn.TransformerEncoderLayer(
            width, heads, hidden, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width), enable_nested_tensor=False)
        self.head = nn.Linear(width, classes)

    def forward(self, ids):
        x = self.tokens(ids) + self.positions.weight[: ids.shape[1]]
        return self.head(self.layers(x).mean(1))


# The columns of churn: numbers, and the values of each column of words.
NUMERIC, CARDINALITIES = 3, [4, 3, 3, 3, 3, 5, 5, 5, 5, 5, 5, 5, 5, 5, 3, 6, 2]


def offsets():
    return torch.tensor([0] + CARDINALITIES[:-1]).cumsum(0)


class EmbeddingMlp(nn.Module):
    """All columns share one table of vectors, which is faster than a layer for each."""

    def __init__(self, d_embedding, hidden, dropout):
        super().__init__()
        self.register_buffer("offsets", offsets())
        self.words = nn.Embedding(sum(CARDINALITIES), d_embedding)
        width = NUMERIC + d_embedding * len(CARDINALITIES)
        self.layers = nn.Sequential(
            nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, 2))

    def forward(self, numbers, codes):
        return self.layers(torch.cat([numbers, self.words(codes + self.offsets).flatten(1)], 1))


class TabM(nn.Module):
    """TabM-mini: members that share their layers, but for a factor of each input and the last one."""

    def __init__(self, members, width, dropout):
        super().__init__()
        self.register_buffer("offsets", offsets())
        self.total = sum(CARDINALITIES)
        d_input = NUMERIC + self.total
        self.scale = nn.Parameter(torch.randint(0, 2, (members, 1, d_input)) * 2.0 - 1.0)
        self.layers = nn.Sequential(
            nn.Linear(d_input, width), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout))
        self.weight = nn.Parameter(torch.randn(members, width, 2) * width ** -0.5)
        self.bias = nn.Parameter(torch.zeros(members, 1, 2))

    def forward(self, numbers, codes):
        ones = torch.zeros(len(codes), self.total, device=codes.device, dtype=numbers.dtype).scatter_(1, codes + self.offsets, 1.0)
        x = self.layers(torch.cat([numbers, ones], 1)[None] * self.scale)
        return torch.baddbmm(self.bias, x, self.weight).transpose(0, 1)


def image(*shape):
    return lambda batch: (torch.rand(batch, *shape) - 0.5,)


def text(batch):
    return (torch.randint(0, 8192, (batch, 64)),)


def table(batch):
    codes = [torch.randint(0, values, (batch,)) for values in CARDINALITIES]
    return torch.rand(batch, NUMERIC) - 0.5, torch.stack(codes, 1)


CASES = {
    "mlp": (lambda: mlp(784, 512, 512, 10), image(1, 28, 28), 10, 128),
    "cnn": (cnn, image(1, 28, 28), 10, 64),
    "resnet18": (resnet18, image(3, 32, 32), 10, 64),
    "efficientnet-lite0": (efficientnet_lite0, image(3, 224, 224), 1000, 16),
    "unet": (lambda: UNet(1, 2, 4, 32), image(1, 256, 256), 2, 4),
    "fast-detector": (lambda: FastDetector(3), image(3, 416, 416), 3, 8),
    "yolox-nano": (lambda: YoloxNano(80), image(3, 416, 416), 80, 8),
    "q-network": (lambda: mlp(4, 128, 128, 2), image(1, 1, 4), 2, 128),
    "tabular": (lambda: mlp(32, 64, 64, 2), image(1, 1, 32), 2, 32),
    "text-encoder": (lambda: TextEncoder(8192, 4, 64, 128, 4, 4, 512), text, 4, 32),
    "churn": (lambda: TabM(16, 64, 0.1), table, 2, 256),
    "churn-mlp": (lambda: EmbeddingMlp(8, 64, 0.1), table, 2, 256),
}


# Cases in which every pixel or cell has a class.
MANY = ["unet", "fast-detector", "yolox-nano"]


def loss_of(scores, y):
    """Of networks with members, which come second, the mean of the members' losses; of pixels and cells, that of all."""
    if scores.dim() == 3 and y.dim() == 1:
        y = y[:, None].expand(-1, scores.shape[1]).flatten()
        scores = scores.flatten(0, 1)
    return F.cross_entropy(scores, y)


def measure(run, seconds):
    """Mean of the faster half of what fits into the time, at least 3, in seconds."""
    run()
    times, end = [], time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    times.sort()
    half = times[: (len(times) + 1) // 2]
    return sum(half) / len(half)


def operation(spec, device, dtype):
    """A forward and a backward pass of an operation, to its input and its weight."""
    (d_in, d_out), kernel, stride, padding = spec["channels"], spec["kernel"], spec["stride"], spec["padding"]

    def noise(*shape):
        return (torch.rand(*shape) - 0.5).to(device, dtype).requires_grad_()
    kinds = {
        "conv2d": ((d_out, d_in), lambda x, w: F.conv2d(x, w, None, stride, padding)),
        "depthwise-conv2d": ((d_in, 1), lambda x, w: F.conv2d(x, w, None, stride, padding, groups=d_in)),
        "conv-transpose2d": ((d_in, d_out), lambda x, w: F.conv_transpose2d(x, w, None, stride, padding)),
        "upsample-bilinear": (None, lambda x: F.interpolate(x, scale_factor=kernel, mode="bilinear")),
    }
    channels, function = kinds[spec["kind"]]
    leaves = [noise(spec["batch"], d_in, spec["side"], spec["side"])]
    if channels:
        leaves.append(noise(*channels, kernel, kernel))

    def run():
        output = function(*leaves)
        torch.autograd.grad(output, leaves, torch.ones_like(output))
        return output
    return run


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--seconds", type=float, default=2)
    arguments.add_argument("--compile", action="store_true")
    arguments.add_argument("--device", default="cpu")
    arguments.add_argument("--batch", type=int)
    arguments.add_argument("--bf16", action="store_true")
    arguments.add_argument("--case", action="append")
    arguments.add_argument("--op", action="append", type=json.loads)
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    synchronize = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    for index, spec in enumerate(options.op or []):
        run = operation(spec, device, torch.bfloat16 if options.bf16 else torch.float32)
        output = list(run().shape)
        seconds = measure(lambda: (run(), synchronize()), options.seconds)
        print(json.dumps({"op": index, "ms": seconds * 1e3, "output": output}), flush=True)
    for name in options.case or ([] if options.op else CASES):
        make, inputs, classes, batch = CASES[name]
        batch = options.batch or batch
        dtype = torch.bfloat16 if options.bf16 else torch.float32
        model = make().to(device, dtype)
        x = [part.to(device, dtype if part.is_floating_point() else part.dtype) for part in inputs(batch)]
        with torch.no_grad():
            shape = (batch, *model(*x).shape[2:]) if name in MANY else (batch,)
        y = torch.arange(math.prod(shape), device=device).reshape(shape) % classes
        optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
        forward = torch.compile(model) if options.compile else model

        def step():
            optimizer.zero_grad()
            loss_of(forward(*x), y).backward()
            optimizer.step()
            synchronize()

        single = [part[:1].clone() for part in x]

        def infer():
            with torch.no_grad():
                forward(*single).cpu()

        try:
            step()
            train = measure(step, options.seconds)
            model.eval()
            infer()
            inference = measure(infer, options.seconds / 2)
        except Exception as error:  # torch.compile needs a C++ compiler and more
            print(f"{name}: {error}", file=sys.stderr)
            continue
        print(json.dumps({
            "case": name, "train_ms": train * 1e3, "infer_us": inference * 1e6,
            "parameters": sum(part.numel() for part in model.parameters()),
            "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}), flush=True)


if __name__ == "__main__":
    main()
