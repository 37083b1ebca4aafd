#!/usr/bin/env bash
# The same tools on real measurements only: the runs of fill 6616 and the 63 lumisections of run 315265 from OMS, and
# the tracking map of run 321012 from the online DQM GUI.
#
#   examples/real.sh        with TKSTUDIES_REPLAY=cassettes off line; results in real/ (or $STUDY)
set -euo pipefail

if [ -n "${TKSTUDIES_REPLAY:-}" ]; then
    TKSTUDIES_REPLAY=$(cd "$TKSTUDIES_REPLAY" && pwd)
    export TKSTUDIES_REPLAY
fi
folder=${STUDY:-real}
mkdir -p "$folder"
cd "$folder"
echo "Real measurements, into $PWD:"

tkstudies oms runs --fill 6616 -o oms_runs.jsonl
tkstudies oms fills -i oms_runs.jsonl -o oms_fills.jsonl
tkstudies oms lumisections --run 315265 -o lumisections.jsonl

echo "Runs of fill 6616 with stable beams, and the luminosity that CMS recorded in each:"
tkstudies merge oms_fills.jsonl < oms_runs.jsonl \
    | tkstudies filter 'stable_beam = true' 'recorded_lumi > 0' -o fill.jsonl
tkstudies select run_number fill__era last_lumisection_number recorded_lumi recorded_lumi_unit -i fill.jsonl \
    | tkstudies show

echo "Principal components of the 63 lumisections of run 315265 (the last one, cut short, stands apart):"
tkstudies merge --prefix run__ oms_runs.jsonl < lumisections.jsonl \
    | tkstudies filter 'pileup > 0' -o study.jsonl
tkstudies pca --components 3 --features pileup --features '*_lumi' --keep all study.jsonl -o pca.jsonl
tkstudies plot --hue physics_flag pca.jsonl -o pca.png
tkstudies sort --by t2 --descending --top 3 pca.jsonl \
    | tkstudies select run_number lumisection_number pileup recorded_lumi t2 | tkstudies show

echo "The tracking map of run 321012 (track eta by phi):"
tkstudies dqm --run 321012 --online --tracking-map -o map.jsonl
tkstudies features map.jsonl | tkstudies show
