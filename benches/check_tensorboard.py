"""Reads the event files of a run with the Python package `tensorboard`.

    pip install tensorboard && python benches/check_tensorboard.py RUN

Fails if a tag has a step twice, if a value differs from metrics.jsonl, or if the recipe is missing.
"""

import json
import math
import pathlib
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

EVERYTHING = {"scalars": 0, "histograms": 0, "images": 0, "tensors": 0}


def read(folder):
    events = EventAccumulator(str(folder), size_guidance=EVERYTHING)
    events.Reload()
    return events


def main():
    run = pathlib.Path(sys.argv[1])
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    count = 0
    for split in sorted({line["split"] for line in lines}):
        events = read(run / "tensorboard" / split)
        for tag in events.Tags()["scalars"]:
            expected = [line for line in lines if (line["split"], line["name"]) == (split, tag)]
            found = events.Scalars(tag)
            assert [event.step for event in found] == [line["step"] for line in expected], (split, tag)
            for event, line in zip(found, expected):
                value = math.nan if line["value"] is None else line["value"]
                assert math.isclose(event.value, value, rel_tol=1e-6, abs_tol=1e-30) or value != value, (split, tag)
            count += len(found)
    assert count == len(lines), f"{count} scalars of {len(lines)} lines"
    whole = read(run / "tensorboard")
    plugins = {metadata.plugin_data.plugin_name for metadata in whole.summary_metadata.values()}
    assert {"text", "hparams"} <= plugins, plugins
    weights = run / "tensorboard" / "weights"
    histograms = read(weights).Tags()["histograms"] if weights.exists() else []
    print(f"{count} scalars, {len(whole.Tags()['images'])} images, {len(histograms)} histograms")


if __name__ == "__main__":
    main()
