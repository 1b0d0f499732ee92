#!/bin/bash
# mpi.sh TOOLS-WITH-MPI [SCRATCH]: edits under mpirun, on the sample model. The patch of 1, 2, 3 and 4 processes is to the
# byte the one of a process without mpirun; a process that is killed ends the others, and loses nothing that was found.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
tools=$(cd "$1" && pwd)
scratch=${2:-$(mktemp -d)}
mkdir -p "$scratch"
cd "$scratch"
rm -f ./*.wpatch ./*.partial

export PATH="$tools:$PATH" ERRATA_THREADS=1 SOURCE_DATE_EPOCH=1700000000
# Open MPI asks for both where it is started by root, as in a container.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
samples=$root/SamplePatches
# Many contexts, so that a few facts at a time fill the search's memory, and there is something to share.
python3 -c 'import json; print(json.dumps(["{}"] + [f"This is number {n} of them. {{}}" for n in range(1, 120)]))' \
  >templates.json

work=("$samples/model" --facts "$samples/facts.json" --records 0-15 --stats "$samples/stats.safetensors" --layers 1
  --steps 3 --templates templates.json --quiet)
processes() { mpirun -n "$1" --oversubscribe --bind-to none errata-edit "${work[@]}" "${@:2}"; }
fail() {
  echo "mpi.sh: $*" >&2
  exit 1
}

errata-edit "${work[@]}" -o alone.wpatch >/dev/null
for count in 1 2 3 4; do
  processes $count -o "of$count.wpatch" >answer
  cmp alone.wpatch "of$count.wpatch" || fail "the patch of $count processes is another"
  # One answer, whoever found the values.
  [ "$(grep -c ': patch ' answer)" = 1 ] || fail "$count processes gave more than one answer"
  echo "$count processes: the same patch"
done
[ -z "$(find . -name '*.partial')" ] || fail "something was left: $(find . -name '*.partial')"

# What fails for all is said once, with the right exit code.
code=0
processes 3 --layers 99 -o none.wpatch >/dev/null 2>errors || code=$?
[ "$code" != 0 ] || fail "a wrong layer was not refused"
[ "$(grep -c '^errata edit' errors)" = 1 ] || fail "three processes said: $(cat errors)"
[ ! -e none.wpatch ] || fail "a patch was written"
echo "an error: said once, exit code $code"

# A process dies at a random moment, ten times.
partials() { find . -name 'killed.wpatch*.partial' | wc -l; }
RANDOM=19
for attempt in $(seq 10); do
  mpirun -n 3 --oversubscribe --bind-to none errata-edit "${work[@]}" -o killed.wpatch >/dev/null 2>&1 &
  mpi=$!
  sleep "$((RANDOM % 4)).$((RANDOM % 10))"
  mapfile -t victims < <(pgrep -P $mpi -x errata-edit)
  [ ${#victims[@]} -eq 0 ] || kill -9 "${victims[RANDOM % ${#victims[@]}]}" 2>/dev/null || true
  wait $mpi || true
  # mpirun does not wait for those that it has told to end.
  for second in $(seq 20); do
    living=0
    for victim in "${victims[@]}"; do ! kill -0 "$victim" 2>/dev/null || living=$((living + 1)); done
    [ $living -gt 0 ] || break
    sleep 1
  done
  [ $living = 0 ] || fail "$living processes live on"
  if [ -e killed.wpatch ]; then
    echo "attempt $attempt: done before"
    cmp alone.wpatch killed.wpatch || fail "the patch of a run that went on is another"
    rm killed.wpatch
  else
    echo "attempt $attempt: killed, $(partials) files kept"
  fi
done
processes 2 -o killed.wpatch >/dev/null
cmp alone.wpatch killed.wpatch || fail "the patch of a run that went on is another"
[ "$(partials)" = 0 ] || fail "something was left"
echo "what was found by killed processes was used: the same patch"
