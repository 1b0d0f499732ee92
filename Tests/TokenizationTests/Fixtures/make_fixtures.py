"""Small tokenizers and what the Python package `tokenizers` makes of strings that are hard to tokenize.

    pip install tokenizers==0.23.3 zstandard
    python make_fixtures.py

Writes NAME.tokenizer.json and NAME.expected.json beside this file. Each expected item has the text, its ids, the UTF-8
byte offsets of the tokens (start, end, start, end, ...; whole characters), the ids with special tokens added, and the
text decoded with and without special tokens.

Writes also random_strings.json.zst, thousands of random strings that all tokenizers share, and NAME.random.json.zst: for
each of those strings its ids, and the decoded text where that is not the string itself (else null).
"""

import json
import random
import unicodedata
from pathlib import Path

import zstandard
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = Path(__file__).parent

LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")

CORPUS = """
The quick brown fox jumps over the lazy dog. The mother tongue of the writer is French, and the capital of France is
Paris. He doesn't know that they're here; we've seen it, I'm sure she'll come, and he'd have said so. It's John's book.
In the beginning there was nothing, and then there was something: 1, 2, 3, 10, 100, 1000, 1984, 2024, 3.14159.
    def function(value):
        return value + 1  # a comment
Der schnelle braune Fuchs springt über den faulen Hund. Größe, Straße, Zürich, Köln, München, Österreich.
Le vif renard brun saute par-dessus le chien paresseux. Être, où, ça, garçon, élève, naïve, cœur, été.
El veloz zorro marrón salta sobre el perro perezoso. ¿Qué? ¡Mañana! El niño, la señora, el corazón.
Съешь же ещё этих мягких французских булок, да выпей чаю. Москва столица России. Привет, мир!
Η γρήγορη καφέ αλεπού πηδά πάνω από το τεμπέλικο σκυλί. Καλημέρα κόσμε.
敏捷的棕色狐狸跳过了懒狗。你好，世界。北京是中国的首都。今天天气很好。
素早い茶色の狐がのろまな犬を飛び越える。こんにちは世界。東京は日本の首都です。
다람쥐 헌 쳇바퀴에 타고파. 안녕하세요 세계. 서울은 대한민국의 수도입니다.
الثعلب البني السريع يقفز فوق الكلب الكسول. مرحبا بالعالم. القاهرة عاصمة مصر.
तेज भूरी लोमड़ी आलसी कुत्ते के ऊपर कूदती है। नमस्ते दुनिया। नई दिल्ली भारत की राजधानी है।
สุนัขจิ้งจอกสีน้ำตาลกระโดดข้ามสุนัขขี้เกียจ สวัสดีชาวโลก
😀 😃 😄 👍 ❤️ 🎉 👨‍👩‍👧‍👦 🇫🇷 🇩🇪 🏳️‍🌈
"""

