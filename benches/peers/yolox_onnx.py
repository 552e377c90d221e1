"""YOLOX-Nano here and in ONNX Runtime: the largest difference of the raw outputs, and the time for one image.

    cargo build --release -p tinderbox-benches --bin yolox_outputs
    python crates/models/scripts/yolox_to_safetensors.py yolox_nano.onnx yolox-nano
    python benches/peers/yolox_onnx.py yolox_nano.onnx yolox-nano target/release/yolox_outputs

Both run alternately, on as many threads as the machine has cores. Needs numpy and onnxruntime.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnxruntime

ROUNDS, REPEATS = 5, 30

model, weights, program = sys.argv[1:4]
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = os.cpu_count()
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name
side = session.get_inputs()[0].shape[2]
image = np.random.default_rng(0).random((3, side, side), np.float32)
bgr = np.ascontiguousarray(255 * image[::-1])[None]

ours, theirs = [], []
with tempfile.TemporaryDirectory() as folder:
    files = [pathlib.Path(folder) / part for part in ("input", "output")]
    image.tofile(files[0])
    for _ in range(ROUNDS):
        times = []
        for _ in range(REPEATS):
            start = time.perf_counter()
            expected = session.run(None, {name: bgr})[0]
            times.append(time.perf_counter() - start)
        theirs.append(sorted(times)[REPEATS // 2])
        run = subprocess.run([program, weights, *files, str(REPEATS)], check=True, capture_output=True, text=True)
        ours.append(float(run.stdout))
    found = np.fromfile(files[1], np.float32).reshape(expected.shape)
print(f"largest difference {np.abs(found - expected).max():.2e}")
ours, theirs = (sorted(times)[ROUNDS // 2] for times in (ours, theirs))
print(f"here {1e3 * ours:.2f} ms, ONNX Runtime {1e3 * theirs:.2f} ms: {theirs / ours:.2f} times its speed")
