#!/usr/bin/env bash
# Luminosity lost by reason: of runs that people certified bad, each run once (OMS online, no normtag).
#
#   examples/lost.sh [RECO]      in the folder of the quick start: study/, or $STUDY
set -euo pipefail

reco=${1:-prompt}
cd "${STUDY:-study}" # made by examples/quickstart.sh

tkstudies filter "reco = $reco" 'is_certified_bad = true' study.jsonl -o lost.jsonl
tkstudies count bad_reason --sum recorded_lumi lost.jsonl | tkstudies show
tkstudies plot count --x bad_reason lost.jsonl -o lost.png
