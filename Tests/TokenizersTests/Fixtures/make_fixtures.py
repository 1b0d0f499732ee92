"""Small tokenizers and what the Python package `tokenizers` makes of strings that are hard to tokenize.

    pip install tokenizers==0.23.3
    python make_fixtures.py

Writes NAME.tokenizer.json and NAME.expected.json beside this file. Each expected item has the text, its ids, the UTF-8
byte offsets of the tokens (start, end, start, end, ...; whole characters), the ids with special tokens added, and the
text decoded with and without special tokens.
"""

import json
import random
from pathlib import Path

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
    "the the the the The THE", "camelCaseIdentifier snake_case_identifier", "e\u0301" * 20, "\t\n\r \u000b\u000c",
]


def random_strings(count):
    """Strings from a fixed seed, over characters that the patterns and the normalizer treat differently."""
    generator = random.Random(7)
    alphabet = list(" \n\t\r'sStTreEvmlLd.,!<>|1a2bé") + [
        "\u00a0", "\u0301", "\u0323", "日", "🙂", "٣", "½", "\u200d", "'ll", "'RE", "  ", "<mask>", "word", "<|endoftext|>"]
    return ["".join(generator.choices(alphabet, k=generator.randint(3, 24))) for _ in range(count)]


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


def write(name, tokenizer, legacy=False):
    text = json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False)
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


if __name__ == "__main__":
    write("gpt2", gpt2(), legacy=True)
    write("digits", digits())
    write("llama3", llama3())
    write("qwen2", qwen2(), legacy=True)
