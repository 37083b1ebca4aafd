#!/usr/bin/env bash
# The morning after: which of the new express runs deserve a second look, judged by the good runs of this era.
#
#   examples/morning.sh [FIRST_RUN LAST_RUN FIRST_NEW_RUN]
#
# The good runs are those from FIRST_RUN on, the new ones those from FIRST_NEW_RUN to LAST_RUN. With
# TKSTUDIES_REPLAY=cassettes it runs off line. The results go to the folder morning/ (or $STUDY).
set -euo pipefail

first=${1:-317291}
last=${2:-318877}
new=${3:-318800}
folder=${STUDY:-morning}
if [ -n "${TKSTUDIES_REPLAY:-}" ]; then
    TKSTUDIES_REPLAY=$(cd "$TKSTUDIES_REPLAY" && pwd)
    export TKSTUDIES_REPLAY
fi
mkdir -p "$folder"
cd "$folder"

tkstudies runreg --workspace tracker --min "$first" --max "$last" -o runs.jsonl
tkstudies oms runs --min "$first" --max "$last" -o oms_runs.jsonl
tkstudies dqm --summaries --collection tracking runs.jsonl \
    | tkstudies features --stats mean,rms,entries -o features.jsonl
tkstudies merge oms_runs.jsonl features.jsonl < runs.jsonl \
    | tkstudies label --exclude-commissioning --exclude-special \
    | tkstudies filter 'reco in express,prompt' 'runtype = collisions' -o rows.jsonl
tkstudies filter "run_number < $new" -i rows.jsonl -o season.jsonl
tkstudies filter "run_number >= $new" 'reco = express' -i rows.jsonl -o new.jsonl

echo "The new express runs, the most unusual first:"
tkstudies suspects --history earlier --history-from season.jsonl --links new.jsonl -o suspects.jsonl
tkstudies select run_number score p_value subsystem findings oms_link -i suspects.jsonl \
    | tkstudies show
