#!/usr/bin/env bash
# A model server with a REST port and a gRPC port, Outrider before both, calls over both, and what Outrider says of them.
# Needs: pip install outrider, and curl
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

python3 model.py &
model=$!

# Two pairs, in the same order: clients call 8000 and 8001, the model listens on 8080 and 8081.
OUTRIDER_LISTEN=0.0.0.0:8000,0.0.0.0:8001 \
OUTRIDER_UPSTREAM=http://127.0.0.1:8080,http://127.0.0.1:8081 \
OUTRIDER_READY=http:/v2/health/ready,grpc \
OUTRIDER_DRAIN_DELAY=0s \
    outrider run &
outrider=$!
trap 'kill "$outrider" "$model" 2>/dev/null; wait' EXIT

ask() { curl --silent --fail --max-time 5 "$@"; }
until ask localhost:9465/readyz >/dev/null && ask localhost:9464/metrics >/dev/null; do kill -0 "$outrider"; sleep 0.2; done

printf '\n== calls over both ports\n'
python3 client.py

# The monitor is a second process, which reads a moment later.
until ask localhost:9464/metrics | grep -F ModelStreamInfer >/dev/null; do kill -0 "$outrider"; sleep 0.2; done
printf '\n== /metrics\n'
ask localhost:9464/metrics | grep -E '^(outrider_(grpc_calls|messages|decoded|rows)_total|http_server_request_duration_seconds_count)'

printf '\n== /readyz?verbose\n'
ask 'localhost:9465/readyz?verbose'

printf '\n== POST /drain, as a preStop hook of the model would call it\n'
ask -X POST localhost:9465/drain
