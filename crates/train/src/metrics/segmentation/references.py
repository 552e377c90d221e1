"""Writes references.json, which tests.rs compares with: masks and their scores by scikit-learn, SciPy and NumPy.

Run: python references.py
"""

import json
from pathlib import Path

import numpy as np
from scipy import ndimage
from sklearn.metrics import accuracy_score, f1_score, jaccard_score

IGNORE = 65535
TOLERANCE = 0.05
CROSS = ndimage.generate_binary_structure(2, 1)


def blobs(rng, height, width, classes, smooth):
    noise = [ndimage.gaussian_filter(rng.normal(size=(height, width)), smooth) for _ in range(classes)]
    return np.argmax(noise, axis=0)


def boundary(mask, one, valid):
    other = (mask != one) & valid
    return (mask == one) & valid & ndimage.binary_dilation(other, CROSS)


def boundary_f(predicted, actual, one):
    valid = actual != IGNORE
    found, wanted = boundary(predicted, one, valid), boundary(actual, one, valid)
    if not found.any() and not wanted.any():
        return None
    if not found.any() or not wanted.any():
        return 0.0
    reach = TOLERANCE * np.hypot(*actual.shape)
    precision = (ndimage.distance_transform_edt(~wanted)[found] <= reach).mean()
    recall = (ndimage.distance_transform_edt(~found)[wanted] <= reach).mean()
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def grow(labels):
    labels = labels.copy()
    while (labels == 0).any() and labels.any():
        far = np.where(labels == 0, np.iinfo(labels.dtype).max, labels)
        least = ndimage.minimum_filter(far, footprint=CROSS, mode="nearest")
        labels = np.where((labels == 0) & (least < np.iinfo(labels.dtype).max), least, labels)
    return labels


def membrane(probability, actual, threshold):
    labels = grow(ndimage.label(probability <= threshold, CROSS)[0])
    truth = ndimage.label((actual != 0) & (actual != IGNORE), CROSS)[0]
    inside = truth > 0
    table = np.zeros((labels.max() + 1, truth.max() + 1))
    np.add.at(table, (labels[inside], truth[inside]), 1)
    table /= table.sum()
    own, real = table.sum(1), table.sum(0)
    entropy = lambda p: -(p[p > 0] * np.log(p[p > 0])).sum()
    rand = [(table**2).sum() / (real**2).sum(), (table**2).sum() / (own**2).sum()]
    shared = entropy(own) + entropy(real) - entropy(table.ravel())
    info = [shared / entropy(own), shared / entropy(real)]
    both = [2 / (1 / split + 1 / merge) for split, merge in (rand, info)]
    return *both, *rand, *info


def main():
    rng = np.random.default_rng(0)
    images, flat = [], []
    for height, width in [(18, 24), (20, 15)]:
        actual = blobs(rng, height, width, 3, 2.0)
        noisy = np.roll(actual, 1, axis=1)
        predicted = np.where(rng.random((height, width)) < 0.05, rng.integers(0, 3, (height, width)), noisy)
        actual = np.where(rng.random((height, width)) < 0.03, IGNORE, actual)
        images.append((predicted, actual))
    valid = [(p[a != IGNORE], a[a != IGNORE]) for p, a in images]
    predicted, actual = (np.concatenate(part) for part in zip(*valid))
    fs = [[f for f in (boundary_f(p, a, one) for p, a in images) if f is not None] for one in range(3)]
    mattes = [np.round(rng.random(a.shape), 2) for _, a in images]
    errors = [np.abs(m - (a > 0))[a != IGNORE] for m, (_, a) in zip(mattes, images)]

    thresholds = [0.2, 0.4, 0.6]
    slices = []
    for height, width in [(24, 24), (20, 28)]:
        cells = blobs(rng, height, width, 6, 3.0)
        edge = ndimage.grey_dilation(cells, footprint=CROSS) != ndimage.grey_erosion(cells, footprint=CROSS)
        truth = np.where(edge, 0, 1)
        soft = 0.75 * edge + 0.25 * ndimage.gaussian_filter(rng.random((height, width)), 0.5)
        soft = np.where(rng.random((height, width)) < 0.03, 1 - soft, soft)
        slices.append((np.round(soft, 2), truth))
    scores = np.array([[membrane(p, t, at) for p, t in slices] for at in thresholds]).mean(1)

    numbers = lambda array: [float(value) if array.dtype.kind == "f" else int(value) for value in array.ravel()]
    result = {
        "images": [
            {"size": a.shape, "predicted": numbers(p), "actual": numbers(a), "matte": numbers(m)}
            for (p, a), m in zip(images, mattes)
        ],
        "iou": numbers(jaccard_score(actual, predicted, average=None)),
        "dice": numbers(f1_score(actual, predicted, average=None)),
        "pixel_accuracy": accuracy_score(actual, predicted),
        "boundary_f": [float(np.mean(f)) for f in fs],
        "matte_mae": float(np.concatenate(errors).mean()),
        "thresholds": thresholds,
        "slices": [{"size": t.shape, "membrane": numbers(p), "actual": numbers(t)} for p, t in slices],
        "v_rand": float(scores[:, 0].max()),
        "v_info": float(scores[:, 1].max()),
        "best": [thresholds[at] for at in scores.argmax(0)[:2]],
        "parts": {
            "v_rand": numbers(scores[scores[:, 0].argmax(), 2:4]),
            "v_info": numbers(scores[scores[:, 1].argmax(), 4:6]),
        },
    }
    print(result["v_rand"], result["v_info"], result["parts"])
    text = json.dumps(result, separators=(",", ":"))
    Path(__file__).with_name("references.json").write_text(text + "\n")


main()
