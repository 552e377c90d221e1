"""Logits of published image networks with drawn weights, from torchvision and timm in float64.

    pip install torch torchvision==0.29.2 timm==1.0.31 && python backbones.py

Writes backbones.json beside itself. No weight is stored: every tensor is drawn by a formula from its
published name, which the crate repeats. A wrong name is a wrong number."""
import json
import pathlib

import numpy as np
import timm
import torch
import torch.nn.functional as F
import torchvision.models as tv

HERE = pathlib.Path(__file__).parent
CLASSES = 10
# Odd and even on the way down: both ways of padding differ.
SHAPE = (2, 3, 70, 64)


def drawn(name, count):
    """Uniform in [-1, 1): splitmix64 from the FNV-1a hash of a name."""
    state = 0xCBF29CE484222325
    for byte in name.encode():
        state = (state ^ byte) * 0x100000001B3 % 2**64
    with np.errstate(over="ignore"):
        z = np.uint64(state) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(40)).astype(np.float64) / 2**23 - 1


def weight(name, shape):
    values = drawn(name, int(np.prod(shape)))
    if name.endswith("running_var"):
        values = 1 + 0.5 * values
    elif len(shape) == 1 and name.endswith("weight"):
        values = 1 + 0.25 * values
    elif len(shape) == 1:
        values = 0.25 * values
    else:
        values = np.sqrt(6 / np.prod(shape[1:])) * values
    # Values that float32 holds exactly.
    return torch.from_numpy(values.astype(np.float32).astype(np.float64)).reshape(shape)


def image():
    return torch.from_numpy(drawn("image", int(np.prod(SHAPE)))).reshape(SHAPE)


def logits(model):
    state = {name: weight(name, tuple(tensor.shape)) if tensor.is_floating_point() else tensor
             for name, tensor in model.state_dict().items()}
    model.load_state_dict(state)
    with torch.no_grad():
        return model.double().eval()(image()).flatten().tolist()


def conv(x, name, d_output):
    x = F.conv2d(x, weight(f"{name}.conv.weight", (d_output, x.shape[1], 3, 3)), padding=1)
    mean, var, gamma, beta = (weight(f"{name}.norm.{field}", (d_output,)) for field in
                              ("running_mean", "running_var", "weight", "bias"))
    return F.relu(F.batch_norm(x, mean, var, gamma, beta))


def convs(x, name, d_output):
    return conv(conv(x, f"{name}.first", d_output), f"{name}.second", d_output)


def score(x):
    return F.conv2d(x, weight("output.weight", (CLASSES, x.shape[1], 1, 1)), weight("output.bias", (CLASSES,)))


def unet(depth=2, base=4):
    """The network of Ronneberger et al. with batch normalization, by the names of Tinderbox."""
    x, skips = image()[:, :, :64], []
    for level in range(depth):
        x = convs(x, f"encoder.{level}", base << level)
        skips.append(x)
        x = F.max_pool2d(x, 2)
    x = convs(x, "bottleneck", base << depth)
    for index, level in enumerate(reversed(range(depth))):
        name, d_output = f"decoder.{index}", base << level
        up = weight(f"{name}.upsample.weight", (2 * d_output, d_output, 2, 2))
        x = F.conv_transpose2d(x, up, weight(f"{name}.upsample.bias", (d_output,)), stride=2)
        x = convs(torch.cat([skips[level], x], 1), f"{name}.convs", d_output)
    return score(x)[0, :, ::16, ::16].flatten().tolist()


