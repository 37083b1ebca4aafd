#!/usr/bin/env bash
# Certifying a re-reconstruction: each run of a campaign against its own prompt reconstruction. The data are the same,
# so what changed is the software and the calibration: the same change in every run is meant, another one is a suspect.
#
#   examples/rereco.sh [FIRST_RUN LAST_RUN [RECO]]
#
# From 20 runs that are certified good in prompt it learns how much each plot changes, and the most unusual changes
# come first (z); of fewer runs the largest ones. With TKSTUDIES_REPLAY=cassettes it runs off line. The results go to
# the folder rereco/ (or $STUDY).
set -euo pipefail

first=${1:-317291}
last=${2:-318877}
reco=${3:-rereco}
folder=${STUDY:-rereco}
if [ -n "${TKSTUDIES_REPLAY:-}" ]; then
    TKSTUDIES_REPLAY=$(cd "$TKSTUDIES_REPLAY" && pwd)
    export TKSTUDIES_REPLAY
fi
mkdir -p "$folder"
cd "$folder"

tkstudies runreg --workspace tracker --min "$first" --max "$last" -o runs.jsonl
tkstudies filter "reco in $reco,prompt" -i runs.jsonl | tkstudies dqm --collection tracking -o hists.jsonl

against=(--reference-reco prompt hists.jsonl)
if tkstudies compare --learn --study runs.jsonl "${against[@]}" -o changes.json; then
    by=z
    against+=(--changes changes.json)
else
    by=ks
    echo "Too few runs tell how much a plot usually changes: the largest changes come first."
fi
tkstudies compare "${against[@]}" -o compared.jsonl
echo "Plots of $reco that differ most from those of the run's own prompt reconstruction:"
tkstudies sort --by "$by" --descending --top 20 compared.jsonl \
    | tkstudies select run_number reco name "$by" max_pull_corrected is_excess bin_x | tkstudies show
