#!/usr/bin/env bash
# Record all cassettes anew:  cassettes/record.sh
#
# At CERN, with credentials (README.md, "Logging in"), they become real answers. Without access, start the fixture
# server first:  python -m tests.cern --seed 2018 > /tmp/environment &  . /tmp/environment
set -euo pipefail

cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset TKSTUDIES_REPLAY
export TKSTUDIES_RECORD="$work/tape"

STUDY="$work/study" examples/quickstart.sh
tkstudies filter 'reco in rereco,prompt' -i "$work/study/runs.jsonl" \
    | tkstudies dqm --collection tracking -o "$work/hists.jsonl"  # for what compares: rereco.sh, changed.sh
STUDY="$work/study" examples/clusters.sh
STUDY="$work/real" examples/real.sh
cd "$work"
tkstudies runreg --api v3 --min 317291 --max 317300 -o v3.jsonl  # for the tests of the cassettes
tkstudies doctor problem-runs -o problems.jsonl || true
tkstudies doctor references -o references.jsonl
tkstudies todo --min 317291 --max 318877 -o todo.jsonl
cd - > /dev/null

rm -f cassettes/*.json
for file in "$work"/tape/*.json; do
    name=$(basename "$file")
    command=${name%%-*}
    number=0
    while [ -e "cassettes/$command-$(printf %03d $number).json" ]; do number=$((number + 1)); done
    mv "$file" "cassettes/$command-$(printf %03d $number).json"
done
du -ch cassettes/*.json | tail -n 1