def backbone_unet(name, channels=(12, 10, 8, 6)):
    """A U-Net whose encoder is the stages of a classifier, with the decoder of Tinderbox."""
    net = timm.create_model(name, features_only=True)
    state = {name: weight(name, tuple(tensor.shape)) if tensor.is_floating_point() else tensor
             for name, tensor in net.state_dict().items()}
    net.load_state_dict(state)
    with torch.no_grad():
        maps = net.double().eval()(image()[:, :, :64])
        skips = {64 // x.shape[2]: x for x in maps}
        # The stem of a residual network is no stage.
        if name.startswith("resnet"):
            del skips[2]
        x, stride = skips[32], 32
        for step, d_output in enumerate(channels):
            x, stride = F.interpolate(x, scale_factor=2, mode="nearest"), stride // 2
            if stride in skips:
                x = torch.cat([skips[stride], x], 1)
            x = convs(x, f"decoder.{step}", d_output)
        x = F.interpolate(score(x), scale_factor=stride, mode="bilinear", align_corners=False)
    return x[0, :, ::16, ::16].flatten().tolist()


def yolox_conv(x, name, d_output, kernel=1, stride=1, groups=1):
    x = F.conv2d(x, weight(f"{name}.conv.weight", (d_output, x.shape[1] // groups, kernel, kernel)), stride=stride,
                 padding=kernel // 2, groups=groups)
    gamma, beta, mean, var = (weight(f"{name}.bn.{field}", (d_output,)) for field in
                              ("weight", "bias", "running_mean", "running_var"))
    return F.silu(F.batch_norm(x, mean, var, gamma, beta, eps=1e-3))


def yolox_conv3(x, name, d_output, stride=1, depthwise=True):
    if not depthwise:
        return yolox_conv(x, name, d_output, 3, stride)
    x = yolox_conv(x, f"{name}.dconv", x.shape[1], 3, stride, x.shape[1])
    return yolox_conv(x, f"{name}.pconv", d_output)


def yolox_csp(x, name, d_output, blocks, shortcut, depthwise):
    main, bypass = (yolox_conv(x, f"{name}.{conv}", d_output // 2) for conv in ("conv1", "conv2"))
    for block in range(blocks):
        inner = yolox_conv(main, f"{name}.m.{block}.conv1", d_output // 2)
        inner = yolox_conv3(inner, f"{name}.m.{block}.conv2", d_output // 2, depthwise=depthwise)
        main = inner + main if shortcut else inner
    return yolox_conv(torch.cat([main, bypass], 1), f"{name}.conv3", d_output)


def on_cells(outputs):
    """Every 7th cell of the first image: its numbers one after the other."""
    return torch.cat(outputs, 1)[0, ::7].flatten().tolist()


def yolox(width, depth, depthwise):
    """YOLOX by the names of its release: the raw box, the objectness and the classes of some cells."""
    x = image()[:, :, :64]
    x = torch.cat([x[..., ::2, ::2], x[..., 1::2, ::2], x[..., ::2, 1::2], x[..., 1::2, 1::2]], 1)
    x, maps = yolox_conv(x, "backbone.backbone.stem.conv", width, 3), []
    for at, blocks in enumerate((depth, 3 * depth, 3 * depth, depth)):
        name, channels, last = f"backbone.backbone.dark{at + 2}", width << (at + 1), at == 3
        x = yolox_conv3(x, f"{name}.0", channels, 2, depthwise)
        if last:
            x = yolox_conv(x, f"{name}.1.conv1", channels // 2)
            pools = [F.max_pool2d(x, side, 1, side // 2) for side in (5, 9, 13)]
            x = yolox_conv(torch.cat([x, *pools], 1), f"{name}.1.conv2", channels)
        x = yolox_csp(x, f"{name}.{2 if last else 1}", channels, blocks, not last, depthwise)
        maps.append(x)
    _, fine, middle, coarse = maps
    channels = [value.shape[1] for value in (fine, middle, coarse)]
    up = lambda x: F.interpolate(x, scale_factor=2, mode="nearest")
    neck = lambda x, name, d_output: yolox_csp(x, f"backbone.{name}", d_output, depth, False, depthwise)
    lateral0 = yolox_conv(coarse, "backbone.lateral_conv0", channels[1])
    middle = neck(torch.cat([up(lateral0), middle], 1), "C3_p4", channels[1])
    lateral1 = yolox_conv(middle, "backbone.reduce_conv1", channels[0])
    fine = neck(torch.cat([up(lateral1), fine], 1), "C3_p3", channels[0])
    down = yolox_conv3(fine, "backbone.bu_conv2", channels[0], 2, depthwise)
    middle = neck(torch.cat([down, lateral1], 1), "C3_n3", channels[1])
    down = yolox_conv3(middle, "backbone.bu_conv1", channels[1], 2, depthwise)
    coarse = neck(torch.cat([down, lateral0], 1), "C3_n4", channels[2])
    outputs = []
    for level, x in enumerate((fine, middle, coarse)):
        stem = yolox_conv(x, f"head.stems.{level}", 4 * width)
        branches = []
        for branch in ("reg_convs", "cls_convs"):
            x = stem
            for at in range(2):
                x = yolox_conv3(x, f"head.{branch}.{level}.{at}", 4 * width, depthwise=depthwise)
            branches.append(x)
        regression, classes = branches
        parts = [F.conv2d(x, weight(f"head.{name}.{level}.weight", (count, 4 * width, 1, 1)),
                          weight(f"head.{name}.{level}.bias", (count,)))
                 for x, name, count in ((regression, "reg_preds", 4), (regression, "obj_preds", 1),
                                        (classes, "cls_preds", CLASSES))]
        outputs.append(torch.cat(parts, 1).flatten(2).transpose(1, 2))
    return on_cells(outputs)


def fast_conv(x, name, d_output, kernel=3, stride=1, residual=None):
    x = F.conv2d(x, weight(f"{name}.conv.weight", (d_output, x.shape[1], kernel, kernel)), stride=stride,
                 padding=kernel // 2)
    mean, var, gamma, beta = (weight(f"{name}.norm.{field}", (d_output,)) for field in
                              ("running_mean", "running_var", "weight", "bias"))
    x = F.batch_norm(x, mean, var, gamma, beta)
    return F.relu(x if residual is None else x + residual)


def fast_detector(channels=(4, 6, 8, 10, 12), inner=8, bins=4):
    """The small detector by the names of Tinderbox: distances and classes of some cells, and the boxes."""
    x, maps = fast_conv(image()[:, :, :64], "stem", channels[0], stride=2), []
    for at, d_output in enumerate(channels[1:]):
        x = fast_conv(x, f"stages.{at}.down", d_output, stride=2)
        if at > 0:
            first = fast_conv(x, f"stages.{at}.blocks.0.first", d_output)
            x = fast_conv(first, f"stages.{at}.blocks.0.second", d_output, residual=x)
            maps.append(x)
    up = lambda x: F.interpolate(x, scale_factor=2, mode="nearest")
    fine, middle, coarse = (fast_conv(x, f"neck.lateral.{at}", inner, 1) for at, x in enumerate(maps))
    middle = fast_conv(middle + up(coarse), "neck.up.0", inner)
    fine = fast_conv(fine + up(middle), "neck.up.1", inner)
    middle = fast_conv(middle + fast_conv(fine, "neck.down.0", inner, stride=2), "neck.out.0", inner)
    coarse = fast_conv(coarse + fast_conv(middle, "neck.down.1", inner, stride=2), "neck.out.1", inner)
    outputs = []
    for level, (x, stride) in enumerate(((fine, 8), (middle, 16), (coarse, 32))):
        for at in range(2):
            x = fast_conv(x, f"heads.{level}.convs.{at}", inner)
        distances, classes = (F.conv2d(x, weight(f"heads.{level}.{name}.weight", (count, inner, 1, 1)),
                                       weight(f"heads.{level}.{name}.bias", (count,)))
                              for name, count in (("distances", 4 * bins), ("classes", CLASSES)))
        size = x.shape[2]
        row, column = (grid.flatten() + 0.5 for grid in torch.meshgrid(*2 * [torch.arange(size)], indexing="ij"))
        expected = distances.reshape(2, 4, bins, -1).softmax(2).mul(torch.arange(bins).reshape(1, 1, -1, 1)).sum(2)
        left, top, right, bottom = expected.unbind(1)
        boxes = stride * torch.stack([column - left, row - top, column + right, row + bottom], -1)
        outputs.append(torch.cat([boxes, classes.flatten(2).transpose(1, 2)], 2))
    return on_cells(outputs)


references = {name: logits(make(num_classes=CLASSES)) for name, make in [
    ("torchvision/resnet18", tv.resnet18), ("torchvision/resnet34", tv.resnet34),
    ("torchvision/resnet50", tv.resnet50), ("torchvision/mobilenet_v3_small", tv.mobilenet_v3_small)]}
for name in ["resnet18", "efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2",
             "tf_efficientnet_lite0", "tf_efficientnet_lite1", "tf_efficientnet_lite2",
             "mobilenetv3_small_100", "tf_mobilenetv3_small_100"]:
    references[f"timm/{name}"] = logits(timm.create_model(name, num_classes=CLASSES))
references["unet"] = unet()
for name in ["efficientnet_lite0", "tf_efficientnet_lite0", "resnet18"]:
    references[f"unet/{name}"] = backbone_unet(name)
references["yolox_nano"] = yolox(16, 1, True)
references["yolox_s/narrow"] = yolox(8, 1, False)
references["fast-detector"] = fast_detector()
lines = ",\n".join(f"{json.dumps(name)}:{json.dumps(values)}" for name, values in references.items())
(HERE / "backbones.json").write_text("{\n" + lines + "\n}\n")
