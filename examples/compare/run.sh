#!/usr/bin/env bash
# A profile of training data, a month like it, and a month that isn't. Takes seconds. Needs: pip install 'outrider[profile]'
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

work="${1:-$(mktemp -d)}"
cp make_data.py "$work"
cd "$work"

python3 make_data.py
outrider profile build training.csv -o profile.json --prediction predicted_price --model-name houses
echo

OUTRIDER_ALPHA=0.01 \
    outrider compare profile.json april.csv
echo "april: exit status $?"
echo

status=0
OUTRIDER_ALPHA=0.01 \
    outrider compare profile.json may.csv --json may.json --html may.html || status=$?
echo "may: exit status $status"
echo "look at $work/may.html"
