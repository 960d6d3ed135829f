#!/usr/bin/env bash
# A server with a route of its own, the setting that Outrider suggests for it, ordinary traffic, then traffic in another unit.
# Needs: pip install 'outrider[profile]' litserve, and curl
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
python3 -c 'import litserve' || { echo "needs: pip install 'outrider[profile]' litserve" >&2; exit 1; }

mkdir -p build
python3 train.py build/training.csv
outrider profile build build/training.csv --prediction price --model-name houses -o build/profile.json

python3 model.py &>build/model.log &
model=$!
trap 'kill "$model"; wait' EXIT

ask() { curl --silent --fail --max-time 5 "$@"; }
until ask localhost:8080/health >/dev/null; do kill -0 "$model"; sleep 0.2; done

printf '\n== what the server says of itself, as a setting\n'
ask localhost:8080/openapi.json | outrider routes suggest - | tee build/routes.sh
# shellcheck source=/dev/null
source build/routes.sh
export OUTRIDER_ROUTES

# Windows are short, so that a minute shows it.
OUTRIDER_UPSTREAM=http://127.0.0.1:8080 \
OUTRIDER_PROFILE=build/profile.json \
OUTRIDER_PANE=1s \
OUTRIDER_WINDOW=30s \
OUTRIDER_DRAIN_DELAY=0s \
    outrider run &
outrider=$!
trap 'kill "$outrider" "$model" 2>/dev/null; wait' EXIT
until ask localhost:9465/readyz >/dev/null && ask localhost:9464/metrics >/dev/null; do
    kill -0 "$outrider"
    kill -0 "$model"
    sleep 0.2
done

printf '\n== ordinary traffic\n'
python3 traffic.py
python3 ../report.py

printf '\n== the same houses in square feet\n'
python3 traffic.py --feet
python3 ../report.py area_m2
