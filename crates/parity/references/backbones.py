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
lines = ",\n".join(f"{json.dumps(name)}:{json.dumps(values)}" for name, values in references.items())
(HERE / "backbones.json").write_text("{\n" + lines + "\n}\n")
