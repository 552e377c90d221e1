#!/usr/bin/env bash
# Everything that needs an NVIDIA GPU, in one call of under ten minutes after compiling:
#   bash benches/gpu.sh [python with PyTorch]
# doctor and parity on each device, then training throughput on LibTorch's and Burn's own CUDA and on
# WGPU, in float32, TF32 and bfloat16, beside PyTorch, eager and compiled, on the same card. The tables
# go to docs/benchmarks-*.md. Without a GPU, `GPU=cpu DEVICES=libtorch bash benches/gpu.sh` tries all
# of it on the processor.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-python3}
gpu=${GPU:-cuda}
# Burn's own CUDA backend needs a network while it is built: leave it out of DEVICES without one.
devices=${DEVICES:-cuda,cubecl-cuda,wgpu}

cargo build -p vision -p tinderbox-benches \
    --features "$(printf 'vision/%s,tinderbox-benches/%s,' $(for name in ${devices//,/ }; do echo "$name" "$name"; done))"
bin=${CARGO_TARGET_DIR:-target}/debug
"$bin/vision" devices
"$bin/vision" doctor || true
timeout 120 "$bin/vision" parity || true

# table DEVICE PRECISION [what compare takes]...
table() {
    local out=docs/benchmarks-$1-$2
    echo "== $1, $2 ($SECONDS s)"
    # The batches that a card is worth: 512 images, 256 texts.
    for batch in 512 256; do
        case $batch in
            512) only=(--only cnn --only resnet18) ;;
            256) only=(--only text-encoder) ;;
        esac
        timeout "${LIMIT:-100}" "$bin/compare" --device "$1" --peer-device "$gpu" --python "$python" \
            --rounds 1 --seconds 2 --batch "${BATCH:-$batch}" "${only[@]}" "${@:3}" \
            --out "$out-$batch.md" || echo "$1 in $2: not measured" >&2
    done
}
for device in ${devices//,/ }; do
    case $device in
        cuda | libtorch)
            table "$device" float32 --compile
            # LibTorch and PyTorch read it alike.
            TORCH_ALLOW_TF32_CUBLAS_OVERRIDE=1 table "$device" tf32 --compile
            table "$device" bfloat16 --bf16 --compile
            ;;
        cubecl-cuda)
            table "$device" float32
            table "$device" bfloat16 --bf16
            ;;
        # Its shading language has no bfloat16.
        *) table "$device" float32 ;;
    esac
done
