"""What Pillow, torchvision and timm make of small patterns of every shape, as hashes of the pixels.

    pip install pillow==13.0.0 torch torchvision timm==1.0.31
    python crates/datasets/tests/data/pillow.py

Writes pillow.json beside itself. The patterns are made by a formula that the test repeats."""
import hashlib
import json
import pathlib

import numpy as np
from PIL import Image
from timm.data.transforms_factory import transforms_imagenet_eval

HERE = pathlib.Path(__file__).parent
SIZES = [(1, 1), (1, 7), (5, 1), (2, 3), (8, 6), (17, 31), (64, 48), (300, 200), (30_000, 10), (3, 2_000)]
TARGETS = [(1, 1), (2, 5), (8, 6), (13, 8), (17, 64), (224, 224)]
CROPS = [
    # size (height, width), crop, mode
    ((224, 224), 0.875, "center"),
    ((224, 224), 1.0, "center"),
    ((32, 32), 0.95, "center"),
    ((9, 9), 0.8, "center"),
    ((24, 40), 0.875, "center"),
    ((40, 24), 0.9, "center"),
    ((32, 32), 0.875, "squash"),
    ((20, 32), 0.7, "squash"),
]


def pattern(width, height):
    """Noise, and blocks of black and white whose edges overshoot."""
    x, y, c = np.meshgrid(np.arange(width), np.arange(height), np.arange(3), indexing="xy")
    x, y, c = (axis.astype(np.uint32) for axis in (x, y, c))
    noise = ((x * 3 + y * 7 + x * y * 5 + c * 85 + 1) * np.uint32(2_654_435_761)) >> np.uint32(24)
    blocks = (x // 4 + y // 3 + c) % 2 * 255
    return Image.fromarray(np.where((x // 16 + y // 16) % 2 == 0, noise, blocks).astype(np.uint8))


def sha256(image):
    return hashlib.sha256(np.asarray(image).tobytes()).hexdigest()[:16]


FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
resized, cropped = [], []
for size in SIZES:
    image = pattern(*size)
    for name, resample in FILTERS.items():
        for target in TARGETS:
            for mode in ("L", "RGB"):
                picture = image.getchannel(0) if mode == "L" else image
                result = picture.resize(target, resample)
                resized.append({
                    "from": size, "to": target, "interpolation": name, "channels": len(mode),
                    "sha256": sha256(result),
                })
        for target, crop, mode in CROPS:
            if max(size) > 1_000 and max(target) > 100:
                continue  # torchvision makes the whole of 768,000 x 256 pixels
            transform = transforms_imagenet_eval(
                target, crop_pct=crop, crop_mode=mode, interpolation=name, normalize=False)
            result = transform(image).permute(1, 2, 0).numpy()
            cropped.append({
                "from": size, "to": target[::-1], "interpolation": name, "crop": crop,
                "fit": {"center": "crop", "squash": "stretch"}[mode], "sha256": sha256(result),
            })


def lines(cases):
    return ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)


(HERE / "pillow.json").write_text(f'{{"resized":[\n{lines(resized)}\n],"cropped":[\n{lines(cropped)}\n]}}\n')
