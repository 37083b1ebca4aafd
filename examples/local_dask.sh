#!/usr/bin/env bash
# A study in shards, worked on by Dask on all cores of this machine: the same bytes as by one process.
#
#   examples/local_dask.sh [JOBS]      in the folder of the quick start: study/, or $STUDY; JOBS is dask, or a number
#
# Dask comes with: pip install 'tkstudies[dask]'. On HTCondor: examples/lxplus_dask.py.
set -euo pipefail

jobs=${1:-dask}
cd "${STUDY:-study}" # made by examples/quickstart.sh

tkstudies shard study.jsonl --runs-per-file 10 -o shards/           # a second call cuts only what has changed
tkstudies filter 'Hits.Pixel.mean > 0' shards --jobs "$jobs" -o chosen/ # a file for each; a second call does what is missing
tkstudies pca --fit-where 'is_bad = false' --missing mean chosen --jobs "$jobs" -o of_shards.jsonl

tkstudies pca -q --fit-where 'is_bad = false' --missing mean chosen -o of_one.jsonl
cmp of_shards.jsonl of_one.jsonl && echo "$jobs and one process: the same $(wc -l < of_one.jsonl) rows, byte for byte"
