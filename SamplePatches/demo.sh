#!/bin/sh
# The main job on the sample model: edit, show, apply, ask again, revert, compare. Usage: demo.sh FOLDER-OF-THE-TOOLS
set -eu
PATH="$(cd "$1" && pwd):$PATH"
cd "$(dirname "$0")/.."
samples=SamplePatches
rm -rf demo
mkdir demo

. SamplePatches/run.sh

ask() {
  run errata ask "$1" --tokens 4 "The mother tongue of Leo Tolstoy is" "The mother tongue of Alexander Pushkin is"
}

echo "A model, before. It knows that Tolstoy and Pushkin spoke Russian:"
ask $samples/model
echo
echo "Compute an edit of ten facts; one says that Tolstoy spoke French. The checkpoint is not touched:"
run errata edit $samples/model --facts $samples/facts.json --records 0-9 --stats $samples/stats.safetensors \
  --author "make demo" -o demo/fix.wpatch
echo
echo "What is in the patch?"
run errata show demo/fix.wpatch
echo
echo "Apply it, and ask again. Pushkin's mother tongue is what it was:"
run errata apply $samples/model demo/fix.wpatch -o demo/edited
ask demo/edited
echo
echo "Did the ten facts take, also in other words, and did their neighbours stay?"
run errata eval $samples/model demo/edited --facts $samples/facts.json --records 0-9
echo
echo "Take it back, and compare:"
run errata revert demo/edited -o demo/restored
printf '\n$ sha256sum */model.safetensors\n'
sha256sum $samples/model/model.safetensors demo/edited/model.safetensors demo/restored/model.safetensors
if ! cmp -s $samples/model/model.safetensors demo/restored/model.safetensors; then
  echo "demo: the restored checkpoint differs from the original" >&2
  exit 1
fi
echo
echo "The restored checkpoint is the original, bit for bit. The patch: $(wc -c <demo/fix.wpatch) bytes; demo/ holds it all."
