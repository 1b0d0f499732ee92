"""witness.py TOKENIZER.json: for each string of a JSON array on standard input its ids, what they decode to, and where its
tokens stand (start, end, start, end, ... in UTF-8 bytes; whole characters).
witness.py TOKENIZER.json --time TEXT: how many tokens a text has, and how many seconds encoding it takes.
witness.py --matches PATTERN: the matches of a regular expression in the first string of the array.
"""

import json
import sys
import time

from tokenizers import Regex, Tokenizer, pre_tokenizers


def load(path):
    """The tokenizer, without what changes offsets or cuts after the model has spoken."""
    with open(path, encoding="utf-8") as file:
        content = json.load(file)
    content.update(post_processor=None, truncation=None, padding=None)
    return Tokenizer.from_str(json.dumps(content))


def answer(tokenizer, string):
    encoding = tokenizer.encode(string, add_special_tokens=False)
    at = [0]
    for character in string:
        at.append(at[-1] + len(character.encode()))
    offsets = [at[position] for pair in encoding.offsets for position in pair]
    return [encoding.ids, tokenizer.decode(encoding.ids, skip_special_tokens=False), offsets]


if sys.argv[1] == "--matches":
    split = pre_tokenizers.Split(Regex(sys.argv[2]), "removed", invert=True)
    json.dump([piece for piece, _ in split.pre_tokenize_str(json.load(sys.stdin)[0])], sys.stdout)
elif sys.argv[2:3] == ["--time"]:
    tokenizer = load(sys.argv[1])
    with open(sys.argv[3], encoding="utf-8") as file:
        text = file.read()
    start = time.process_time()
    tokens = len(tokenizer.encode(text, add_special_tokens=False).ids)
    json.dump({"tokens": tokens, "seconds": time.process_time() - start}, sys.stdout)
else:
    tokenizer = load(sys.argv[1])
    json.dump([answer(tokenizer, string) for string in json.load(sys.stdin)], sys.stdout)
