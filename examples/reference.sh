#!/usr/bin/env bash
# A reference for a run: certified, long enough, of the same kind, under the most similar conditions; and the run that
# is most typical of the last good ones.
#
#   examples/reference.sh [RUN]      in the folder of the quick start: study/, or $STUDY
set -euo pipefail

run=${1:-317661}
cd "${STUDY:-study}" # made by examples/quickstart.sh

echo "Candidates for a reference of run $run, the best first:"
tkstudies rank "$run" study.jsonl -o candidates.jsonl
tkstudies show candidates.jsonl --columns run_number,reco,rank,candidate_run_number,distance,times_used
echo "The most typical good run, and whether the present reference is still as typical:"
tkstudies rank --typical --top 1 study.jsonl -o typical.jsonl
tkstudies show typical.jsonl \
    --columns reco,candidate_run_number,distance,reference_run_number,reference_distance,reference_is_typical
