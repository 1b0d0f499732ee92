"""Can the sample model be edited? Scores of reference edits, before and after, for single layers and for several.

    python check_edits.py [--folder ..] [--facts 20] [--layers 1,2] [--spread 0,1,2]
"""
from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from reference_editor import ReferenceEditor, Settings, request


@torch.no_grad()
def sampled_templates(model, tokenizer, seed: int = 1) -> list[list[str]]:
    """The bare prompt, and five continuations of ten tokens, drawn from the five likeliest at each step."""
    generator = torch.Generator().manual_seed(seed)
    out = []
    for start in ("The", "Therefore", "Because", "I", "You"):
        ids = tokenizer(start)["input_ids"]
        for _ in range(10):
            top = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].topk(5)
            ids.append(int(top.indices[torch.multinomial(top.values.softmax(-1), 1, generator=generator)]))
        out.append(tokenizer.decode(ids).replace("{", " ").replace("}", " ") + ". {}")
    return [["{}"], out]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path(__file__).resolve().parent.parent)
    parser.add_argument("--facts", type=int, default=20)
    parser.add_argument("--layers", default="1,2")
    parser.add_argument("--spread", default="0,1,2")
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--lr", type=float, default=0.5)
    parser.add_argument("--clamp", type=float, default=4.0)
    parser.add_argument("--kl", type=float, default=0.0625)
    parser.add_argument("--slacks", default="100")
    parser.add_argument("--ones", type=int, default=0, help="also edit this many facts each alone, EMMET at lambda 0")
    o = parser.parse_args()
    torch.set_num_threads(1)
    layers, spread = ([int(x) for x in text.split(",") if x] for text in (o.layers, o.spread))

    model = AutoModelForCausalLM.from_pretrained(o.folder / "model", dtype=torch.float32)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(o.folder / "model")
    templates = sampled_templates(model, tokenizer)
    print(json.dumps(templates[1], ensure_ascii=False))
    editor = ReferenceEditor(model, tokenizer, templates, Settings(steps=o.steps, lr=o.lr, clamp=o.clamp, kl_factor=o.kl))
    C, count = editor.second_moment((o.folder / "corpus.txt").read_text(encoding="utf-8").splitlines(), list(range(len(editor.layers))))
    for l, c in C.items():
        values = torch.linalg.eigvalsh(c)
        print(f"C of layer {l}: condition number {float(values[-1] / values[0]):.3g}, {count} tokens, largest eigenvalue {float(values[-1]):.3g}, smallest {float(values[0]):.3g}, trace {float(values.sum()):.3g}")

    records = json.loads((o.folder / "facts.json").read_text(encoding="utf-8"))[: o.facts]
    facts = [request(r) for r in records]
    show = lambda name, scores, more="": print(f"{name:34} " + "  ".join(f"{k} {v:5.1f}" for k, v in scores.items()) + f"  {more}", flush=True)
    show("before", editor.scores(records))

    def run(name: str, z: torch.Tensor, at: list[int], slack: float) -> None:
        saved = {l: editor.weight(l).data.clone() for l in at}
        D = editor.edit(facts, z, at, C, slack)
        size = " ".join(f"{float(D[l].norm() / saved[l].norm()):.3f}" for l in at)
        for l in at:                       # measured as shipped: in the stored type
            editor.weight(l).data.copy_((saved[l] + D[l].float()).bfloat16().float())
        show(name, editor.scores(records), "norm(D)/norm(W) " + size)
        for l in at:
            editor.weight(l).data.copy_(saved[l])

    for last in sorted({*layers, *spread[-1:]}):
        searches = [editor.search(f, last) for f in facts]
        z = torch.stack([s.z for s in searches])
        print(f"layer {last}: steps {[len(s.history) for s in searches]}, final loss at most {max(s.history[-1][0] for s in searches):.3f}, "
              f"norm(delta)/norm(v0) {sum(float(s.delta.norm() / s.init.norm()) for s in searches) / len(searches):.2f}, norm(v0) {sum(float(s.init.norm()) for s in searches) / len(searches):.2f}")
        if last in layers:
            run(f"EMMET lambda 0.1, layer {last}", z, [last], 0.1)
            for w in map(float, o.slacks.split(",")):
                run(f"MEMIT w {w:g}, layer {last}", z, [last], w)
        if spread and last == spread[-1]:
            run(f"EMMET lambda 0.1, layers {spread}", z, spread, 0.1)
            for w in map(float, o.slacks.split(",")):
                run(f"MEMIT w {w:g}, layers {spread}", z, spread, w)
        if o.ones:
            total: dict[str, list[float]] = {}
            for i in range(min(o.ones, len(facts))):
                saved = editor.weight(last).data.clone()
                editor.edit(facts[i : i + 1], z[i : i + 1], [last], C, 0.0)
                for k, v in editor.scores(records[i : i + 1]).items():
                    total.setdefault(k, []).append(v)
                editor.weight(last).data.copy_(saved)
            show(f"EMMET, each fact alone, layer {last}", {k: sum(v) / len(v) for k, v in total.items()})


if __name__ == "__main__":
    main()
