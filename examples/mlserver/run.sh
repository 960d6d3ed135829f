#!/usr/bin/env bash
# MLServer with a classifier of scikit-learn, Outrider before both its ports, ordinary flowers, then some in another unit.
# Needs: pip install 'outrider[profile]' mlserver mlserver-sklearn 'tritonclient[http,grpc]', and curl
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
# Apart: both register messages of the same name.
{ python3 -c 'import mlserver, mlserver_sklearn' && python3 -c 'import tritonclient.grpc, tritonclient.http'; } || {
    echo "needs: pip install 'outrider[profile]' mlserver mlserver-sklearn 'tritonclient[http,grpc]'" >&2
    exit 1
}

mkdir -p build
python3 train.py build/model.joblib build/training.csv
outrider profile build build/training.csv --prediction species --categorical species --model-name iris -o build/profile.json

mlserver start . &>build/model.log &
model=$!
trap 'kill "$model"; wait' EXIT

# Windows are short, so that a minute shows it.
OUTRIDER_LISTEN=0.0.0.0:8000,0.0.0.0:8001 \
OUTRIDER_UPSTREAM=http://127.0.0.1:8080,http://127.0.0.1:8081 \
OUTRIDER_READY=http:/v2/models/iris/ready,tcp \
OUTRIDER_PROFILE=build/profile.json \
OUTRIDER_PANE=1s \
OUTRIDER_WINDOW=30s \
OUTRIDER_DRAIN_DELAY=0s \
    outrider run &
outrider=$!
trap 'kill "$outrider" "$model" 2>/dev/null; wait' EXIT

ask() { curl --silent --fail --max-time 5 "$@"; }
until ask localhost:9465/readyz >/dev/null && ask localhost:9464/metrics >/dev/null; do
    kill -0 "$outrider"
    kill -0 "$model"
    sleep 0.2
done

printf '\n== flowers as in training, over REST and gRPC\n'
python3 traffic.py
python3 ../report.py

printf '\n== petals in millimetres\n'
python3 traffic.py --mm
python3 ../report.py petal_length

printf '\n== /metrics\n'
ask localhost:9464/metrics | grep -E '^outrider_(decoded|undecoded|rows)_total'
