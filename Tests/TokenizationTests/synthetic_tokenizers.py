"""synthetic_tokenizers.py FOLDER: small tokenizers of every kind, trained here, as FOLDER/NAME.json.

Each is put together as the tokenizer.json of a family of models is, with a small vocabulary of its own.
"""

import base64
import json
import struct
import sys
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

CASED = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}"
UNCASED = r"\p{Ll}\p{Lm}\p{Lo}\p{M}"
CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
REST = r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"

PATTERNS = {
    "gpt2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    # As the file spells it, and as tiktoken does: "{1,3}+" and "$" mean something else here than there.
    "cl100k": CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "cl100k_possessive": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
    "o200k": rf"[^\r\n\p{{L}}\p{{N}}]?[{CASED}]*[{UNCASED}]+{CONTRACTIONS}?|[^\r\n\p{{L}}\p{{N}}]?[{CASED}]+[{UNCASED}]*{CONTRACTIONS}?|\p{{N}}{{1,3}}|{REST}",
    "tekken": rf"[^\r\n\p{{L}}\p{{N}}]?[{CASED}]*[{UNCASED}]+|[^\r\n\p{{L}}\p{{N}}]?[{CASED}]+[{UNCASED}]*|\p{{N}}|{REST}",
    "qwen35": rf"{CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?[\p{{L}}\p{{M}}]+|\p{{N}}| ?[^\s\p{{L}}\p{{M}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "kimi": rf"[\p{{Han}}]+|[^\r\n\p{{L}}\p{{N}}]?[{CASED}&&[^\p{{Han}}]]*[{UNCASED}&&[^\p{{Han}}]]+{CONTRACTIONS}?|[^\r\n\p{{L}}\p{{N}}]?[{CASED}&&[^\p{{Han}}]]+[{UNCASED}&&[^\p{{Han}}]]*{CONTRACTIONS}?|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "exaone": r"(?:'(?i:s|t|re|ve|m|ll|d)|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?:(?:\u200C|\u200D)\p{L}\p{M}*)*)+|\p{N}| ?(?:[^\s\p{L}\p{M}\p{N}]|\p{M})+[\r\n/]*|\s*[\r\n]|\s+(?!\S)|\s+)",
    # An unintended class within a class, which takes away "(" and "|" as well.
    "bloom": r" ?[^(\s|[.,!?…。，、।۔،])]+",
    "grok": rf"(?i)'s|'t|'re|'ve|'m|'ll|'d|(?-i:[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+)|\p{{N}}{{1,2}}|{REST}",
    "posix": r"[[:upper:]][[:lower:]]*|[[:alpha:]]+|[[:digit:]]{,3}|[[:punct:]]+|[[:^graph:]]|\b\S",
    "classes": r"[\w&&[^\d_]]+|\h+|\d|[^\S\n]+|\S|\R",
    "lines": r"(?m:a.b)|^.|.$",
    "clusters": r"\X",
    "empty": r"(?=\d)|(?<=\d)(?!\d)|(?=[A-Z])",
    "backreference": r"([a-z])\1|[^ ]",
    "repeats": r"(?:[a-e]{2})+|[f-j]{2}?|[k-o]{2,}?|p*+q?|(?<t>t)\k<t>|(?>u+)|.",
}

DEEPSEEK = [
    r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+",
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
]
DEEPSEEK_CODER = [r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-퟿]+"]

BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
CORPUS = (Path(__file__).parent / "Fixtures" / "make_fixtures.py").read_text(encoding="utf-8").splitlines() + [
    "Hello World HELLO WORLD iPhone McDonald's HTTPServer getElementById snake_case kebab-case", "1234567 12,345.67 2024-01-31 0x1F",
    "ﬁne ﬂow ½ ① Ⅷ ㌀ ㍿ ｶﾞ ﾊﾟ Ａｌｐｈａ　１２３ … ‥ ™ ℃ ² ³", "naïve café Ångström œuvre straße", "中文 和 日本語 と 한국어 를 섞다",
] * 3


def split(pattern, behavior="isolated", invert=False):
    return pre_tokenizers.Split(Regex(pattern), behavior, invert)


def byte_level(*steps, size=900, normalizer=None, closing=None, special=("<|endoftext|>",)):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [*steps, *(closing if closing is not None else [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])])
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=size, show_progress=False, special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return tokenizer


