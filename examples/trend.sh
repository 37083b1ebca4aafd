#!/usr/bin/env bash
# Pixel hits (or any other number of a plot) over the year: a trend with eras, and where it left the usual range.
#
#   examples/trend.sh [COLUMN [RECO]]      in the folder of the quick start: study/, or $STUDY
set -euo pipefail

column=${1:-Hits.Pixel.mean}
reco=${2:-prompt}
cd "${STUDY:-study}" # made by examples/quickstart.sh

tkstudies filter "reco = $reco" study.jsonl -o of_reco.jsonl
tkstudies plot trend --y "$column" --hue tracking --side-by-side of_reco.jsonl -o trend.png
echo "The runs in which $column is lowest:"
tkstudies sort --by "$column" --top 5 of_reco.jsonl | tkstudies select run_number tracking bad_reason "$column" \
    | tkstudies show
