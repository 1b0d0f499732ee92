#!/bin/sh
# What types, ranks and zstd levels cost a patch and bring it: the tables of "Choosing types" in Spec/wpatch.md.
#
#   compression.sh FOLDER-OF-THE-TOOLS MODEL FACTS.json RECORDS PATCH [SCRATCH]
#
# For example, on the sample model, in some seconds (needs python3):
#   compression.sh .build/release SamplePatches/model SamplePatches/facts.json 0-19 SamplePatches/twenty-facts.wpatch
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

query() { # FILE EXPRESSION: a value in a JSON text, which is called x
  python3 -c 'import json, math, sys; x = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$1" "$2"
}

"$tools/errata" show "$patch" --json >"$scratch/patch.json"
# How the factors are stored, in the words of --factors; several words, which match none, where tensors are not alike.
stored=$(query "$scratch/patch.json" \
  '" ".join({",".join(t["storage"].lower().split()[:2]) for batch in x["figures"] for t in batch.values()})')
case $stored in "f32,f32") stored=f32 ;; "f16,f16") stored=f16 ;; "i8,i8") stored=i8 ;; esac

scores() { # PATCH: writes the scores on the checkpoint with the patch to scores.json
  rm -rf "$scratch/edited"
  "$tools/errata" apply "$model" "$1" -o "$scratch/edited" --quiet >/dev/null
  digest=$("$tools/errata" show "$scratch/edited" --json | grep -o '"current": *"[0-9a-f]*"' | sha256sum | cut -c1-16)
  [ -f "$scratch/scores-$digest" ] || {
    "$tools/errata" eval "$scratch/edited" --facts "$facts" --records "$records" --quiet --json >"$scratch/scores.new"
    mv "$scratch/scores.new" "$scratch/scores-$digest"
  }
  cp "$scratch/scores-$digest" "$scratch/scores.json"
}

row() { # NAME OPTIONS...: one line of the first table; of several tensors the worst
  name=$1
  shift
  if "$tools/errata" compact "$patch" "$@" -o "$scratch/row.wpatch" --force --json >"$scratch/row.json" 2>"$scratch/row.errors"; then
    scores "$scratch/row.wpatch"
    python3 - "$name" "$scratch" <<'EOF'
import json, math, sys

name, patch, row, scores = [sys.argv[1]] + [json.load(open(f"{sys.argv[2]}/{n}.json")) for n in ["patch", "row", "scores"]]
base, facts = patch["manifest"]["base"]["tensors"].values(), set()
for batch in patch["manifest"]["batches"]:
    facts.update(fact["id"] for fact in batch.get("facts", []))
whole = sum(math.prod(tensor["shape"]) * (4 if tensor["dtype"] == "F32" else 2) for tensor in base)


def worst(field):
    return max((tensor[field] for tensor in row["tensors"] if tensor[field] is not None), default=None)


def share(value):
    return "-" if value is None else f"{100 * value:.2g}%"


first, scored = row["tensors"][0], scores
assert not scored["partial"] and scored["summary"]["records"] > 0
cells = [name, first["storage"], f"{first['terms']} of {first['terms_before']}"]
cells += [f"{row['bytes'] // len(facts) // len(base)}", f"{100 * row['bytes'] / whole:.1f}%", share(worst("delta_error"))]
cells += [share(worst("facts_error"))]
cells += [share(worst("storage_error") if worst("worst_fact_error") is None else worst("worst_fact_error"))]
cells += [f"{scored['summary'][metric]:.1f}" for metric in ["ES", "PS", "NS", "S", "P(new)"]]
print("| " + " | ".join(cells) + " |")
EOF
  else
    echo "| $name | - | $(grep -q 'all terms' "$scratch/row.errors" && echo all || cat "$scratch/row.errors") | | | | | | | | | | |"
  fi
}

echo "| how | stored A B | terms | bytes per fact and layer | of the tensor | lost of D | of facts | worst fact | ES | PS | NS | S | P(new) |"
echo "|---|---|---|---|---|---|---|---|---|---|---|---|---|"
for types in f32 f32,f16 f16 i8,f16 f16,i8 i8; do
  if [ "$types" = "$stored" ]; then
    row "as edited" --compression-level 12
  else
    row "--factors $types" --factors "$types"
  fi
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
  pack=$(seconds "$tools/errata" compact "$patch" --compression-level $level -o "$scratch/level.wpatch" --force)
  "$tools/errata" compact "$scratch/narrow.wpatch" --compression-level $level -o "$scratch/narrow-level.wpatch" --force >/dev/null
  echo "| $level | $(wc -c <"$scratch/level.wpatch") | $(wc -c <"$scratch/narrow-level.wpatch") | $pack | $(seconds "$tools/errata" verify "$scratch/level.wpatch") |"
done