HARD_STRINGS = [
    "", " ", "  ", "   ", "\n", "\n\n", "\t", "\r\n", "\r\n\r\n", " \n", "\n ", " \n \n ", "a", " a", "a ", "  a", "a  ",
    "   a", "\ta", "\n\na", "a\n\n  b", "a \n b", "a\t\tb", "a    b     c", "x = 1;\n    y = 2;\n\n\n    z\n", "\u00a0",
    "a\u00a0b", "a\u00a0\u00a0b", "\u2003\u2003a", "\u3000\u3000日本", "a\u2028b\u2029c", "a\u0085b", "a\u180eb", "\u200b",
    "a\u200bb", "\ufeffa", "\u0000", "a\u0000b", "\u0000\u0000 \u0000", "\u0001\u001f\u007f\u0080\u009f", "\u001c a\u001d",
    "The quick brown fox", "Hello, world!", "hello,world", "...", "!!! ???", " !a", "(a)", "[1]", "--a--", "$100.00", "50%",
    "it's", "it's John's", "'s", " 's", "''s", "'S", "IT'S", "DON'T", "we'Re", "I'LL", "I'lL", "y'all'd've", "'tis", "'stop",
    "'", "''", "' s", "'l", "'ll", "'r", "'re", "'v", "'\u017f", "it'\u017f", "it’s", "can't've", "'m'd't", "o'clock'",
    "1", "12", "123", "1234", "12345678901234567890", " 12", "  42", "a1b2c3", "3.14159", "1,000,000", "v2.0.1", "½ ⅓ ²³",
    "Ⅷ Ⅻ", "①②③", "٠١٢٣٤", "०१२३४५", "一二三四", "๐๑๒๓", "𝟘𝟙𝟚𝟛", "𒐀𒐁", "߀߁", "１２３", "1a 2b", "1\u03012", "1\u20e32\u20e3",
    "Zürich", "Zu\u0308rich", "é", "e\u0301", "e\u0301\u0302\u0303", "\u0301", "\u0301a", " \u0301", "a\u0301\u0301b",
    "q\u0307\u0323", "q\u0323\u0307", "A\u030a", "\u212b", "\u2126", "\u1e9b\u0323", "\ufb01", "ǆ", "İi̇ı", "ß ẞ ſ",
    "\u1112\u1161\u11ab", "한국어", "\u1100\u1161", "가\u11a8", "\u0958", "\u0915\u093c", "\u09c7\u09be", "\U0001d15e",
    "\u0344", "\u0f73", "\u2adc", "क्षि", "ক্ষ", "தமிழ்", "ภาษาไทย", "ພາສາ", "မြန်မာ", "ភាសា", "ქართული", "ՀԱՅ", "ܣܘܪܝܝܐ",
    "Привет, мир!", "Καλημέρα κόσμε", "שלום עולם", "مرحبا بالعالم", "مَرْحَبًا", "नमस्ते दुनिया", "你好，世界！", "こんにちは", "안녕하세요",
    "日本語テキスト", "東京2024年", "中文English混合", "aбвγδ", "𠀀𠀁", "𐐷𐐏", "𓀀", "😀", "😀😃", "a😀b", " 😀", "👍🏽", "❤️", "👨‍👩‍👧‍👦",
    "🇫🇷🇩🇪", "🏳️‍🌈", "👩🏿‍🚀 in space", "1️⃣2️⃣", "☺︎☺️", "\u200d", "a\u200db", "\ue000", "\uffff", "\U0010ffff", "\ufffd", "\u0378",
    "Ġ", "Ċ", "Ġthe", " Ġ", "ĠĠ Ā", "<", "<|", "<|endoftext|", "<|endoftext|>", "a<|endoftext|>b", " <|endoftext|> ",
    "<|endoftext|><|endoftext|>", "<|endoftext|>\n\n", "<<|endoftext|>>", "<|im_start|>user\nHello<|im_end|>\n", "<mask>",
    "a <mask> b", "a   <mask>   b", "<mask>  <mask>", "a\n\u3000<mask>\tb", "<right>", "a  <right>  b", "<right>  <mask>",
    "word", " word", "word word", "words", "sword", "a word.", "word-word", "über word über", "wordé", "éword", "word\u0301",
    "_word", "word1", "(word)", "日word", "word\u200d", "word😀", "wordword", "caf\u00e9", "cafe\u0301", "a cafe\u0301 b",
    "caf\u00e9s", "Straße123Ω", "<|é|>", "a<|é|>b", "<|e\u0301|>", "ab", "abc", "abcd", "xabcdx", "abab", "  two", "two  spaces",
    "a" * 40, "a" * 200, "ab" * 100, "aaaaaaaaaaab" * 20, " " * 50, "\n" * 30, "!" * 60, "1" * 50, "é" * 60, "日" * 70,
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
    "Pneumonoultramicroscopicsilicovolcanoconiosis" * 3, "http://example.com/a?b=c&d=%20e#f", "C:\\path\\file.txt",
    '{"key": [1, 2.5, null], "x": "\\u00e9"}', "<html><body class='a'>text</body></html>", "SELECT * FROM t WHERE a='b';",
    "o\u0301", "xo\u0301\u0302x", " electroencephalogram", "electroencephalogram electroencephalogram", "12 123 1234", "\u0344\U000e014d\u0300", "\U0002014d\u0300",
    "\u2581", "\u2581a", " \u2581 ", "a\u2581\u2581b", "a \u2581b", "<0x41>", "<0xE6><0x97>", "<s>", "<s>Hello", "<s> Hello", " <s>Hello</s> ",
    "</s>", "a</s>b", "<unk>", "a<unk>b", "<bos>a", "the quick  brown   fox    jumps", " the ", "of the the of", "a.\u2581b", "\u4e59\u4e59\u4e59 \u9f98",
    "the the the the The THE", "camelCaseIdentifier snake_case_identifier", "e\u0301" * 20, "\t\n\r \u000b\u000c",
]


def random_strings(count):
    """Strings from a fixed seed, over characters that the patterns and the normalizer treat differently."""
    generator = random.Random(7)
    alphabet = list(" \n\t\r'sStTreEvmlLd.,!<>|1a2bé") + [
        "\u00a0", "\u0301", "\u0323", "日", "🙂", "٣", "½", "\u200d", "'ll", "'RE", "  ", "<mask>", "word", "<|endoftext|>"]
    return ["".join(generator.choices(alphabet, k=generator.randint(3, 24))) for _ in range(count)]


