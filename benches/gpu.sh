#!/usr/bin/env bash
# Everything that needs an NVIDIA GPU, in one call of under ten minutes after compiling:
#   bash benches/gpu.sh [python with PyTorch]
# doctor and parity on each device, then training throughput on LibTorch's and Burn's own CUDA beside
# PyTorch, eager and compiled, on the same card. The tables go to docs/benchmarks-*.md.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-python3}
features=cuda,wgpu
# Burn's own CUDA backend needs a network while it is built.
[ "${WITHOUT_CUBECL_CUDA:-}" ] || features=$features,cubecl-cuda

cargo build -p vision -p tinderbox-benches --features "$(printf 'vision/%s,' ${features//,/ })" \
    --features "$(printf 'tinderbox-benches/%s,' ${features//,/ })"
bin=${CARGO_TARGET_DIR:-target}/debug
"$bin/vision" devices
"$bin/vision" doctor || true
timeout 120 "$bin/vision" parity || true
for device in ${features//,/ }; do
    timeout 240 "$bin/compare" --device "$device" --python "$python" --compile --peer-device cuda \
        --rounds 3 --seconds 1 \
        --out "docs/benchmarks-$device.md" || echo "$device: not measured" >&2
done
