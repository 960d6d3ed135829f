#!/usr/bin/env bash
# A model behind the KServe SDK, Outrider before its REST and gRPC ports, ordinary traffic, then traffic in another unit.
# Takes a minute. Needs: pip install 'outrider[profile]' kserve scikit-learn, and curl
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
python3 -c 'import kserve, sklearn' || { echo "needs: pip install 'outrider[profile]' kserve scikit-learn" >&2; exit 1; }

python3 train.py build
outrider profile build build/training.csv --prediction price --task regression --model-name houses -o build/profile.json

python3 model.py build/model.joblib &>build/model.log &
model=$!
trap 'kill "$model"; wait' EXIT

# Two pairs, in the same order: clients call 8000 and 8001, the model listens on 8080 and 8081.
# Windows are short, so that a minute shows it.
OUTRIDER_LISTEN=0.0.0.0:8000,0.0.0.0:8001 \
OUTRIDER_UPSTREAM=http://127.0.0.1:8080,http://127.0.0.1:8081 \
OUTRIDER_READY=http:/v2/models/houses/ready,tcp \
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

printf '\n== ordinary traffic: V1, V2 in JSON, V2 in binary, gRPC\n'
python3 traffic.py
python3 ../report.py

printf '\n== the same houses in square feet\n'
python3 traffic.py --feet
python3 ../report.py area_m2

printf '\n== /metrics\n'
ask localhost:9464/metrics | grep -E '^outrider_(decoded|undecoded|rows)_total'
