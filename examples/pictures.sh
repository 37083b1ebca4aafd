#!/usr/bin/env bash
# The pictures of the documentation, made anew from the recorded answers of the quick start:  examples/pictures.sh
set -euo pipefail

cd "$(dirname "$0")/.."
pictures=$PWD/examples/pictures
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

STUDY="$work" TKSTUDIES_REPLAY=cassettes examples/quickstart.sh > "$work/log"
mkdir -p "$pictures"
cd "$work"
tkstudies plot pca.jsonl -o pca.png
tkstudies plot control-chart pca.jsonl -o control-chart.png
tkstudies filter 'reco = prompt' 'run_number in 317434,317527,317591' -i runs.jsonl \
    | tkstudies dqm --collection tracking --replay "$OLDPWD/cassettes" -o hists.jsonl
tkstudies plot histogram hists.jsonl --run 317434 --reco prompt --reference-run 317527,317591 --plot '*Pixel_GenTk' \
    -o histogram.png
STUDY="$work" "$OLDPWD/examples/trend.sh" > /dev/null
STUDY="$work" TKSTUDIES_REPLAY="$OLDPWD/cassettes" "$OLDPWD/examples/clusters.sh" > /dev/null
TKSTUDIES_REPLAY="$OLDPWD/cassettes" tkstudies todo --min 317291 --max 318877 -o todo.jsonl
tkstudies report . -o report.html
cp {pca,control-chart,histogram,trend,clusters}.png "$pictures" # made here, as a picture says by which command line
chromium --headless --no-sandbox --window-size=1280,900 --screenshot="$pictures/report.png" "file://$work/report.html"
du -b "$pictures"/*.png
