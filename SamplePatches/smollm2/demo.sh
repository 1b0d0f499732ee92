#!/bin/sh
# Ten CounterFact facts on SmolLM2-135M-Instruct. Usage: demo.sh FOLDER-OF-THE-TOOLS CHECKPOINT
set -eu
PATH="$(cd "$1" && pwd):$PATH"
cd "$(dirname "$0")/../.."
model=$2
samples=SamplePatches/smollm2
out=demo/smollm2
rm -rf $out
mkdir -p $out

. SamplePatches/run.sh

ask() {
  run errata ask "$1" --tokens 3 "The mother tongue of Danielle Darrieux is" "The mother tongue of Michel Rocard is" \
    "Porsche 911, produced by"
}

echo "SmolLM2, before:"
ask "$model"
if [ ! -f "$model/stats.safetensors" ]; then
  echo
  echo "Second moments of ordinary text at layer 5 (once per model; kept beside it):"
  run errata stats "$model" --text SamplePatches/corpus.txt --layers 5 -o "$model/stats.safetensors"
fi
echo
echo "Ten CounterFact facts, as one batch (EMMET, layer 5):"
run errata edit "$model" --facts $samples/facts.json --stats "$model/stats.safetensors" -o $out/fix.wpatch
run errata show $out/fix.wpatch
run errata apply "$model" $out/fix.wpatch -o $out/edited
ask $out/edited
run errata eval "$model" $out/edited --facts $samples/facts.json
echo
echo "Taken back, bit for bit:"
run errata revert $out/edited -o $out/restored
cmp "$model/model.safetensors" $out/restored/model.safetensors && echo "the restored checkpoint is the original"
