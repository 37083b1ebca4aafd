#!/usr/bin/env bash
# Pixel clusters over the year: their mean charge and size in each run, and the runs in which the charge is lowest.
#
#   examples/clusters.sh [RECO]      in the folder of the quick start: study/, or $STUDY; off line with
#                                    TKSTUDIES_REPLAY=cassettes
set -euo pipefail

reco=${1:-prompt}
[ -z "${TKSTUDIES_REPLAY:-}" ] || TKSTUDIES_REPLAY=$(cd "$TKSTUDIES_REPLAY" && pwd)
cd "${STUDY:-study}" # made by examples/quickstart.sh

tracks=/PixelPhase1/Tracks
tkstudies filter "reco = $reco" study.jsonl -o of_reco.jsonl
tkstudies dqm --plot $tracks/charge_PXBarrel --plot $tracks/size_PXBarrel of_reco.jsonl -o pixel_hists.jsonl
tkstudies features pixel_hists.jsonl -o pixel_features.jsonl
tkstudies merge pixel_features.jsonl < of_reco.jsonl > pixel.jsonl
tkstudies plot trend --y charge.PXBarrel.mean --y size.PXBarrel.mean --side-by-side pixel.jsonl -o clusters.png
echo "The runs in which the mean charge is lowest:"
tkstudies sort --by charge.PXBarrel.mean --top 5 pixel.jsonl \
    | tkstudies select run_number pixel bad_reason charge.PXBarrel.mean size.PXBarrel.mean | tkstudies show
