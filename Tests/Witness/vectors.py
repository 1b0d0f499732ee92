#!/usr/bin/env python3
"""Checks witness.py with the test vectors of Spec/wpatch.md.

    vectors.py FOLDER BASE

FOLDER has the vectors and what is to be found in them, BASE is the checkpoint that they are for. Exit codes: 0 everything
agrees, 1 something differs.
"""
import json, sys
from pathlib import Path

import numpy as np
from witness import Differs, Patch, apply, expect, factor, held_slacks, load_checkpoint, slacks_of, tensor_digest


def symmetric(packed):
    size = int(np.sqrt(2 * len(packed)))
    matrix = np.zeros((size, size))
    matrix[np.tril_indices(size)] = packed
    return np.tril(matrix) + np.tril(matrix, -1).T


def preservation(said, batch, name, rho=0):
    """tr(A T A^T), or None where the patch does not tell T."""
    left, right = factor(batch, f"{name}/left", 1), factor(batch, f"{name}/right", 0)
    if f"{name}/text" in batch:
        text = symmetric(batch[f"{name}/text"][1])
    elif said.get("metric", {}).get("kind", "second_moments") != "second_moments" or f"{name}/gram" not in batch:
        return None
    else:
        text = symmetric(batch[f"{name}/gram"][1]) - rho * right @ right.T
        mu = np.array(held_slacks(said))
        if len(mu):
            if f"{name}/held_product" not in batch:
                return None
            product = batch[f"{name}/held_product"][1][:, mu > 0]
            text = text - product / mu[mu > 0] @ product.T
    return float(np.trace(left @ text @ left.T))


def residual_norms(said, batch, name):
    left, gram = factor(batch, f"{name}/left", 1), symmetric(batch[f"{name}/gram"][1])
    return np.linalg.norm(left @ (gram + np.diag(slacks_of(said, name, len(gram)))), axis=0).tolist()


def check_vectors(folder, base_path):
    for name, said in sorted(json.loads((Path(folder) / "vectors.json").read_text()).items()):
        if "refused" in said:
            try:
                Patch(Path(folder) / name)
            except Differs:
                continue
            expect(False, f"{name} is refused: {said['refused']}")
            continue
        patch, base = Patch(Path(folder) / name), load_checkpoint(base_path)
        manifest, batch = patch.manifest["batches"][0], patch.batches[0]
        ((weight, tensor),) = ((key, base[key]) for key in patch.manifest["base"]["tensors"])
        tensor["data"] = apply(tensor, weight, False, patch.batches)
        of_facts = manifest.get("terms", "facts") == "facts"
        found = {
            "format": patch.format,
            "patch": patch.id,
            "batches": [one["digest"] for one in patch.manifest["batches"]],
            "facts": [fact["id"] for one in patch.manifest["batches"] for fact in one.get("facts", [])],
            "result": tensor_digest(tensor),
        }
        expect(found == {key: said[key] for key in found}, f"{name} has the expected digests")
        disturbance = preservation(manifest, batch, weight) if of_facts else None
        expect(agree(disturbance, said["preservation"][0]), f"{name} disturbs text as expected")
        norms = residual_norms(manifest, batch, weight) if of_facts else None
        expect(agree(norms, said["residuals"][0]), f"{name} has the expected residuals")


def agree(found, expected):
    if found is None or expected is None:
        return found is expected
    return np.allclose(found, expected, rtol=1e-12, atol=0)


if __name__ == "__main__":
    try:
        check_vectors(*sys.argv[1:])
    except Differs:
        sys.exit(1)
