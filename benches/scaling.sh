#!/usr/bin/env bash
# Weak scaling of a training on this machine, one thread for each rank, and the time of an exchange:
#   bash benches/scaling.sh MNIST_FOLDER
# It needs what the feature `mpi` needs, and an otherwise idle machine. See docs/scaling.md.
set -euo pipefail
mnist=$(realpath "$1")
cd "$(dirname "$0")/.."
cargo build -p vision --features mpi
cargo build -p tinderbox-mpi --features mpi --example exchange
bin=$(realpath "${CARGO_TARGET_DIR:-target}")/debug
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 RAYON_NUM_THREADS=1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# Its small part is enough.
mkdir "$dir/mnist"
for part in train t10k; do
    ln -s "$mnist/t10k-images-idx3-ubyte.gz" "$dir/mnist/$part-images-idx3-ubyte.gz"
    ln -s "$mnist/t10k-labels-idx1-ubyte.gz" "$dir/mnist/$part-labels-idx1-ubyte.gz"
done

# rate RANKS ARGUMENTS...: samples/s while training.
rate() {
    local ranks=$1
    shift
    rm -rf "$dir/run"
    mpirun -n "$ranks" --bind-to core "$bin/vision" train --no-report --no-baseline --quiet --set train.workers=0 "$@" \
        --out "$dir/run" >/dev/null
    sed -n 's/.*"samples_per_s": *\([0-9]*\).*/\1/p' "$dir/run/summary.json"
}
# weak NAME ARGUMENTS...: the best of three runs on one rank and on two, in turn: other programs may disturb some.
weak() {
    local name=$1 one=() two=()
    shift
    for _ in 1 2 3; do
        one+=("$(rate 1 "$@")")
        two+=("$(rate 2 "$@")")
    done
    best() { printf '%s\n' "$@" | sort -n | tail -n 1; }
    awk -v name="$name" -v one="$(best "${one[@]}")" -v two="$(best "${two[@]}")" \
        'BEGIN { printf "| %s | %d | %d | %.2f |\n", name, one, two, two / one }'
}

echo "| network, images per rank | one rank, images/s | two ranks, images/s | times |"
echo "|---|---|---|---|"
weak "CNN of the recipe mnist, 241,770 parameters, 64 of 28×28" --recipe mnist --data "$dir/mnist" --epochs 1 --batch-size 64
weak "CNN of the recipe digits, 53,098 parameters, 64 of 8×8" --recipe digits --batch-size 64 --epochs 30
weak "wider, 430,474 parameters, 128 of 8×8" --recipe digits --set 'model.block_channels=[128,256]' --batch-size 128 --epochs 6
echo
mpirun -n 2 --bind-to core "$bin/examples/exchange"
