"""How much tracked landmarks tremble around the true ones.

    python3 benches/landmark_jitter.py TRUTH.csv TRACKED.jsonl

TRUTH.csv has the name of an image and x and y of 68 points; TRACKED.jsonl is written by `vision track`. Images are named
NAME_PF: place P in a video, frame F of three. The error of a point is its distance from the truth as a vector; jitter is
the mean length of its change from one frame to the next, in distances between the outer corners of the eyes.
"""

import csv
import json
import pathlib
import sys
from math import hypot


def truth(path):
    with open(path, newline="") as file:
        rows = [row for row in csv.reader(file) if row and "." in row[0]]
    return {row[0]: [(float(x), float(y)) for x, y in zip(row[1::2], row[2::2])] for row in rows}


def main():
    true = truth(sys.argv[1])
    found = {}
    with open(sys.argv[2]) as file:
        for line in file:
            face = json.loads(line)
            found[pathlib.Path(face["input"]).name] = face["points"]
    errors = {}
    nme = []
    for name, points in true.items():
        if not found.get(name):
            continue
        scale = hypot(*(a - b for a, b in zip(points[36], points[45])))
        errors[name] = [((x - u) / scale, (y - v) / scale) for (x, y), (u, v) in zip(found[name], points)]
        nme.append(sum(hypot(*error) for error in errors[name]) / len(points))
    jitter = []
    for name in errors:
        stem, suffix = name.rsplit(".", 1)
        after = f"{stem[:-1]}{int(stem[-1]) + 1}.{suffix}"
        if after in errors:
            changes = [hypot(c - a, d - b) for (a, b), (c, d) in zip(errors[name], errors[after])]
            jitter.append(sum(changes) / len(changes))
    print(f"{len(nme)} frames, NME {sum(nme) / len(nme):.4f}, {len(jitter)} pairs, jitter {sum(jitter) / len(jitter):.4f}")


if __name__ == "__main__":
    main()
