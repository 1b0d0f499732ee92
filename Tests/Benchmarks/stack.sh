#!/bin/sh
# What becomes of two patches that were written apart: stacked as they are, stacked with --resolve, and all their facts
# edited as one batch. Prints the scores of either half on each checkpoint.
#
#   stack.sh FOLDER-OF-THE-TOOLS MODEL FACTS.json STATS.safetensors FIRST-RECORDS SECOND-RECORDS ALL-RECORDS [EDIT-OPTION ...]
#
# For example, on the sample model:
#   stack.sh .build/release SamplePatches/model SamplePatches/facts.json SamplePatches/stats.safetensors 0-19 20-39 0-39
set -eu
tools=$(realpath "$1") model=$(realpath "$2") facts=$(realpath "$3") stats=$(realpath "$4") first=$5 second=$6 all=$7
shift 7
PATH="$tools:$PATH"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

edit() {
  records=$1 name=$2
  shift 2
  errata edit "$model" --facts "$facts" --records "$records" --stats "$stats" --quiet "$@" -o "$scratch/$name.wpatch" | tail -n 1
}

edit "$first" first "$@"
edit "$second" second "$@"
edit "$all" whole "$@"
cd "$scratch"
errata stack first.wpatch second.wpatch --stats "$stats" -o sum.wpatch
errata stack first.wpatch second.wpatch --stats "$stats" --resolve -o resolved.wpatch | tail -n 1
for name in first second sum resolved whole; do
  errata apply "$model" "$name.wpatch" -o "$name" --quiet >/dev/null
done
for half in "first $first" "second $second"; do
  printf '\nrecords %s (the %s patch)\n' "${half#* }" "${half% *}"
  errata eval "${half% *}" sum resolved whole --facts "$facts" --records "${half#* }" --quiet
done