# Where a script's letters, marks and digits are. Unassigned code points are left out: the Unicode tables of the two sides
# are of different age.
SCRIPTS = [
    (0x20, 0x7E), (0xA0, 0x17F), (0x300, 0x33F), (0x370, 0x3FF), (0x400, 0x4FF), (0x5B0, 0x5EA), (0x610, 0x66F), (0x900, 0x97F),
    (0xE00, 0xE5B), (0x1100, 0x11FF), (0x1E00, 0x1EFF), (0x2000, 0x206F), (0x20D0, 0x20F0), (0x2150, 0x218B), (0x2581, 0x2581),
    (0x3000, 0x30FF), (0x4E00, 0x4EFF), (0xAC00, 0xACFF), (0xFB00, 0xFB06), (0xFF01, 0xFF9F), (0x1D400, 0x1D4FF),
    (0x1F1E6, 0x1F1FF), (0x1F300, 0x1F64F), (0x20000, 0x200FF),
]


def varied_strings(count):
    """Longer strings from a fixed seed: words of the corpus, runs of spaces, characters of many scripts, added tokens."""
    generator = random.Random(11)
    words = CORPUS.split()
    scripts = [[c for c in map(chr, range(low, high + 1)) if unicodedata.category(c) not in ("Cn", "Cs", "Co")] for low, high in SCRIPTS]
    emoji = "👨‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇫🇷 ❤️ 1️⃣".split()
    tokens = ["<|endoftext|>", "<mask>", "<s>", "</s>", "<unk>", "<0x0A>", "<0xE2>", "<right>", "word", "\u2581", "<bos>"]

    def piece():
        kind = generator.random()
        if kind < 0.40:
            return generator.choice(words) + " "
        if kind < 0.50:
            return generator.choice([" ", "  ", "   ", "        ", "\n", "\n\n", "\t", "\r\n", " \n "])
        if kind < 0.75:
            return "".join(generator.choices(generator.choice(scripts), k=generator.randint(1, 5)))
        if kind < 0.82:
            return "".join(generator.choice(generator.choice(scripts)) for _ in range(generator.randint(1, 6)))
        if kind < 0.88:
            return generator.choice(emoji)
        if kind < 0.93:
            return generator.choice(tokens)
        return generator.choice("'s 't 'LL 1 12 123 1234567 e\u0301 q\u0323\u0307 ... \u0301".split(" "))

    return ["".join(piece() for _ in range(generator.randint(1, 12))) for _ in range(count)]


def byte_level(vocabulary_size, *, normalizer=None, pre_tokenizer, alphabet=None):
    tokenizer = Tokenizer(models.BPE())
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size, show_progress=False, special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet() if alphabet is None else alphabet)
    lines = CORPUS.split("\n") + (HARD_STRINGS if alphabet is None else [])
    tokenizer.train_from_iterator(lines, trainer)
    return tokenizer


def gpt2():
    tokenizer = byte_level(900, pre_tokenizer=pre_tokenizers.ByteLevel(add_prefix_space=False))
    tokenizer.add_special_tokens(["<|im_start|>", "<|im_end|>", AddedToken("<mask>", lstrip=True)])
    tokenizer.add_tokens([
        AddedToken("<right>", rstrip=True, normalized=False), AddedToken("word", single_word=True),
        AddedToken("ab"), AddedToken("abcd"), AddedToken("café"), AddedToken("<|é|>", normalized=False)])
    return tokenizer


def digits():
    """A vocabulary that lacks bytes, with an unknown token; a space before every piece that ByteLevel sees."""
    tokenizer = byte_level(420, alphabet=[], pre_tokenizer=pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=True)]))
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, rstrip=True)])
    content = json.loads(tokenizer.to_str())
    content["model"].update(unk_token="<|endoftext|>", fuse_unk=True)
    return Tokenizer.from_str(json.dumps(content))


def llama3():
    tokenizer = byte_level(900, pre_tokenizer=pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(LLAMA3), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]))
    content = json.loads(tokenizer.to_str())
    content["model"]["ignore_merges"] = True
    # Tokens that no merge makes are found only because merges are ignored.
    vocabulary = content["model"]["vocab"]
    for token in ["Ġelectroencephalogram", "Hello", "a" * 40, "123", "ĠĠĠĠĠ"]:
        vocabulary.setdefault(token, len(vocabulary))
    tokenizer = Tokenizer.from_str(json.dumps(content))
    tokenizer.add_special_tokens(["<|im_start|>", "<|im_end|>", "<|begin_of_text|>"])
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single="<|begin_of_text|> $A", special_tokens=[
            ("<|begin_of_text|>", tokenizer.token_to_id("<|begin_of_text|>"))])])
    return tokenizer


