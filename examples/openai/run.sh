#!/usr/bin/env bash
# A language model, Outrider before it, short questions, then long ones. Takes a minute.
# Needs: pip install outrider xllamacpp gguf openai, and curl
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
python3 -c 'import xllamacpp, gguf, openai' || { echo "needs: pip install outrider xllamacpp gguf openai" >&2; exit 1; }

mkdir -p build
python3 make_model.py build/tiny.gguf
python3 model.py build/tiny.gguf &>build/model.log &
model=$!
trap 'kill "$model"; wait' EXIT

# There is no training data to build a profile from: the first 250 calls are the reference.
# Windows are short, so that one minute shows it.
OUTRIDER_UPSTREAM=http://127.0.0.1:8080 \
OUTRIDER_READY=http:/health \
OUTRIDER_WARMUP_ROWS=250 \
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

printf '\n== short questions\n'
python3 traffic.py
python3 ../report.py

printf '\n== whole documents as questions\n'
python3 traffic.py --long
python3 ../report.py prompt_characters

printf '\n== /metrics\n'
ask localhost:9464/metrics | grep -E '^outrider_(decoded|undecoded|rows)_total'