def characters(normalizer, pre_tokenizer, decoder, byte_fallback=True, **options):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=byte_fallback, **options))
    tokenizer.normalizer, tokenizer.decoder = normalizer, decoder
    if pre_tokenizer:
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=1000, show_progress=False, limit_alphabet=220,
        special_tokens=["<unk>", "<bos>"] + (BYTES if byte_fallback else [])))
    content = json.loads(tokenizer.to_str())
    content["added_tokens"] = content["added_tokens"][:2]
    return Tokenizer.from_str(json.dumps(content))


def unigram(normalizer, pre_tokenizer, decoder=None, byte_fallback=False, post_processor=None):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizer, decoder or decoders.Metaspace()
    if isinstance(normalizer, normalizers.Normalizer):
        tokenizer.normalizer = normalizer
    tokenizer.train_from_iterator(CORPUS, trainers.UnigramTrainer(
        vocab_size=700, show_progress=False, unk_token="<unk>", special_tokens=["<pad>", "</s>", "<unk>"]))
    content = json.loads(tokenizer.to_str())
    if normalizer and not isinstance(normalizer, normalizers.Normalizer):
        content["normalizer"] = normalizer
    if byte_fallback:
        model = content["model"]
        lowest = min(score for _, score in model["vocab"])
        # What the training has not seen becomes bytes, and one byte is missing.
        model["vocab"] += [[byte, lowest - 5] for byte in BYTES if byte != "<0xF0>"]
        model["byte_fallback"] = True
    if post_processor:
        content["post_processor"] = post_processor
    return Tokenizer.from_str(json.dumps(content))


def charsmap(replacements):
    """A precompiled_charsmap: the length of a double-array trie (Darts-clone), the trie, and the texts."""
    texts, offsets = b"", {}
    for text in sorted(set(replacements.values())):
        offsets[text] = len(texts)
        texts += text.encode() + b"\0"
    trie = {}
    for key, text in replacements.items():
        node = trie
        for byte in key.encode():
            node = node.setdefault(byte, {})
        node[None] = offsets[text]
    units, used = {0: 0}, {0}
    pending = [(0, trie)]
    while pending:
        place, node = pending.pop()
        labels = [0 if label is None else label for label in node]
        # The children stand at base XOR label; small offsets fit 21 bits.
        base = next(base for base in range(1, 1 << 21)
                    if all(base ^ label not in used for label in labels))
        units[place] |= (base ^ place) << 10 | (1 << 8 if None in node else 0)
        for label, child in node.items():
            at = base ^ (label or 0)
            used.add(at)
            if label is None:
                units[at] = 1 << 31 | child
            else:
                units[at] = label
                pending.append((at, child))
    # A unit that nothing leads to must not look like a child.
    array = [units.get(place, 1 << 31 | 0xFF) for place in range((max(units) | 0xFF) + 1)]
    packed = struct.pack(f"<{len(array)}I", *array)
    return base64.b64encode(struct.pack("<I", len(packed)) + packed + texts).decode()


CHARACTER_MAP = {
    "\t": " ", "\n": " ", "\r": " ", "\u3000": " ", "ﬁ": "fi", "ﬂ": "fl", "½": "1⁄2", "①": "1", "Ⅷ": "VIII", "㍿": "株式会社",
    "ｶ": "カ", "ｶﾞ": "ガ", "Ａ": "A", "１": "1", "…": "...", "e\u0301": "é", "a\u0301": "á", "\u200b": "", "²": "2",
    "\u0e33": "\u0e4d\u0e32", "👍": "+1", "🇫🇷": "FR", "ab": "x",
}


