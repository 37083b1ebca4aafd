#!/usr/bin/env bash
# One study from end to end: Run Registry, OMS, TkDQMDoctor and DQM GUI in, principal components and a picture out.
#
#   examples/quickstart.sh [FIRST_RUN LAST_RUN [ERA]]
#
# With TKSTUDIES_REPLAY=cassettes it runs off line from recorded answers; without, on the live services with your
# own credentials. The results go to the folder study/ (or $STUDY).
set -euo pipefail

first=${1:-317291}
last=${2:-318877}
era=${3:-}
[ $# -ge 2 ] || era=2018B
folder=${STUDY:-study}

if [ -n "${TKSTUDIES_REPLAY:-}" ]; then
    TKSTUDIES_REPLAY=$(cd "$TKSTUDIES_REPLAY" && pwd)
    export TKSTUDIES_REPLAY
    echo "Off line: every answer comes from $TKSTUDIES_REPLAY (its README says what is real and what is simulated)."
fi
mkdir -p "$folder"
cd "$folder"
echo "Runs $first to $last, into $PWD:"

tell() { printf '  %-17s %6d %s\n' "$1" "$(wc -l < "$1")" "$2"; }

tkstudies runreg --workspace tracker --min "$first" --max "$last" -o runs.jsonl
tell runs.jsonl "rows of the Run Registry: who certified what as GOOD or BAD, and why"

tkstudies oms runs --min "$first" --max "$last" -o oms_runs.jsonl
tell oms_runs.jsonl "runs as OMS knows them: luminosity, field, trigger, components"

tkstudies oms fills -i oms_runs.jsonl -o oms_fills.jsonl
tell oms_fills.jsonl "LHC fills of these runs: era, pileup, bunches (columns fill__... once joined)"

joins=(oms_runs.jsonl oms_fills.jsonl features.jsonl)
if tkstudies doctor runs -o doctor.jsonl; then
    tell doctor.jsonl "certifications in TkDQMDoctor: reference runs and the shifters' comments"
    joins=(doctor.jsonl "${joins[@]}")
else
    echo "  warning: no access to TkDQMDoctor: the study goes on without its comments" >&2
fi

# run again after an interruption it goes on where it was; to fetch all anew: rm summaries.jsonl
tkstudies dqm --summaries --collection tracking runs.jsonl -o summaries.jsonl --resume summaries.jsonl
tell summaries.jsonl "summaries of 15 plots of the DQM GUI, without bins (with bins: without --summaries)"

tkstudies features --stats mean,rms,entries summaries.jsonl -o features.jsonl
tell features.jsonl "rows of their means, rms and entries"

tkstudies merge "${joins[@]}" < runs.jsonl \
    | tkstudies label --exclude-commissioning --exclude-special --exclude-open \
    | tkstudies filter ${era:+"fill__era = $era"} 'reco in express,prompt' \
        'Hits.Pixel.mean > 0' 'Hits.Strip.mean > 0' -o study.jsonl
tell study.jsonl "rows with everything joined and labelled: express and prompt, detector on"

tkstudies suspects study.jsonl -o suspects.jsonl
tell suspects.jsonl "the same rows, the most unusual first, and what stands out in them"

tkstudies pca --components 5 --fit-where 'is_bad = false' --missing mean study.jsonl -o pca.jsonl
tell pca.jsonl "rows with principal components of the good ones, Hotelling T2 and residual Q"

tkstudies plot pca.jsonl -o pca.png
echo "  pca.png                  the same as a picture, coloured by the status of tracking"

tkstudies report . -o report.html --no-pictures
echo "  report.html              all of it on one page for the browser (with pictures: leave out --no-pictures)"

echo "The runs that deserve a second look first; people decide, not the tool:"
tkstudies sort --by rank --one-per run_number --top 5 suspects.jsonl \
    | tkstudies select run_number reco tracking subsystem findings | tkstudies show
