"""Writes references.json, which tests.rs compares with: boxes and their scores by pycocotools.

Run: python references.py
"""

import json
from pathlib import Path

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

CLASSES = 5
SIZES = [(8, 31), (33, 90), (100, 220)]


def quarter(values):
    """Quarters of a pixel, which single precision holds exactly."""
    return np.round(np.asarray(values) * 4) / 4


def some_box(rng):
    low, high = SIZES[rng.integers(3)]
    width, height = rng.uniform(low, high, 2)
    left, top = rng.uniform(0, 300, 2)
    return quarter([left, top, left + width, top + height])


def moved(rng, box, amount):
    size = np.tile(box[2:] - box[:2], 2)
    box = quarter(box + rng.normal(0, amount, 4) * size)
    return np.concatenate([box[:2], np.maximum(box[2:], box[:2] + 1)])


def image(rng, number):
    # Class 3 is found and never there, class 4 is there and never found.
    truth = [(*some_box(rng), rng.choice([0, 0, 1, 2]), 0) for _ in range(rng.integers(0, 9))]
    if number % 3 == 0:
        truth.append((*some_box(rng), rng.integers(3), 1))
    if number == 4:
        truth.append((*some_box(rng), 4, 0))
    found = []
    for *box, label, crowd in truth:
        for _ in range(rng.integers(0, 3) + 2 * crowd):
            wrong = rng.random() < 0.15
            label = rng.integers(3) if wrong or label == 4 else label
            score = np.clip(rng.normal(0.6, 0.2), 0.01, 1)
            found.append((*moved(rng, np.array(box), rng.choice([0, 0.03, 0.1])), label, score))
    for _ in range(rng.integers(0, 4)):
        found.append((*some_box(rng), rng.integers(4), rng.uniform(0.01, 0.7)))
    if number == 5:
        # More than count: only the 101st and later ones are right.
        truth += [(*some_box(rng), 0, 0) for _ in range(2)]
        found += [(*some_box(rng), 0, rng.uniform(0.02, 0.5)) for _ in range(110)]
        found += [(*box, 0, 0.01) for *box, _, _ in truth[-2:]]
    if number == 7:
        # A size at the border of the areas, and overlaps at thresholds to the bit.
        truth += [(0, 0, 32, 32, 1, 0), (100, 100, 196, 196, 1, 0), (300, 0, 310, 10, 2, 0), (330, 0, 350, 10, 2, 0)]
        found += [(0, 0, 32, 32, 1, 0.9), (100, 100, 196, 196, 1, 0.9), (300, 0, 310, 6, 2, 0.8), (330, 0, 350, 9, 2, 0.8)]
    if number == 8:
        # A box within a crowd that is listed first.
        truth = [(0, 0, 200, 200, 0, 1), (20, 20, 60, 60, 0, 0), *truth]
        found += [(22, 20, 60, 60, 0, 0.95), (100, 100, 140, 140, 0, 0.9)]
    # Two digits: ties, in and between images.
    found = [(*box, label, round(float(score), 2)) for *box, label, score in found]
    return {"found": found, "truth": truth}


def evaluate(images):
    annotations, results = [], []
    for number, one in enumerate(images):
        for left, top, right, bottom, label, crowd in one["truth"]:
            box = [left, top, right - left, bottom - top]
            annotations.append({
                "id": len(annotations) + 1, "image_id": number + 1, "category_id": label + 1,
                "bbox": box, "area": box[2] * box[3], "iscrowd": crowd,
            })
        for left, top, right, bottom, label, score in one["found"]:
            box = [left, top, right - left, bottom - top]
            results.append({"image_id": number + 1, "category_id": label + 1, "bbox": box, "score": score})
    truth = COCO()
    truth.dataset = {
        "images": [{"id": number + 1} for number in range(len(images))],
        "categories": [{"id": label + 1} for label in range(CLASSES)],
        "annotations": annotations,
    }
    truth.createIndex()
    found = truth.loadRes(results)
    coco = COCOeval(truth, found, "bbox")
    coco.evaluate()
    coco.accumulate()
    coco.summarize()
    return coco


def best_threshold(coco):
    """Over all classes, from the matches of pycocotools at IoU 0.5 and all areas."""
    count = len(coco.params.imgIds)
    areas = len(coco.params.areaRng)
    parts = [coco.evalImgs[label * areas * count + at] for label in range(CLASSES) for at in range(count)]
    parts = [part for part in parts if part is not None]
    scores = np.concatenate([part["dtScores"] for part in parts])
    right = np.concatenate([part["dtMatches"][0] > 0 for part in parts])
    kept = ~np.concatenate([part["dtIgnore"][0] for part in parts])
    positives = sum((part["gtIgnore"] == 0).sum() for part in parts)
    points = []
    for score in np.unique(scores[kept])[::-1]:
        passed = kept & (scores >= score)
        hits = (right & passed).sum()
        precision, recall = hits / passed.sum(), hits / positives
        points.append((2 * hits / (passed.sum() + positives), precision, recall, score))
    best = max(points, key=lambda point: point[0])
    lower = [point[3] for point in points if point[3] < best[3]]
    return *best[:3], (best[3] + lower[0]) / 2


def main():
    rng = np.random.default_rng(0)
    images = [image(rng, number) for number in range(12)]
    plain = lambda rows: [[float(value) for value in row] for row in rows]
    images = [{key: plain(rows) for key, rows in one.items()} for one in images]
    coco = evaluate([
        {key: [(*row[:4], int(row[4]), row[5] if key == "found" else int(row[5])) for row in rows] for key, rows in one.items()}
        for one in images
    ])
    ap50 = [float(coco.eval["precision"][0, :, label, 0, 2].mean()) for label in range(CLASSES)]
    names = {"map": 0, "map50": 1, "map_small": 3, "map_medium": 4, "map_large": 5, "recall": 8}
    metrics = {name: float(coco.stats[at]) for name, at in names.items()}
    metrics |= {f"ap50_{label}": ap for label, ap in enumerate(ap50) if ap > -1}
    metrics |= dict(zip(["f1_micro", "precision", "recall50", "threshold"], map(float, best_threshold(coco))))
    print(metrics)
    result = {"classes": CLASSES, "images": images, "metrics": metrics}
    text = json.dumps(result, separators=(",", ":")).replace(".0,", ",").replace(".0]", "]")
    Path(__file__).with_name("references.json").write_text(text + "\n")


main()
