"""What numpy says of two changes of a tensor, from the dense matrices: the witness of `errata diff`.

    spectra.py CHANGES.safetensors

CHANGES holds A (a) and B (b), in F64. Prints JSON: norms, the norm of the difference, the cosine, the singular values, and the
principal angles between column spaces and row spaces, in radians, ascending. Needs numpy and safetensors.
"""
import json
import sys

import numpy as np
import safetensors.numpy


def spaces(matrix):
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    rank = int((values > values[0] * 1e-10).sum())
    return left[:, :rank], right[:rank].T, values


def angles(first, second):
    cosines = np.linalg.svd(first.T @ second, compute_uv=False)
    return np.sort(np.arccos(np.clip(cosines, -1, 1))).tolist()


tensors = safetensors.numpy.load_file(sys.argv[1])
a, b = tensors["a"], tensors["b"]
(columns_a, rows_a, values_a), (columns_b, rows_b, values_b) = spaces(a), spaces(b)
print(
    json.dumps(
        {
            "norms": [np.linalg.norm(a), np.linalg.norm(b), np.linalg.norm(a - b)],
            "cosine": (a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b),
            "ranks": [columns_a.shape[1], columns_b.shape[1]],
            "values": [values_a.tolist(), values_b.tolist()],
            "columns": angles(columns_a, columns_b),
            "rows": angles(rows_a, rows_b),
        }
    )
)
