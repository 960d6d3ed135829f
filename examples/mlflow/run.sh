#!/usr/bin/env bash
# A model that MLflow serves, Outrider before it, ordinary traffic, then traffic in another unit. Takes a minute.
# Needs: pip install 'outrider[profile]' mlflow, and curl
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
python3 -c 'import mlflow' || { echo "needs: pip install 'outrider[profile]' mlflow" >&2; exit 1; }

rm -rf build # MLflow saves into no folder that is there
python3 train.py build
outrider profile build build/training.csv --prediction price --task regression --model-name houses -o build/profile.json

mlflow models serve --model-uri build/model --env-manager local --host 127.0.0.1 --port 8080 &>build/model.log &
model=$!
trap 'kill "$model"; wait' EXIT

# Windows are short, so that a minute shows it.
OUTRIDER_UPSTREAM=http://127.0.0.1:8080 \
OUTRIDER_READY=http:/ping \
OUTRIDER_PROFILE=build/profile.json \
OUTRIDER_PANE=1s \
OUTRIDER_WINDOW=30s \
OUTRIDER_DRAIN_DELAY=0s \
    outrider run &
outrider=$!
trap 'kill "$outrider" "$model" 2>/dev/null; wait' EXIT

ask() { curl --silent --fail --max-time 5 "$@"; }
until ask localhost:9465/readyz >/dev/null && ask localhost:9464/metrics >/dev/null; do
    kill -0 "$outrider" # each by itself: of several, one that lives is enough
    kill -0 "$model"
    sleep 0.2
done

printf '\n== ordinary traffic: four JSON shapes and CSV\n'
python3 traffic.py
python3 ../report.py

printf '\n== the same houses in square feet\n'
python3 traffic.py --feet
python3 ../report.py area_m2

printf '\n== /metrics\n'
ask localhost:9464/metrics | grep -E '^outrider_(decoded|undecoded|rows)_total'
