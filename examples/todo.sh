#!/usr/bin/env bash
# What is still to certify? Open rows, whether their file is complete in the DQM GUI, and whether there is a reference.
#
#   examples/todo.sh [FIRST_RUN LAST_RUN]      off line with TKSTUDIES_REPLAY=cassettes; into todo/ or $STUDY
set -euo pipefail

first=${1:-317291}
last=${2:-318877}
folder=${STUDY:-todo}
if [ -n "${TKSTUDIES_REPLAY:-}" ]; then
    TKSTUDIES_REPLAY=$(cd "$TKSTUDIES_REPLAY" && pwd)
    export TKSTUDIES_REPLAY
fi
mkdir -p "$folder"
cd "$folder"

tkstudies todo --min "$first" --max "$last" -o todo.jsonl
tkstudies select run_number reco rda_state run_is_complete has_reference lumisections hours recorded_lumi_pb todo.jsonl \
    | tkstudies show --to markdown | tee todo.md