def tokenizers():
    for name, pattern in PATTERNS.items():
        yield f"pattern_{name}", byte_level(split(pattern))
    for behavior in ["removed", "merged_with_previous", "merged_with_next", "contiguous"]:
        yield f"behavior_{behavior}", byte_level(split(PATTERNS["bloom"], behavior))
        yield f"behavior_{behavior}_inverted", byte_level(split(PATTERNS["cl100k"], behavior, True))
        yield f"punctuation_{behavior}", byte_level(pre_tokenizers.Punctuation(behavior))
    yield "behavior_empty_removed", byte_level(split(PATTERNS["empty"], "removed"))
    yield "behavior_empty_merged", byte_level(split(PATTERNS["empty"], "merged_with_next"))
    yield "deepseek", byte_level(*map(split, DEEPSEEK))
    yield "deepseek_coder", byte_level(*map(split, DEEPSEEK_CODER), pre_tokenizers.Digits(individual_digits=True))
    # ByteLevel before other steps, which see its letters.
    yield "falcon", byte_level(
        pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.ByteLevel(add_prefix_space=False),
        pre_tokenizers.Digits(individual_digits=False), split("[0-9][0-9][0-9]"), closing=[])
    yield "falcon3", byte_level(
        pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.ByteLevel(add_prefix_space=True),
        pre_tokenizers.Digits(individual_digits=True), closing=[])
    yield "granite", byte_level(
        pre_tokenizers.Digits(individual_digits=True), closing=[pre_tokenizers.ByteLevel(add_prefix_space=False)])
    yield "cohere", byte_level(
        pre_tokenizers.Digits(individual_digits=True), split(PATTERNS["cl100k"]), normalizer=normalizers.NFC())
    yield "whitespace", byte_level(pre_tokenizers.Whitespace())
    yield "whitespace_split", byte_level(pre_tokenizers.WhitespaceSplit())
    yield "bert_words", byte_level(pre_tokenizers.BertPreTokenizer())
    yield "delimiter", byte_level(pre_tokenizers.CharDelimiterSplit("e"))
    roberta = byte_level(split(PATTERNS["gpt2"]))
    roberta.add_special_tokens(["<s>", "</s>"])
    roberta.post_processor = processors.RobertaProcessing(
        ("</s>", roberta.token_to_id("</s>")), ("<s>", roberta.token_to_id("<s>")), trim_offsets=False)
    yield "roberta", roberta
    llama4 = byte_level(split(PATTERNS["o200k"]), special=["<|begin_of_text|>", "<|header_start|>"])
    llama4.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single="<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", 0)])])
    yield "llama4", llama4

    fused = [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]
    gemma3 = characters(
        normalizers.Replace(" ", "\u2581"), pre_tokenizers.Split(" ", "merged_with_previous"), decoders.Sequence(fused), fuse_unk=True)
    gemma3.add_tokens(["\n\n", "\u2581\u2581", AddedToken("<start_of_turn>", special=True, normalized=False)])
    yield "gemma3", gemma3
    yield "normalizer_bytes", characters(
        normalizers.ByteLevel(), split(r"Ġ?[^Ġ]+"), decoders.ByteLevel(), byte_fallback=False)
    yield "replace_patterns", characters(
        normalizers.Sequence([
            normalizers.Replace(Regex(r"(?<=\d),(?=\d{3})"), ""), normalizers.Replace(Regex(r"[\p{Zs}\t]+"), " "),
            normalizers.Replace(Regex("^"), "\u2581"), normalizers.Replace(Regex(r"\s*$"), "|"), normalizers.Prepend("\u2581"),
            normalizers.Replace(" ", "\u2581"), normalizers.Strip(left=False, right=True)]),
        None, decoders.Sequence(fused + [decoders.Strip(" ", 1, 0)]))
    for scheme in ["always", "first", "never"]:
        for splits in [True, False]:
            yield f"metaspace_{scheme}_{'split' if splits else 'whole'}", unigram(
                None, pre_tokenizers.Metaspace(prepend_scheme=scheme, split=splits), decoders.Metaspace(prepend_scheme=scheme, split=splits))
    t5 = {"type": "Sequence", "normalizers": [
        {"type": "Precompiled", "precompiled_charsmap": charsmap(CHARACTER_MAP)},
        {"type": "Strip", "strip_left": False, "strip_right": True},
        {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "\u2581"}]}
    yield "t5", unigram(t5, pre_tokenizers.Metaspace(), post_processor={
        "type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {"</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}}})
    yield "albert", unigram(normalizers.Sequence([
        normalizers.Replace("``", '"'), normalizers.Replace("''", '"'), normalizers.NFKD(), normalizers.StripAccents(),
        normalizers.Lowercase(), normalizers.Replace(Regex(" {2,}"), " ")]),
        pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]))
    yield "nmt", unigram(normalizers.Nmt(), pre_tokenizers.Metaspace())
    yield "helium", unigram(
        normalizers.Replace(" ", "\u2581"), pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.Metaspace(
            prepend_scheme="first", split=False)]), decoders.Sequence(fused + [decoders.Strip(" ", 1, 0)]), byte_fallback=True)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for name, tokenizer in tokenizers():
        (folder / f"{name}.json").write_text(tokenizer.to_str(), encoding="utf-8")