def qwen2():
    tokenizer = byte_level(900, normalizer=normalizers.NFC(), pre_tokenizer=pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(QWEN2), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]))
    tokenizer.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    tokenizer.add_tokens([AddedToken("café"), AddedToken("word", single_word=True), AddedToken("o\u0301", normalized=False)])
    tokenizer.post_processor = processors.TemplateProcessing(single="$A <|endoftext|>", special_tokens=[("<|endoftext|>", 0)])
    return tokenizer


def neox():
    """GPT-NeoX: NFC, and added tokens for runs of spaces."""
    tokenizer = byte_level(900, normalizer=normalizers.NFC(), pre_tokenizer=pre_tokenizers.ByteLevel(add_prefix_space=False))
    tokenizer.add_tokens([AddedToken(" " * count, normalized=True) for count in range(24, 1, -1)])
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    return tokenizer


BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def sentencepiece(vocabulary_size, *, special, whole_lines=False, spaces=0, **settings):
    """Characters with fallback to bytes. Trained on words, or on whole lines: then tokens go across spaces."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
    if not whole_lines:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size, show_progress=False, special_tokens=special + BYTES, limit_alphabet=220)
    tokenizer.train_from_iterator(CORPUS.split("\n"), trainer)
    content = json.loads(tokenizer.to_str())
    content["added_tokens"] = content["added_tokens"][:len(special)]
    content.update(settings)
    model = content["model"]
    for count in range(2, spaces + 1):
        model["vocab"].setdefault("\u2581" * count, len(model["vocab"]))
    merges = [["\u2581" * left, "\u2581" * (count - left)] for count in range(2, spaces + 1) for left in range(1, count)]
    model["merges"] = merges + [merge for merge in model["merges"] if merge not in merges]
    return Tokenizer.from_str(json.dumps(content))


def template(token, id):
    """The token before the text."""
    return {
        "type": "TemplateProcessing", "single": [{"SpecialToken": {"id": token, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {token: {"id": token, "ids": [id], "tokens": [token]}}}


SPACE = {"String": "\u2581"}
BACK_TO_SPACE = {"type": "Replace", "pattern": SPACE, "content": " "}
BYTES_DECODER = [BACK_TO_SPACE, {"type": "ByteFallback"}, {"type": "Fuse"}]
LLAMA2_DECODER = {"type": "Sequence", "decoders": BYTES_DECODER + [{"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
TO_SPACE = {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}


def llama2():
    """Llama 2 and the first Mistral: the normalizer does it all."""
    return sentencepiece(
        900, special=["<unk>", "<s>", "</s>"], spaces=8, pre_tokenizer=None, decoder=LLAMA2_DECODER, post_processor=template("<s>", 1),
        normalizer={"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"}, TO_SPACE]})


def mistral():
    """Mistral's later files: Metaspace before the first piece alone, no split."""
    tokenizer = sentencepiece(
        900, special=["<unk>", "<s>", "</s>"], normalizer=None, decoder=LLAMA2_DECODER, post_processor=template("<s>", 1),
        pre_tokenizer={"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": False})
    tokenizer.add_tokens([AddedToken("word", single_word=True, normalized=False), AddedToken("<right>", rstrip=True)])
    return tokenizer


def gemma():
    """Gemma: no prefix, a split that finds nothing, tokens across spaces."""
    tokenizer = sentencepiece(
        1000, special=["<pad>", "<eos>", "<bos>", "<unk>"], whole_lines=True, spaces=16, normalizer=TO_SPACE,
        pre_tokenizer={"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False},
        decoder={"type": "Sequence", "decoders": BYTES_DECODER}, post_processor=template("<bos>", 2))
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, rstrip=True)])
    tokenizer.add_tokens(["\n\n", "\t\t"])
    return tokenizer


