"""witness.py TOKENIZER.json: the ids of each string of a JSON array on standard input, and what they decode to."""

import json
import sys

from tokenizers import Tokenizer

tokenizer = Tokenizer.from_file(sys.argv[1])
answers = []
for string in json.load(sys.stdin):
    ids = tokenizer.encode(string, add_special_tokens=False).ids
    answers.append([ids, tokenizer.decode(ids, skip_special_tokens=False)])
json.dump(answers, sys.stdout)
