#!/usr/bin/env bash
# Which comments mention high voltage (or anything else)? Those of the Run Registry and of TkDQMDoctor, run by run.
#
#   examples/comments.sh [REGULAR_EXPRESSION]      in the folder of the quick start: study/, or $STUDY
set -euo pipefail

pattern=${1:-'(?i)\bhv\b|high.voltage'}
cd "${STUDY:-study}" # made by examples/quickstart.sh

where=()
for column in comment pixel_comment strip_comment tracking_comment; do
    where+=("$column ~ $pattern")
done
tkstudies filter "$(printf '%s or ' "${where[@]:0:3}")${where[3]}" study.jsonl -o comments.jsonl
tkstudies sort --one-per run_number comments.jsonl \
    | tkstudies select run_number pixel strip tracking bad_reason comment strip_comment | tkstudies show
