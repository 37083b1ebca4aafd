#!/usr/bin/env bash
# Certifying a re-reconstruction: each run of a campaign against its own prompt reconstruction. The data are the same,
# so what changed is the software and the calibration: the same change in every run is meant, another one is a suspect.
#
#   examples/rereco.sh [FIRST_RUN LAST_RUN [RECO [TOLERANCE]]]
#
# With TKSTUDIES_REPLAY=cassettes it runs off line. The results go to the folder rereco/ (or $STUDY).
set -euo pipefail

first=${1:-317291}
last=${2:-318877}
reco=${3:-rereco}
tolerance=${4:-0.005}
folder=${STUDY:-rereco}
if [ -n "${TKSTUDIES_REPLAY:-}" ]; then
    TKSTUDIES_REPLAY=$(cd "$TKSTUDIES_REPLAY" && pwd)
    export TKSTUDIES_REPLAY
fi
mkdir -p "$folder"
cd "$folder"

tkstudies runreg --workspace tracker --min "$first" --max "$last" -o runs.jsonl
tkstudies dqm --collection tracking runs.jsonl | tkstudies features -o features.jsonl
tkstudies filter "reco in $reco,prompt" -i features.jsonl -o rows.jsonl

echo "Features of $reco that differ from those of the run's own prompt reconstruction by more than $tolerance of them:"
tkstudies diff -i rows.jsonl rows.jsonl --on run_number --left-where "reco = $reco" --right-where 'reco = prompt' \
    --columns Hits.mean,Hits.Pixel.mean,Hits.Strip.mean,Tracks.mean,TrackPt.mean,Chi2oNDF.mean \
    --tolerance "$tolerance" -o changes.jsonl
tkstudies filter 'side = both' -i changes.jsonl | tkstudies select run_number column left right \
    | tkstudies export --to csv
