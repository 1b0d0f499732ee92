#!/usr/bin/env python3
"""Writes lookups.json: facts in many scripts, their tokens and lookup positions by the `tokenizers` package's offsets.

usage: make_golden_lookups.py > lookups.json

For each tokenizer of Tests/TokenizationTests/Fixtures: the token ids of the prompt with its subject, and the position of the
last token that begins inside the subject. Needs tokenizers.
"""

import json
import sys
from pathlib import Path

from tokenizers import Tokenizer

FACTS = [
    ("The capital of {} is", "Australia"), ("{} ist die Hauptstadt von", "Österreich"),
    ("Столица {} —", "России"), ("Η πρωτεύουσα της {} είναι", "Ελλάδας"), ("عاصمة {} هي", "مصر"),
    ("{}‌ها به زبان", "ایرانی"), ("בירת {} היא", "ישראל"), ("{} की राजधानी", "भारत"), ("{}র রাজধানী", "বাংলাদেশ"),
    ("เมืองหลวงของ{}คือ", "ไทย"), ("{}の首都は", "日本"), ("{}的首都是", "日本"), ("{}의 수도는", "대한민국"),
    ("{}-ի մայրաքաղաքը", "Հայաստան"), ("{}ს დედაქალაქი", "საქართველო"), ("የ{} ዋና ከተማ", "ኢትዮጵያ"),
    ("Who is {}?", "🧑‍🚀 Ana"), ("{}s are", "Cafe\u0301"),
]
KINDS = ["gpt2", "neox", "llama3", "qwen2", "digits", "llama2", "mistral", "gemma", "metaspace"]


def main():
    folder = Path(__file__).parent.parent / "TokenizationTests" / "Fixtures"
    result = []
    for kind in KINDS:
        tokenizer = Tokenizer.from_file(str(folder / f"{kind}.tokenizer.json"))
        for prompt, subject in FACTS:
            before, after = prompt.split("{}")
            encoding = tokenizer.encode(before + subject + after, add_special_tokens=False)
            end = len(before + subject)
            lookup = max(index for index, (start, _) in enumerate(encoding.offsets) if start < end)
            result.append({"tokenizer": kind, "prompt": prompt, "subject": subject, "ids": encoding.ids, "lookup": lookup})
    json.dump(result, sys.stdout, ensure_ascii=False)
    print()


main()
