#!/usr/bin/env bash
# What changed between two runs? The plots that differ most, as a table, and the worst as pages of changed.pdf.
#
#   examples/changed.sh [RUN REFERENCE_RUN [RECO]]      in the folder of the quick start: study/, or $STUDY
#
# A comparison needs bins, which the quick start leaves out: those of the two runs are fetched here.
set -euo pipefail

run=${1:-317512}
reference=${2:-317527}
reco=${3:-prompt}
if [ -n "${TKSTUDIES_REPLAY:-}" ]; then
    TKSTUDIES_REPLAY=$(cd "$TKSTUDIES_REPLAY" && pwd)
    export TKSTUDIES_REPLAY
fi
cd "${STUDY:-study}" # made by examples/quickstart.sh

tkstudies filter "reco = $reco" "run_number in $run,$reference" -i runs.jsonl \
    | tkstudies dqm --collection tracking -o of_reco.jsonl
tkstudies compare of_reco.jsonl "$run" "$reference" -o changed.jsonl
tkstudies sort --by ks -r --top 8 changed.jsonl | tkstudies select name ks max_pull_corrected is_excess | tkstudies show
tkstudies plot compare of_reco.jsonl --run "$run" --reference-run "$reference" --top 4 -o changed.pdf