def metaspace():
    """The older form of Metaspace, split into words, without bytes: unknown characters, each a token."""
    tokenizer = sentencepiece(
        700, special=["<unk>", "<s>", "</s>"], post_processor=None, normalizer={"type": "Sequence", "normalizers": [
            {"type": "Strip", "strip_left": True, "strip_right": True}, {"type": "NFKC"},
            {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]},
        pre_tokenizer={"type": "Metaspace", "replacement": "\u2581", "add_prefix_space": True},
        decoder={"type": "Metaspace", "replacement": "\u2581", "add_prefix_space": True})
    content = json.loads(tokenizer.to_str())
    content["pre_tokenizer"] = {"type": "Metaspace", "replacement": "\u2581", "add_prefix_space": True}
    content["model"].update(byte_fallback=False, fuse_unk=False)
    return content


def sample():
    """The tokenizer of SamplePatches/model written as one of the kind of Llama 2: the same text has nearly the same ids, so
    the model still knows what it knows. Its token for the end of a text stands before every prompt."""
    source = json.loads((HERE / "../../../SamplePatches/model/tokenizer.json").read_text(encoding="utf-8"))
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    byte_of = {chr(byte): byte for byte in printable}
    byte_of.update({chr(0x100 + index): byte for index, byte in enumerate(byte for byte in range(256) if byte not in printable)})

    def spelling(token):
        data = bytes(byte_of[character] for character in token)
        try:
            return data.decode().replace(" ", "\u2581")
        except UnicodeDecodeError:
            return f"<0x{data[0]:02X}>" if len(data) == 1 else None

    special = [token["content"] for token in source["added_tokens"]]
    vocabulary = {token if token in special else spelling(token) or f"unused {id}": id for token, id in source["model"]["vocab"].items()}
    for byte in BYTES:
        vocabulary.setdefault(byte, len(vocabulary))
    merges = []
    for merge in source["model"]["merges"]:
        left, right = map(spelling, merge.split(" ") if isinstance(merge, str) else merge)
        if left and right and not left.startswith("<0x") and not right.startswith("<0x"):
            merges.append([left, right])
    source["model"].update(vocab=vocabulary, merges=merges, byte_fallback=True, fuse_unk=True)
    source.update(
        normalizer={"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"}, TO_SPACE]}, pre_tokenizer=None,
        decoder=LLAMA2_DECODER, post_processor=template(special[0], vocabulary[special[0]]))
    (HERE / "sample_llama2.tokenizer.json").write_text(json.dumps(source, ensure_ascii=False) + "\n", encoding="utf-8")


def legacy_merges(text):
    """The form of files before 2024: merges as "a b"."""
    content = json.loads(text)
    content["model"]["merges"] = [" ".join(pair) for pair in content["model"]["merges"]]
    return json.dumps(content, ensure_ascii=False)


def byte_offsets(text, offsets):
    at = [0]
    for character in text:
        at.append(at[-1] + len(character.encode()))
    return [at[position] for pair in offsets for position in pair]


def compress(name, lines):
    text = "[\n" + ",\n".join(json.dumps(line, ensure_ascii=True, separators=(",", ":")) for line in lines) + "\n]\n"
    (HERE / name).write_bytes(zstandard.ZstdCompressor(level=19).compress(text.encode()))


RANDOM_STRINGS = random_strings(700) + varied_strings(1800)


def write(name, tokenizer, legacy=False):
    text = json.dumps(tokenizer if isinstance(tokenizer, dict) else json.loads(tokenizer.to_str()), ensure_ascii=False)
    text = legacy_merges(text) if legacy else text
    (HERE / f"{name}.tokenizer.json").write_text(text + "\n", encoding="utf-8")
    tokenizer = Tokenizer.from_str(text)
    items = []
    for string in HARD_STRINGS + random_strings(40):
        encoding = tokenizer.encode(string, add_special_tokens=False)
        items.append(dict(
            text=string, ids=encoding.ids, offsets=byte_offsets(string, encoding.offsets),
            withSpecial=tokenizer.encode(string).ids, decoded=tokenizer.decode(encoding.ids, skip_special_tokens=False),
            decodedWithoutSpecial=tokenizer.decode(encoding.ids, skip_special_tokens=True)))
    lines = ",\n".join(json.dumps(item, ensure_ascii=True, separators=(",", ":")) for item in items)
    (HERE / f"{name}.expected.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    lines = []
    for string in RANDOM_STRINGS:
        ids = tokenizer.encode(string, add_special_tokens=False).ids
        decoded = tokenizer.decode(ids, skip_special_tokens=False)
        lines.append([ids, None if decoded == string else decoded])
    compress(f"{name}.random.json.zst", lines)


if __name__ == "__main__":
    compress("random_strings.json.zst", RANDOM_STRINGS)
    write("gpt2", gpt2(), legacy=True)
    write("digits", digits())
    write("llama3", llama3())
    write("qwen2", qwen2(), legacy=True)
    write("neox", neox())
    write("llama2", llama2(), legacy=True)
    write("mistral", mistral())
    write("gemma", gemma())
    write("metaspace", metaspace())
    sample()
