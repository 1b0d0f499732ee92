#!/usr/bin/env python3
"""A second implementation of Spec/wpatch.md, written from its text: what it and Errata agree on is in the Spec.

    witness.py PATCH BASE [EDITED] [--parent PATCH ...]

Opens PATCH with the standard readers, checks its seal, IDs and digests, applies it with numpy to BASE (a checkpoint
directory or a bare .safetensors file), and compares the result with the digests that the patch records and, byte for
byte, with EDITED. Exit codes: 0 everything agrees, 1 something differs. Needs numpy, safetensors and zstandard.
"""
import argparse
import hashlib
import io
import json
import sys
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy
import zstandard

NUMPY_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I8": "i1"}


def sha256(*parts):
    return hashlib.sha256(b"".join(part if isinstance(part, bytes) else part.encode() for part in parts)).hexdigest()


def expect(condition, statement):
    print("ok     " if condition else "DIFFERS", statement)
    if not condition:
        sys.exit(1)


class Patch:
    def __init__(self, path):
        file = Path(path).read_bytes()
        expect(file[:24] == b"W\x2a\x4d\x18\x10\0\0\0errata wpatch 1\n", f"{path} begins with the magic frame")
        expect(file[-40:-32] == b"Z\x2a\x4d\x18\x20\0\0\0", f"{path} ends with a seal")
        expect(file[-32:] == hashlib.sha256(file[:-40]).digest(), f"{path} is sealed as it is")
        content = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(file), read_across_frames=True).read()
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        self.id = sha256(content)
        self.manifest = json.loads(header["__metadata__"]["wpatch"])
        # batch -> "weight/part" -> (dtype, array)
        self.batches = [{} for _ in self.manifest["batches"]]
        for name, array in safetensors.numpy.load(content).items():
            batch, rest = name.split("/", 1)
            self.batches[int(batch)][rest] = header[name]["dtype"], array
        for number, (batch, said) in enumerate(zip(self.batches, self.manifest["batches"])):
            expect(batch_digest(batch) == said["digest"], f"{path}: batch {number} has the recorded digest")
            for fact in said["facts"]:
                text = "\0".join([fact["subject"], fact["prompt"], fact["target_new"]])
                expect(sha256(text)[:16] == fact["id"], f"{path}: fact {fact['id']} has the ID of its text")


def batch_digest(batch):
    parts = []
    for name, (dtype, array) in sorted(batch.items(), key=lambda item: item[0].encode()):
        parts += [f"{name} {dtype} {list(array.shape)}\n", array.astype(NUMPY_TYPES[dtype]).tobytes()]
    return sha256(*parts)


def factor(batch, name, facts_axis):
    """The exact values of a factor, in float64."""
    values = batch[name][1].astype(np.float64)
    if name + "_exponents" in batch:
        scales = np.ldexp(1.0, batch[name + "_exponents"][1].astype(int))
        values *= scales[:, None] if facts_axis == 0 else scales[None, :]
    return values


def load_checkpoint(path):
    """name -> {"dtype", "shape", "data"}, the data as bytes."""
    path = Path(path)
    index = path / "model.safetensors.index.json"
    single = path / "model.safetensors" if path.is_dir() else path
    named = set() if single.exists() else set(json.loads(index.read_text())["weight_map"].values())
    shards = [path / name for name in sorted(named)] or [single]
    return {name: tensor for shard in shards for name, tensor in safetensors.deserialize(shard.read_bytes())}


def tensor_digest(tensor):
    return sha256(f"{tensor['dtype']} {list(tensor['shape'])}\n", bytes(tensor["data"]))


def widen(data, dtype):
    if dtype == "BF16":
        return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    return np.frombuffer(data, NUMPY_TYPES[dtype]).astype(np.float64)


def narrow(values, dtype):
    """Rounds float64 to nearest, ties to even."""
    with np.errstate(over="ignore"):
        if dtype != "BF16":
            return values.astype(NUMPY_TYPES[dtype])
        # To float32 towards zero, with the last bit set if that lost anything: then rounding again rounds only once.
        single = values.astype(np.float32)
        bits = single.view(np.uint32).copy()
        bits -= np.abs(single.astype(np.float64)) > np.abs(values)
        bits |= bits.view(np.float32).astype(np.float64) != values
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")


def apply(tensor, name, transposed, batches):
    """The bytes of a tensor after exact apply of `batches`, a list in the order of their digests."""
    stored = widen(bytes(tensor["data"]), tensor["dtype"]).reshape(tensor["shape"])
    weight = stored.T if transposed else stored
    change = np.zeros(weight.shape)
    for batch in (batch for batch in batches if f"{name}/left" in batch):
        left, right = factor(batch, f"{name}/left", 1), factor(batch, f"{name}/right", 0)
        for fact in range(right.shape[0]):
            change += np.outer(left[:, fact], right[fact])
    result = weight + change
    result = narrow(np.ascontiguousarray(result.T if transposed else result), tensor["dtype"])
    expect(np.isfinite(widen(result.tobytes(), tensor["dtype"])).all(), f"{name} does not overflow")
    return result.tobytes()


def main():
    parser = argparse.ArgumentParser(description="Checks a .wpatch file against a checkpoint.")
    parser.add_argument("patch")
    parser.add_argument("base")
    parser.add_argument("edited", nargs="?")
    parser.add_argument("--parent", action="append", default=[], help="a patch that PATCH was computed on top of")
    options = parser.parse_args()

    patch, parents = Patch(options.patch), [Patch(path) for path in options.parent]
    needed = sorted(parent["patch"] for parent in patch.manifest.get("parents", []))
    expect(needed == sorted(parent.id for parent in parents), f"{len(needed)} parents are given")
    batches = {batch_digest(batch): batch for one in [patch] + parents for batch in one.batches}
    tensors = {name: said for one in parents + [patch] for name, said in one.manifest["base"]["tensors"].items()}

    base, result = load_checkpoint(options.base), patch.manifest.get("result", {})
    for name, said in sorted(tensors.items()):
        tensor = base[name]
        expect(tensor_digest(tensor) == said["sha256"], f"{name} is the base's")
        tensor["data"] = apply(tensor, name, said.get("transposed", False), [batches[key] for key in sorted(batches)])
        if name in result:
            expect(tensor_digest(tensor) == result[name], f"{name} has the recorded result")
    if options.edited:
        edited = load_checkpoint(options.edited)
        same = base.keys() == edited.keys() and all(bytes(base[n]["data"]) == bytes(edited[n]["data"]) for n in base)
        expect(same, f"{options.edited} is the base with the patch, byte for byte")
    print(f"patch {patch.id}")


if __name__ == "__main__":
    main()
