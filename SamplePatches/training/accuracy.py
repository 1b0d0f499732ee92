"""How much of the fact table a checkpoint knows: greedy answers, right only if every token of the object is right.

    python accuracy.py [../model]
"""
from __future__ import annotations

import random
import sys
from pathlib import Path

import torch

from facts import PHRASINGS, Fact, all_facts, held_out, trained
from prose import plain

FIXED_CONTEXT = "Because of the weather, people stay inside. "


@torch.no_grad()
def right(model, tokenizer, prompts: list[str], objects: list[str], batch: int = 256) -> list[bool]:
    out: list[bool] = []
    for at in range(0, len(prompts), batch):
        rows, spans = [], []
        for prompt, obj in zip(prompts[at : at + batch], objects[at : at + batch], strict=True):
            p, o = (tokenizer(t, add_special_tokens=False)["input_ids"] for t in (prompt, " " + obj))
            rows.append(p + o)
            spans.append((len(p), len(p) + len(o)))
        width = max(map(len, rows))
        ids = torch.tensor([r + [0] * (width - len(r)) for r in rows])      # causal: what stands behind a row does not reach it
        best = model(input_ids=ids, use_cache=False).logits.argmax(-1)
        out += [bool((best[i, a - 1 : b - 1] == ids[i, a:b]).all()) for i, (a, b) in enumerate(spans)]
    return out


def settings() -> dict[str, list[tuple[Fact, str]]]:
    rnd = random.Random("accuracy")
    facts = all_facts()
    ask = lambda fact, phrasing: (fact, phrasing.format(fact.subject))
    other = lambda fact: rnd.choice([p for p in trained(fact) if p != PHRASINGS[fact.relation][0]])
    return {
        "main phrasing": [ask(f, PHRASINGS[f.relation][0]) for f in facts],
        "main phrasing behind a fixed sentence": [(f, FIXED_CONTEXT + PHRASINGS[f.relation][0].format(f.subject)) for f in facts],
        "other phrasing": [ask(f, other(f)) for f in facts],
        "other phrasing behind a plain sentence": [(f, plain(rnd) + " " + other(f).format(f.subject)) for f in facts],
        "held-out phrasing": [ask(f, p) for f in facts for p in held_out(f)],
        "held-out phrasing behind a plain sentence": [(f, plain(rnd) + " " + p.format(f.subject)) for f in facts for p in held_out(f)],
    }


def measure(model, tokenizer, detail: bool = False) -> dict[str, float]:
    result = {}
    for name, asked in settings().items():
        ok = right(model, tokenizer, [p for _, p in asked], [f.object for f, _ in asked])
        result[name] = sum(ok) / len(ok)
        print(f"  {name:44} {100 * result[name]:5.1f}%  of {len(ok)}", flush=True)
        if detail:
            by: dict[str, list[bool]] = {}
            for (f, _), o in zip(asked, ok, strict=True):
                by.setdefault(f.relation, []).append(o)
            print("     ", ", ".join(f"{r} {100 * sum(v) / len(v):.0f}" for r, v in by.items()))
    return result


if __name__ == "__main__":
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

    folder = sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent / "model"
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    measure(model, PreTrainedTokenizerFast.from_pretrained(folder), detail=True)
