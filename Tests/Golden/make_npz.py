"""Writes Tests/Golden/npz as numpy does: second moments as the ROME and MEMIT code has them, and weight deltas.

python make_npz.py npz
"""

import sys

import numpy

folder = sys.argv[1]


def state(matrix, count=100):
    """What util/runningstats.py keeps of a CombinedStat with one SecondMoment."""
    return {
        "constructor": numpy.array("util.runningstats.CombinedStat()"),
        "sample_size": numpy.array(10),
        "mom2.constructor": numpy.array("util.runningstats.SecondMoment()"),
        "mom2.count": numpy.array(count),
        "mom2.mom2": matrix,
    }


# Element (i, j) of the sum is 1000 [i = j] + 1 / (1 + i + j): any reader can say what it should have found.
index = numpy.arange(24)
matrix = 1000 * numpy.eye(24) + 1 / (1 + index[:, None] + index[None, :])
numpy.savez(f"{folder}/stored.npz", **state(matrix.astype(numpy.float32)))
numpy.savez_compressed(f"{folder}/deflated.npz", **state(matrix.astype(numpy.float32)))
numpy.savez_compressed(f"{folder}/float64.npz", **state(matrix))
# Long runs: copies that overlap what they write.
numpy.savez_compressed(f"{folder}/runs.npz", **state(numpy.zeros((24, 24), numpy.float32) + numpy.eye(24, dtype=numpy.float32)))
numpy.savez(f"{folder}/fortran.npz", **state(numpy.asfortranarray(matrix + numpy.triu(matrix))))
numpy.savez(f"{folder}/half.npz", **state(matrix.astype(numpy.float16)))
numpy.savez(f"{folder}/mean.npz", mean=numpy.zeros(24))

# The change of a down-projection of families/llama_tied, as its factors: keys 160 x 2, values 64 x 2.
weight = "model.layers.1.mlp.down_proj.weight"
keys = 1 / (1 + numpy.arange(160)[:, None] + numpy.arange(2)[None, :])
values = (numpy.arange(64)[:, None] - 32) / (3 + numpy.arange(2)[None, :])
numpy.savez_compressed(f"{folder}/deltas_float64.npz", **{f"{weight}.0": keys, f"{weight}.1": values})
half = {f"{weight}.0": keys.astype(numpy.float16), f"{weight}.1": values.astype(numpy.float16)}
numpy.savez(f"{folder}/deltas_float16.npz", **half)
