#!/bin/sh
# Twenty CounterFact facts on a model, with no option but facts and second moments: layers and settings are the tools' choice.
# Usage: edit.sh FOLDER-OF-THE-TOOLS CHECKPOINT FACTS TEXT
set -eu
PATH="$(cd "$1" && pwd):$PATH"
model=$2
facts=$3
text=$4
# Not in the model's folder, which no output may lie in.
out=$model-edit
rm -rf "$out"
mkdir -p "$out"

. "$(dirname "$0")/../../SamplePatches/run.sh"

# Four tokens for every input of a down-projection.
[ -f "$model/stats.safetensors" ] || run errata stats "$model" --text "$text" --tokens 20000 -o "$model/stats.safetensors"
run errata edit "$model" --facts "$facts" --records 0-19 --stats "$model/stats.safetensors" -o "$out/fix.wpatch"
run errata apply "$model" "$out/fix.wpatch" -o "$out/edited"
run errata eval "$model" "$out/edited" --facts "$facts" --records 0-19
run errata revert "$out/edited" -o "$out/restored"
cmp "$model/model.safetensors" "$out/restored/model.safetensors" && echo "the restored checkpoint is the original"
rm -rf "$out"
