"""witness.py TOKENIZER.json: the ids of each string of a JSON array on standard input, and what they decode to.
witness.py TOKENIZER.json --time TEXT: how many tokens a text has, and how many seconds encoding it takes.
"""

import json
import sys
import time

from tokenizers import Tokenizer

tokenizer = Tokenizer.from_file(sys.argv[1])
if sys.argv[2:3] == ["--time"]:
    with open(sys.argv[3], encoding="utf-8") as file:
        text = file.read()
    start = time.process_time()
    tokens = len(tokenizer.encode(text, add_special_tokens=False).ids)
    json.dump({"tokens": tokens, "seconds": time.process_time() - start}, sys.stdout)
else:
    answers = []
    for string in json.load(sys.stdin):
        ids = tokenizer.encode(string, add_special_tokens=False).ids
        answers.append([ids, tokenizer.decode(ids, skip_special_tokens=False)])
    json.dump(answers, sys.stdout)
