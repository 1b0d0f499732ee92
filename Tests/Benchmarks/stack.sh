#!/bin/sh
# What becomes of two patches that were written apart: stacked as they are, stacked with --resolve, and all their facts
# edited as one batch. Prints the scores of either half on each checkpoint.
#
#   stack.sh FOLDER-OF-THE-TOOLS MODEL FACTS.json STATS.safetensors FIRST-RECORDS SECOND-RECORDS ALL-RECORDS [EDIT-OPTION ...]
#
# For example, on the sample model:
#   stack.sh .build/release SamplePatches/model SamplePatches/facts.json SamplePatches/stats.safetensors 0-19 20-39 0-39
#
# On SmolLM2-135M-Instruct, two patches of 50 CounterFact facts, with the model and the second moments that 'make demo-smollm2'
# leaves in .cache/smollm2-135m (a quarter of an hour on two cores):
#   stack.sh .build/release .cache/smollm2-135m Tests/Benchmarks/facts.json .cache/smollm2-135m/stats.safetensors \
#     0-49 50-99 0-99 --layers 5 --lambda 0.1
#
# The second moments alone:
#   errata stats .cache/smollm2-135m --text SamplePatches/corpus.txt --layers 5 -o .cache/smollm2-135m/stats.safetensors
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
