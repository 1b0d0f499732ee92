"""The obvious script: load a checkpoint with safetensors, add the patch's products to its weights, save it.

    apply_patch.py MODEL PATCH.safetensors OUTPUT

PATCH.safetensors is a patch's content (`zstd -dc x.wpatch`). Needs torch and safetensors.
"""
import glob
import json
import os
import shutil
import sys

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

model, patch, output = sys.argv[1:4]
torch.set_num_threads(os.cpu_count())
factors = load_file(patch)
with safe_open(patch, "pt") as file:
    bases = json.loads(file.metadata()["wpatch"])["base"]["tensors"]


def scaled(name, exponents_shape):
    values = factors[name].float()
    exponents = factors.get(name + "_exponents")
    return values if exponents is None else values * (2.0 ** exponents.float()).reshape(exponents_shape)


os.makedirs(output)
for path in sorted(glob.glob(model + "/*")):
    destination = os.path.join(output, os.path.basename(path))
    if not path.endswith(".safetensors"):
        shutil.copy(path, destination)
        continue
    weights = load_file(path)
    for name, base in bases.items():
        if name in weights:
            delta = scaled(f"0/{name}/left", (1, -1)) @ scaled(f"0/{name}/right", (-1, 1))
            delta = delta.T if base.get("transposed") else delta
            weights[name] = (weights[name].float() + delta).to(weights[name].dtype)
    save_file(weights, destination, metadata={"format": "pt"})
