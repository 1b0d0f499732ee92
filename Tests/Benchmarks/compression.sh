#!/bin/sh
# What types, ranks and zstd levels cost a patch and bring it: the tables of "Choosing types" in Spec/wpatch.md.
#
#   compression.sh FOLDER-OF-THE-TOOLS MODEL FACTS.json RECORDS PATCH [SCRATCH]
#
# PATCH is an edit of those records by 'errata edit'. Every row is derived from it by 'errata compact'. Scores are kept in
# SCRATCH by the digest of the result, so that rows with the same result are scored once, and a second run goes on.
set -eu
tools=$1 model=$2 facts=$3 records=$4 patch=$5
scratch=${6:-}
if [ -z "$scratch" ]; then
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
fi
mkdir -p "$scratch"

field() { # NAME FILE: the first number of that name in a JSON text, or -
  grep -o "\"$1\": *[-0-9.e]*" "$2" | head -1 | sed 's/.*: *//; s/^$/-/' | grep . || echo -
}

# The edited tensors in bytes, and how many there are.
tensors=$("$tools/errata" show "$patch" --json | tr -d '\n ' | grep -o '"base":{.*' | grep -o '"shape":\[[0-9]*,[0-9]*\]')
layers=$("$tools/errata" show "$patch" --json | tr -d '\n ' | sed 's/.*"base":{//; s/"batches".*//' | grep -o '"shape"' | wc -l)
elements=$(echo "$tensors" | head -"$layers" | tr -dc '0-9,\n' | awk -F, '{ sum += $1 * $2 } END { print sum }')
width=$(case $("$tools/errata" show "$patch" --json | grep -o '"dtype": *"[A-Z0-9]*"' | head -1) in *F32*) echo 4 ;; *) echo 2 ;; esac)
count=$("$tools/errata" show "$patch" --json | grep -o '"id": *"[0-9a-f]*"' | sort -u | wc -l)

scores() { # PATCH: ES | PS | NS | S | P(new) on the checkpoint with the patch
  rm -rf "$scratch/edited"
  "$tools/errata" apply "$model" "$1" -o "$scratch/edited" --quiet >/dev/null
  digest=$("$tools/errata" show "$scratch/edited" --json | grep -o '"current": *"[0-9a-f]*"' | sha256sum | cut -c1-16)
  [ -f "$scratch/scores-$digest" ] || {
    "$tools/errata" eval "$scratch/edited" --facts "$facts" --records "$records" --quiet | tail -1 |
      awk '{ print $3 " | " $4 " | " $5 " | " $6 " | " $7 }' >"$scratch/scores.new"
    mv "$scratch/scores.new" "$scratch/scores-$digest"
  }
  cat "$scratch/scores-$digest"
}

row() { # NAME OPTIONS...: one line of the first table
  name=$1
  shift
  if "$tools/errata" compact "$patch" "$@" -o "$scratch/row.wpatch" --json >"$scratch/row.json" 2>"$scratch/row.errors"; then
    bytes=$(field bytes "$scratch/row.json")
    awk -v name="$name" -v storage="$(grep -o '"storage": *"[^"]*"' "$scratch/row.json" | head -1 | sed 's/.*: *"//; s/"//')" \
      -v terms="$(field terms "$scratch/row.json") of $(field terms_before "$scratch/row.json")" -v bytes="$bytes" \
      -v each="$count" -v layers="$layers" -v whole="$elements" -v width="$width" \
      -v lost="$(field delta_error "$scratch/row.json")" -v facts="$(field facts_error "$scratch/row.json")" \
      -v worst="$(field worst_fact_error "$scratch/row.json")" -v rounding="$(field storage_error "$scratch/row.json")" \
      -v scores="$(scores "$scratch/row.wpatch")" '
      function share(x) { return x == "-" ? x : sprintf("%.2g%%", 100 * x) }
      BEGIN {
        printf "| %s | %s | %s | %d | %.1f%% | %s | %s | %s | %s |\n", name, storage, terms, bytes / each / layers,
          100 * bytes / whole / width, share(lost), share(facts), share(worst == "-" ? rounding : worst), scores
      }'
  else
    echo "| $name | - | $(grep -q 'all terms' "$scratch/row.errors" && echo all || cat "$scratch/row.errors") | | | | | | | | | | |"
  fi
}

echo "| how | stored A B | terms | bytes per fact and layer | of the tensor | lost of D | of facts | worst fact | ES | PS | NS | S | P(new) |"
echo "|---|---|---|---|---|---|---|---|---|---|---|---|---|"
for types in f32 f32,f16 f16 i8,f16 f16,i8 i8; do
  "$tools/errata" show "$patch" | grep -qi "$(echo "$types" | awk -F, '{ print " " $1 " " ($2 ? $2 : $1) " " }')" &&
    row "as edited" --compression-level 12 && continue
  row "--factors $types" --factors "$types"
done
for norm in facts text weights; do
  for tolerance in 0.001 0.01 0.05 0.1 0.2 0.3; do
    row "--tolerance $tolerance --norm $norm" --tolerance "$tolerance" --norm "$norm"
  done
done
row "--tolerance 0.1 --factors i8" --tolerance 0.1 --factors i8

seconds() { # of processor time that a command takes, the mean of five runs
  sh -c 'for run in 1 2 3 4 5; do "$@" >/dev/null; done; times' sh "$@" | tail -1 | tr 'ms' '  ' |
    awk '{ printf "%.3f", (60 * $1 + $2 + 60 * $3 + $4) / 5 }'
}

echo
echo "| level | bytes as edited | bytes with --factors i8 | CPU seconds to pack | CPU seconds to verify |"
echo "|---|---|---|---|---|"
"$tools/errata" compact "$patch" --factors i8 -o "$scratch/narrow.wpatch" >/dev/null
for level in 1 3 6 9 12 15 19 22; do
  pack=$(seconds "$tools/errata" compact "$patch" --compression-level $level -o "$scratch/level.wpatch")
  "$tools/errata" compact "$scratch/narrow.wpatch" --compression-level $level -o "$scratch/narrow-level.wpatch" >/dev/null
  echo "| $level | $(wc -c <"$scratch/level.wpatch") | $(wc -c <"$scratch/narrow-level.wpatch") | $pack | $(seconds "$tools/errata" verify "$scratch/level.wpatch") |"
done
