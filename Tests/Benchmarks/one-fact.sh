#!/bin/sh
# One fact, from checkpoint to result, by Errata and by the PyTorch reference in turn, with the same second moments and
# context templates: seconds of each run and their ratio.
#
#   one-fact.sh FOLDER-OF-THE-TOOLS PYTHON MODEL FACTS.json STATS.safetensors REFERENCE-STATS.safetensors TEMPLATES.json REFERENCE-TEMPLATES.json [RUNS]
set -eu
tools=$1 python=$2 model=$3 facts=$4 stats=$5 reference_stats=$6 templates=$7 reference_templates=$8 runs=${9:-3}
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

seconds() {
  start=$(date +%s.%N)
  "$@" >/dev/null 2>"$scratch/errors" || { cat "$scratch/errors" >&2; exit 1; }
  echo "$(date +%s.%N) $start" | awk '{ printf "%.2f", $1 - $2 }'
}

for run in $(seq "$runs"); do
  rm -rf "$scratch/reference"
  ours=$(seconds "$tools/errata" edit "$model" --facts "$facts" --records 0 --method emmet --layers 5 \
    --stats "$stats" --templates "$templates" -o "$scratch/fix.wpatch" --quiet)
  theirs=$(seconds "$python" "$here/reference.py" edit "$model" --facts "$facts" --records 0:1 --method emmet \
    --layers 5 --stats "$reference_stats" --templates "$reference_templates" -o "$scratch/reference")
  echo "$run $ours $theirs" | awk '{ printf "run %d: errata %.2f s, reference %.2f s, ratio %.1f\n", $1, $2, $3, $3 / $2 }'
done
