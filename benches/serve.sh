#!/usr/bin/env bash
# Load on `serve` from the same machine, and a FastAPI server with the same model:
#   cargo build -p tabular -p vision
#   cargo run -p tabular -- train --recipe churn --data FILE --out churn
#   cargo run -p vision -- train --out digits
#   PYTHON=python3 bash benches/serve.sh target/debug churn digits digit.png
# It needs wrk (Debian) and, for the peer, what benches/peers/serve_fastapi.py names; without PYTHON there is no peer.
# Connections: 64; seconds per measurement: SECONDS_EACH, 10 by default.
set -euo pipefail
binaries=$1 churn=$2 digits=$3 image=$4
seconds=${SECONDS_EACH:-10}
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$dir"' EXIT

wait_for() { until curl -sf "$1" >/dev/null; do sleep 0.2; done; }
load() { wrk -t1 -c64 -d"${seconds}s" --latency -s "$1" "$2" | grep -E "Requests/sec|99%|Non-2xx|Socket" | tr '\n' ' '; echo; }

"$binaries/tabular" serve --run "row=$churn" --port 8100 2>/dev/null &
"$binaries/vision" serve --run "digits=$digits" --port 8101 2>/dev/null &
wait_for localhost:8100/health/ready
wait_for localhost:8101/health/ready
# The row that the documentation shows: medians and most frequent values.
curl -s localhost:8100/docs | sed -n "s/.*-d '\({.*}\)'.*/\1/p" | head -n 1 | sed 's/&quot;/"/g' >"$dir/row.json"
cat >"$dir/row.lua" <<LUA
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = io.open("$dir/row.json"):read("*a")
LUA
cat >"$dir/image.lua" <<LUA
wrk.method = "POST"
wrk.headers["Content-Type"] = "image/png"
wrk.body = io.open("$image", "rb"):read("*a")
LUA
if [ -n "${PYTHON:-}" ]; then
    MODEL="$churn/model" "$PYTHON" -m uvicorn --app-dir "$here/peers" serve_fastapi:app --port 8102 \
        --workers "$(nproc)" --no-access-log >/dev/null 2>&1 &
    wait_for localhost:8102/docs
    ours=$(curl -s -H 'Content-Type: application/json' -d "@$dir/row.json" localhost:8100/v1/predict)
    theirs=$(curl -s -H 'Content-Type: application/json' -d "@$dir/row.json" localhost:8102/predict)
    echo "ours:   $ours"
    echo "theirs: $theirs"
fi
for round in 1 2; do
    printf 'row:     '
    load "$dir/row.lua" http://127.0.0.1:8100/v1/predict
    if [ -n "${PYTHON:-}" ]; then
        printf 'FastAPI: '
        load "$dir/row.lua" http://127.0.0.1:8102/predict
    fi
    printf 'image:   '
    load "$dir/image.lua" http://127.0.0.1:8101/v1/predict
done
