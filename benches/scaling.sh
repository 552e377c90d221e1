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

flags=(--no-report --no-baseline --quiet --set train.workers=0)
speed() { sed -n 's/.*"samples_per_s": *\([0-9]*\).*/\1/p' "$1/summary.json"; }
# rate RANKS EPOCHS ARGUMENTS...: samples/s while training. The steps of a rank are the same on any number of them.
rate() {
    local ranks=$1 epochs=$(($1 * $2))
    shift 2
    rm -rf "$dir/run"
    mpirun -n "$ranks" --bind-to core "$bin/vision" train "${flags[@]}" --epochs "$epochs" "$@" --out "$dir/run" >/dev/null
    speed "$dir/run"
}
# apart EPOCHS ARGUMENTS...: samples/s of two trainings that do not exchange anything, in all.
apart() {
    local epochs=$1
    shift
    rm -rf "$dir"/apart-*
    for core in 0 1; do
        taskset -c "$core" "$bin/vision" train "${flags[@]}" --epochs "$epochs" "$@" --out "$dir/apart-$core" >/dev/null 2>&1 &
    done
    wait
    echo $(($(speed "$dir/apart-0") + $(speed "$dir/apart-1")))
}
# weak NAME EPOCHS ARGUMENTS...: the best of three rounds: other programs may disturb some.
weak() {
    local name=$1 one=() two=() both=()
    shift
    for _ in 1 2 3; do
        one+=("$(rate 1 "$@")")
        two+=("$(rate 2 "$@")")
        both+=("$(apart "$@")")
    done
    best() { printf '%s\n' "$@" | sort -n | tail -n 1; }
    awk -v name="$name" -v one="$(best "${one[@]}")" -v two="$(best "${two[@]}")" -v both="$(best "${both[@]}")" \
        'BEGIN { printf "| %s | %d | %d | %.2f | %.2f |\n", name, one, two, two / one, both / one }'
    echo "  rounds: one rank ${one[*]}, two ${two[*]}, two trainings ${both[*]}" >&2
}

echo "| network, images per rank | one rank, images/s | two ranks, images/s | times | two trainings without exchange |"
echo "|---|---|---|---|---|"
weak "CNN of the recipe mnist, 241,770 parameters, 64 of 28×28" 2 --recipe mnist --data "$dir/mnist" --batch-size 64
weak "ResNet, 308,074 parameters, 64 of 28×28" 1 --recipe mnist --data "$dir/mnist" --batch-size 64 \
    --set model.kind=resnet --set model.base_channels=32
weak "CNN of the recipe digits, 53,098 parameters, 64 of 8×8" 30 --recipe digits --batch-size 64
echo
mpirun -n 2 --bind-to core "$bin/examples/exchange"
