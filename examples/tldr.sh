#!/usr/bin/env bash
# Everything for a range of runs and fills, as the older notebook's tl;dr did: both workspaces of the Run Registry, OMS,
# TkDQMDoctor and all 77 plots of the quick collections. Run it in an empty folder; it can be interrupted and run again.
#
#   examples/tldr.sh FIRST_RUN LAST_RUN FIRST_FILL LAST_FILL
set -euo pipefail

if [ $# -ne 4 ]; then
    sed -n '2,5s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
first_run=$1 last_run=$2 first_fill=$3 last_fill=$4
if [ -n "${TKSTUDIES_REPLAY:-}" ]; then
    TKSTUDIES_REPLAY=$(cd "$TKSTUDIES_REPLAY" && pwd)
    export TKSTUDIES_REPLAY
fi

tkstudies runreg --workspace tracker --min "$first_run" --max "$last_run" -o runs.jsonl
tkstudies runreg --workspace global --min "$first_run" --max "$last_run" -o global_runs.jsonl
tkstudies oms runs --min "$first_run" --max "$last_run" -o oms_runs.jsonl
tkstudies oms fills --min "$first_fill" --max "$last_fill" -o oms_fills.jsonl

doctor=()
if tkstudies doctor runs -o doctor.jsonl && tkstudies doctor problem-runs -o doctor_problems.jsonl; then
    tkstudies select run_number reco problem_names -i doctor_problems.jsonl -o problem_names.jsonl
    doctor=(doctor.jsonl problem_names.jsonl)
else
    echo "warning: no access to TkDQMDoctor: going on without its comments and problems" >&2
fi

# summaries.jsonl appears when all are fetched; until then summaries.jsonl.part is kept, and gone on with by the same line
tkstudies dqm --summaries --collection all runs.jsonl -o summaries.jsonl --resume summaries.jsonl --errors errors.jsonl
tkstudies features --stats mean,rms,entries summaries.jsonl -o features.jsonl

tkstudies filter 'reco = online' -i global_runs.jsonl | cat runs.jsonl - \
    | tkstudies merge ${doctor[@]+"${doctor[@]}"} oms_runs.jsonl oms_fills.jsonl features.jsonl \
    | tkstudies label --exclude-commissioning --exclude-special --exclude-open -o study.jsonl
echo "study.jsonl: $(wc -l < study.jsonl) rows of everything; of these, the collisions:"
tkstudies filter 'runtype = collisions' 'workspace = tracker' -i study.jsonl \
    | tkstudies count fill__era reco status_summary --sum recorded_lumi | tkstudies show
