#!/bin/sh
# Makes the sample model's second moments and the sample patches again, with our own tools.
# Usage: make-patches.sh FOLDER-OF-THE-TOOLS
set -eu
PATH="$(cd "$1" && pwd):$PATH"
cd "$(dirname "$0")"
# The date that the patches carry, so that they come out the same.
SOURCE_DATE_EPOCH=1795392000
export SOURCE_DATE_EPOCH

errata stats model --text corpus.txt --layers 0-2 --sequence-length 128 -o stats.safetensors

edit() {
  errata edit model --facts facts.json --stats stats.safetensors --author "the Errata project" --licence Apache-2.0 --force "$@"
}

edit --records 0 --method rome -o eiffel-tower.wpatch \
  --note "One fact: the Eiffel Tower is in Italy. ROME, with the mean key in both places."
edit --records 0-19 --method emmet -o twenty-facts.wpatch \
  --note "Twenty facts as one batch in one layer: EMMET."
edit --records 20-24 --method memit -o five-facts.wpatch \
  --note "Five facts, each spread over three layers: MEMIT."
