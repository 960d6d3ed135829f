#!/usr/bin/env bash
# A model, Outrider before it, ordinary traffic, then traffic in another unit. Takes a minute. Needs: pip install outrider
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

python3 model.py &
model=$!

# Everything is quicker here than the defaults, so that one minute shows it. No profile: the first rows are the reference.
OUTRIDER_UPSTREAM=http://127.0.0.1:8080 \
OUTRIDER_PANE=5s \
OUTRIDER_WINDOW=20s \
OUTRIDER_WARMUP_ROWS=400 \
OUTRIDER_DRAIN_DELAY=0s \
    outrider run &
outrider=$!
trap 'kill "$outrider" 2>/dev/null; wait "$outrider"; kill "$model"' EXIT

report() {
    python3 - <<'PYTHON'
import json, urllib.request
with urllib.request.urlopen("http://127.0.0.1:9464/api/report") as answer:
    report = json.load(answer)
print(f"\n{report['decision']}: {report['rows']} rows in the window")
for column in report["columns"]:
    print(f"  {column['name']:12} {column['decision']:12} {column['reason']}")
PYTHON
}

sleep 2
echo "ordinary traffic"
python3 traffic.py
report

echo "the same houses in square feet"
python3 traffic.py --feet
report
