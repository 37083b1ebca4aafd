#!/usr/bin/env bash
# The pictures of the documentation, made anew from the recorded answers of the quick start:  examples/pictures.sh
set -euo pipefail

cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

STUDY="$work" TKSTUDIES_REPLAY=cassettes examples/quickstart.sh > "$work/log"
mkdir -p examples/pictures
cp "$work/pca.png" examples/pictures/pca.png
du -b examples/pictures/*.png
