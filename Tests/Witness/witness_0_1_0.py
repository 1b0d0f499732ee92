#!/usr/bin/env python3
"""A second implementation of Spec/wpatch.md, written from its text: what it and Errata agree on is in the Spec.

    witness.py PATCH BASE [EDITED [PARENT ...]]

Opens PATCH with the standard readers, checks its seal, structure, IDs and digests, applies it with numpy to BASE (a
checkpoint directory or a bare .safetensors file), and compares the result with the digests that the patch records and,
byte for byte, with EDITED. PARENT is a patch that PATCH was computed on top of. Exit codes: 0 everything agrees, 1
something differs. Needs numpy, safetensors and zstandard.
"""
import hashlib, io, json, sys
from pathlib import Path

import numpy as np, safetensors.numpy, zstandard

NUMPY_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I8": "i1", "I16": "<i2", "I32": "<i4", "U8": "u1"}


def sha256(*parts):
    return hashlib.sha256(b"".join(part if isinstance(part, bytes) else part.encode() for part in parts)).hexdigest()


def expect(condition, statement):
    print("ok     " if condition else "DIFFERS", statement)
    condition or sys.exit(1)


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
        self.batches = [{} for _ in self.manifest["batches"]]  # of "weight/part" -> (dtype, array)
        for name, array in safetensors.numpy.load(content).items():
            batch, rest = name.split("/", 1)
            self.batches[int(batch)][rest] = header[name]["dtype"], array
        edited = {name.rsplit("/", 1)[0] for batch in self.batches for name in batch}
        expect(edited == self.manifest["base"]["tensors"].keys(), f"{path} names the weights that it edits")
        for number, (batch, said) in enumerate(zip(self.batches, self.manifest["batches"])):
            expect(batch_digest(batch) == said["digest"], f"{path}: batch {number} has the recorded digest")
            for fact in said.get("facts", []):
                found = sha256("\0".join([fact["subject"], fact["prompt"], fact["target_new"]]))[:16]
                expect(found == fact["id"], f"{path}: fact {fact['id']} has the ID of its text")
            terms = {array.shape[1] for name, (_, array) in batch.items() if name.endswith("/left")}
            of_facts = said.get("terms", "facts") == "facts"
            expect(not of_facts or terms == {len(said["facts"])}, f"{path}: batch {number} has a term for every fact")


def batch_digest(batch):
    parts = []
    for name, (dtype, array) in sorted(batch.items(), key=lambda item: item[0].encode()):
        parts += [f"{name} {dtype} {list(array.shape)}\n", array.astype(NUMPY_TYPES[dtype]).tobytes()]
    return sha256(*parts)


def factor(batch, name, facts_axis):
    """The exact values of a factor, in float64."""
    values, exponents = batch[name][1].astype(np.float64), batch.get(name + "_exponents", (None, np.zeros(1)))[1]
    scales = np.ldexp(1.0, exponents.astype(int))
    return values * (scales[:, None] if facts_axis == 0 else scales[None, :])


def load_checkpoint(path):
    """name -> {"dtype", "shape", "data"}, the data as bytes."""
    shards = sorted(Path(path).glob("*.safetensors")) if Path(path).is_dir() else [Path(path)]
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
        # To 8 significant bits, or a multiple of the smallest subnormal number: float32 holds these exactly.
        steps = np.ldexp(1.0, np.maximum(np.frexp(values)[1] - 8, -133))
        return ((np.rint(values / steps) * steps).astype(np.float32).view(np.uint32) >> 16).astype("<u2")


def apply(tensor, name, transposed, batches):
    """The bytes of a tensor after exact apply of `batches`, a list in the order of their digests."""
    stored = widen(bytes(tensor["data"]), tensor["dtype"]).reshape(tensor["shape"])
    weight = stored.T if transposed else stored
    change = np.zeros(weight.shape)
    corrections = [batch for batch in batches if f"{name}/correction" in batch]
    editing = [batch for batch in batches if f"{name}/left" in batch or f"{name}/correction" in batch]
    expect(len(editing) < 2 or not corrections, f"{name} has no correction beside another batch")
    for batch in (batch for batch in editing if f"{name}/left" in batch):
        left, right = factor(batch, f"{name}/left", 1), factor(batch, f"{name}/right", 0)
        expect((len(left), right.shape[1]) == weight.shape, f"{name} has the shape of its factors")
        for column, row in zip(left.T, right, strict=True):
            change += np.outer(column, row)
    sums = (weight + change).T if transposed else weight + change
    rounded = narrow(np.ascontiguousarray(sums), tensor["dtype"]).tobytes()
    corrected = correct(rounded, name, "<i4" if tensor["dtype"] == "F32" else "<i2", corrections)
    for values in widen(rounded, tensor["dtype"]), widen(corrected, tensor["dtype"]):
        expect(np.isfinite(values).all(), f"{name} does not overflow")
    return corrected


def correct(data, name, integers, batches):
    """The bytes of a tensor after the steps of its corrections."""
    bits, lowest = np.frombuffer(data, integers).astype(np.int64), np.iinfo(integers).min
    order = np.where(bits < 0, lowest - 1 - bits, bits)
    for batch in batches:
        gaps = batch[f"{name}/correction_gaps"][1].astype(np.int64)
        ends = np.flatnonzero(gaps < 255)
        order[np.cumsum(gaps)[ends] + np.arange(len(ends))] += batch[f"{name}/correction"][1]
    return np.where(order < 0, lowest - 1 - order, order).astype(integers).tobytes()


def main(path, base_path, edited_path=None, *parent_paths):
    patch, parents = Patch(path), [Patch(parent) for parent in parent_paths]
    needed = {parent["patch"] for parent in patch.manifest.get("parents", [])}
    expect(needed == {parent.id for parent in parents}, f"{len(needed)} parents are given")
    batches = {batch_digest(batch): batch for one in [patch] + parents for batch in one.batches}
    tensors = {name: said for one in parents + [patch] for name, said in one.manifest["base"]["tensors"].items()}

    base, result = load_checkpoint(base_path), patch.manifest.get("result", {})
    for name, said in sorted(tensors.items()):
        tensor = base[name]
        expect(tensor_digest(tensor) == said["sha256"], f"{name} is the base's")
        tensor["data"] = apply(tensor, name, said.get("transposed", False), [batches[key] for key in sorted(batches)])
        if name in result:
            expect(tensor_digest(tensor) == result[name], f"{name} has the recorded result")
    if edited_path:
        edited = load_checkpoint(edited_path)
        same = base.keys() == edited.keys() and all(bytes(base[n]["data"]) == bytes(edited[n]["data"]) for n in base)
        expect(same, f"{edited_path} is the base with the patch, byte for byte")
    print(f"patch {patch.id}")


if __name__ == "__main__":
    main(*sys.argv[1:])
