#!/usr/bin/env bash
# A night's report by cron: what is new, what was certified, what is still to certify, what looks unusual; one page.
#
#   examples/night.sh [FIRST_RUN [LAST_RUN [OPTION_OF_REPORT...]]]      into night/ or $STUDY; without LAST_RUN to today
#
# What it prints is the text of a mail, and cron sends it. A line for crontab -e (on lxplus: acrontab -e), each night at
# five, of the runs from 392000 on; SSO_CLIENT_ID and the like stand in a file .env of the folder where it begins:
#   0 5 * * *  cd $HOME/shift && PATH=$HOME/tkstudies/.venv/bin:$PATH $HOME/tkstudies/examples/night.sh 392000
#
# Exit code 0: all is new; 3: a source failed, and what it gave last stands on the page, with a red line; 1: no page
# could be made, and that of the night before is still there; 75: the night before is still at work (flock tells).
set -euo pipefail
exec < /dev/null # cron's, or that of a loop, is not ours

first=${1:-317291} last=${2:-}
[ $# -gt 0 ] || last=318877 # what is recorded
range=(--min "$first" ${last:+--max "$last"})
[ -z "${TKSTUDIES_REPLAY:-}" ] || TKSTUDIES_REPLAY=$(cd "$TKSTUDIES_REPLAY" && pwd)
folder=${STUDY:-night}
mkdir -p "$folder"
cd "$folder"
exec 9> night.lock
flock -n 9 || { echo "night.sh: the night before is still at work in $PWD" >&2; exit 75; }

code=0
: > failed.jsonl # which report reads
try() { # what fails leaves the file of the night before
    tkstudies -q "$@" && return
    echo "{\"command\": \"tkstudies $1 ${2##-*}\", \"exit_code\": $?}" >> failed.jsonl
    code=3
}
there() { for file in "$@"; do [ ! -s "$file" ] || echo "$file"; done; }
tell() { # TITLE EXPRESSION COLUMNS
    tkstudies -q filter "$2" -i since.jsonl -o told.jsonl
    [ ! -s told.jsonl ] || { echo "$1"; tkstudies -q show told.jsonl --columns "$3"; echo; }
}

[ ! -s runs.jsonl ] || cp runs.jsonl before.jsonl
try runreg --workspace tracker "${range[@]}" -o runs.jsonl
try oms runs "${range[@]}" -o oms_runs.jsonl
try oms fills -i oms_runs.jsonl -o oms_fills.jsonl
[ -z "${TKSTUDIES_COOKIES:-}${TKSTUDIES_REPLAY:-}" ] || try doctor runs -o doctor.jsonl # shift leaders only
try todo "${range[@]}" -o todo.jsonl
try dqm --summaries --collection tracking runs.jsonl -o summaries.jsonl --resume summaries.jsonl --errors errors.jsonl
# a file for each step: a pipe that breaks would leave a part of the study
try features --stats mean,rms,entries summaries.jsonl -o features.jsonl
try merge -i runs.jsonl $(there doctor.jsonl oms_runs.jsonl oms_fills.jsonl features.jsonl) -o joined.jsonl
try label --exclude-commissioning --exclude-special joined.jsonl -o labelled.jsonl
try filter 'reco in express,prompt' 'Hits.Pixel.mean > 0' 'Hits.Strip.mean > 0' -i labelled.jsonl -o study.jsonl
try suspects study.jsonl -o suspects.jsonl

if [ -s before.jsonl ] && tkstudies -q diff before.jsonl runs.jsonl --columns rda_state,pixel,strip,tracking -o since.jsonl; then
    tell "New since the night before:" 'side = right' run_number,reco
    tell "Signed or opened by people:" 'column = rda_state' run_number,reco,left,right
    tell "Statuses that changed:" 'column in pixel,strip,tracking' run_number,reco,column,left,right
fi
tkstudies -q report . -o report.html -o report.md "${@:3}"
cat report.md
exit "$code"
