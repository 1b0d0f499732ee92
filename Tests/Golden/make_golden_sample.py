"""Golden numbers from PyTorch for the sample model in SamplePatches/: tokenizer, forward pass, edits.

    python make_golden_sample.py [--sample ../../SamplePatches] [--out .] [--layer 1] [--layers 0,1,2]

Run it again whenever SamplePatches/model changes. Weights are loaded to float32 from the stored bfloat16; one thread.
The mathematics is in SamplePatches/training/reference_editor.py. Uses eager attention.
"""
from __future__ import annotations

import argparse
import json
import random
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

HERE = Path(__file__).resolve().parent
CASES = [0, 1, 4, 6, 17]           # case_id of the edited facts in SamplePatches/facts.json
SNAPSHOTS = (0, 1, 2, 5, 10, 15)   # and each search's last step
EMMET_LAMBDA, MEMIT_W = 0.1, 100.0

FORWARD_PROMPTS = [
    "The capital of France is",
    "Because of the weather, people stay inside. The mother tongue of Leo Tolstoy is",
    "The chemical symbol of iron is Fe. Therefore, it is important to check the answer.",
    "I know that the Sagrada Família is located in the city of",
    "A",
    "Zürich 1234567890, <|endoftext|>The {} 🙂  \n\n don't",
]

TOKENIZER_TEXTS = [
    "", " ", "  ", "   ", "\n", "\n\n", "\n\n\n", "\t", "\t\t", " \n", "\n ", " \n \n ", "\r\n", "a\r\nb", "\u00a0", "\u3000", "\u200b", "\ufeff",
    "a b", " a", "a ", " a ", "  a", "a  b", "a   b", "a\nb", "a\n\nb", "a \n b", "hello", " hello", "Hello", "HELLO", "hello world", "hello  world",
    "it's", "IT'S", "it\u2019s", "we'll", "we'LL", "they've", "I'd", "I'm", "you're", "'s", "'t", "'tis", "rock'n'roll", "France's capital", "John's's",
    "1", "12", "123", "1234", " 12", "a1", "1a", "1,234,567.89", "-3.5e-10", "0x1F", "1st 2nd 3rd", "2024-05-17", "12:30:59", "½ ⅓ ²³", "٣٤٥", "１２３", "Ⅷ", "a1b2c3", "x86_64",
    "!", "!!!", "?!", "...", "…", "--", "—", "(a)", "[b]{c}<d>", "a,b;c:d", "\"quoted\"", "`code`", "$100", "€5", "50%", "#hash @user", "a/b\\c", "~!@#$%^&*()_+",
    "naïve café résumé", "Ångström", "ß ẞ", "İstanbul ı", "Ελλάδα", "Москва", "ქართული", "עברית", "العربية", "हिन्दी", "ไทย", "Tiếng Việt", "中文", "日本語テキスト", "한국어", "አማርኛ",
    "e\u0301", "\u00e9", "n\u0303", "\u1112\u1161\u11ab", "ﬁ ﬂ", "Z̷a̶l̸g̵o̴", "\U0001d4d0\U0001d4d1",
    "🙂", "🙂🙂", "👍🏽", "👨‍👩‍👧", "🇫🇷🇯🇵", "❤️", "a🙂b", " 🙂 ", "🏳️‍🌈",
    "<|endoftext|>", "a<|endoftext|>b", " <|endoftext|> ", "<|endoftext|><|endoftext|>", "<|endoftext", "<|im_start|>user",
    "def f(x):\n\treturn x+1", "{\"k\": [1, null, true]}", "https://example.com/a?b=c&d=e#f", "snake_case camelCase kebab-case",
    "supercalifragilisticexpialidocious", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "zzzzzz qqqq", "\u0000", "\x07bell", "a\x0bb\x0cc",
    " France", "France", "São Paulo and Kraków", " Ludwig van Beethoven", "Ludwig van Beethoven", "The Eiffel Tower is located in the country of", "The currency of Poland is the",
    "Because of the weather, people stay inside. The capital of France is", "LeBron James plays the sport of", "The chemical symbol of iron is",
]


def dump(path: Path, value) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=True) + "\n")


def lower(matrix: torch.Tensor) -> torch.Tensor:
    """The lower triangle by rows: (0,0), (1,0), (1,1), (2,0), ..."""
    r, c = torch.tril_indices(len(matrix), len(matrix))
    return matrix[r, c].contiguous()


def tokenizer_numbers(sample: Path, out: Path) -> None:
    tokenizer = Tokenizer.from_file(str(sample / "model" / "tokenizer.json"))
    words = "The quick brown fox don't jump 42 over 3.14 lazy dogs, São naïve 東京 мир 🙂 it's we're x_y (z) -- \"q\" \n \n\n \t   f(x)=2; #tag".split(" ")
    rnd, texts = random.Random(7), list(TOKENIZER_TEXTS)
    while len(texts) < 160:
        texts.append(rnd.choice(["", " "]) + rnd.choice([" ", "  ", ""]).join(rnd.choice(words) for _ in range(rnd.randint(2, 14))))
    items = []
    for text in texts:
        ids = tokenizer.encode(text).ids
        items.append(dict(text=text, ids=ids, decoded=tokenizer.decode(ids, skip_special_tokens=False)))
    dump(out / "sample_tokenizer.json", dict(note="ids = Tokenizer.from_file(tokenizer.json).encode(text).ids; decoded = decode(ids, skip_special_tokens=False)", items=items))
    print(len(items), "texts,", sum(i["text"] == i["decoded"] for i in items), "come back unchanged")


@torch.no_grad()
def forward_numbers(editor, out: Path) -> None:
    tensors, prompts = {}, []
    layers = list(range(len(editor.layers)))
    for i, text in enumerate(FORWARD_PROMPTS):
        ids = editor.encode(text)
        seen = editor.observe([ids], [len(ids) - 1], layers)
        logits = editor.model(input_ids=torch.tensor([ids]), use_cache=False).logits[0]
        tensors[f"p{i}.logits"] = logits[-1].contiguous()
        if len(ids) > 1:
            tensors[f"p{i}.nll"] = -torch.log_softmax(logits.double()[:-1], -1)[torch.arange(len(ids) - 1), torch.tensor(ids[1:])]
        for l in layers:
            tensors[f"p{i}.hidden.{l}"] = seen[f"out.{l}"][0].contiguous()
            tensors[f"p{i}.key.{l}"] = seen[f"key.{l}"][0].contiguous()
        prompts.append(dict(prompt=text, ids=ids, best=int(logits[-1].argmax()), best_text=editor.tokenizer.decode([int(logits[-1].argmax())])))
    save_file(tensors, out / "sample_forward.safetensors")
    dump(out / "sample_forward.json", dict(
        note="logits: float32 [vocabulary] at the last position. hidden.L: residual stream of the last token after decoder layer L, before the final norm. "
             "key.L: the input of layer L's down-projection at the last token. nll: float64, of each next token (absent for a prompt of one token).",
        prompts=prompts))


def edit_numbers(editor, sample: Path, out: Path, layer: int, layers: list[int], templates) -> None:
    from reference_editor import as_dict, request

    records = json.loads((sample / "facts.json").read_text(encoding="utf-8"))
    facts = [request(records[i]) for i in CASES]
    used = sorted({layer, *layers})
    C64, count = editor.second_moment((sample / "corpus.txt").read_text(encoding="utf-8").splitlines(), used)
    C = {l: c.float() for l, c in C64.items()}       # what is stored is what is used
    W0 = {l: editor.weight(l).data.clone() for l in used}
    T = {f"C.layer{l}.lower": lower(c) for l, c in C.items()}
    d_out, d_in = W0[layer].shape
    generator = torch.Generator().manual_seed(5)
    sample_rc = torch.stack([torch.randint(0, d_out, (64,), generator=generator), torch.randint(0, d_in, (64,), generator=generator)], 1)
    T["sample_rc"] = sample_rc.to(torch.int32)

    per_template = editor.template_keys(facts, layer)
    bare = editor.bare(facts, layer)
    T |= {"keys_per_template": per_template, "keys": editor.group_mean(per_template), "keys_flat_mean": per_template.mean(1),
          "key_bare": bare[f"key.{layer}"], "cur_z": bare[f"out.{layer}"], "cur_mlp_out": bare[f"mlp.{layer}"]}

    cases: dict[str, dict] = {}

    def record(name: str, D: torch.Tensor, K: torch.Tensor, l: int) -> None:
        T[f"{name}.layer{l}.dW_k"] = (D @ K.double()).T
        T[f"{name}.layer{l}.samples"] = D[sample_rc[:, 0], sample_rc[:, 1]]
        cases.setdefault(name, {})[f"layer{l}"] = dict(fro=float(D.norm()), rel_fro=float(D.norm() / W0[l].double().norm()))

    z, searches = {}, {}
    for site, l in dict.fromkeys([("layer", layer), ("mlp", layer), ("layer", layers[-1])]):
        tag = f"{site}{l}"
        found = [editor.search(f, l, site, SNAPSHOTS) for f in facts]
        z[tag] = torch.stack([s.z for s in found])
        T[f"z.{tag}"], T[f"target_init.{tag}"] = z[tag], torch.stack([s.init for s in found])
        for i, s in enumerate(found):
            for step, delta, grad in s.snapshots:
                T[f"snap.{tag}.fact{i}.step{step}.delta"], T[f"snap.{tag}.fact{i}.step{step}.grad"] = delta, grad
        searches[tag] = [dict(prompt_ids=s.ids, lookup=s.lookup, target_ids=s.target_ids, loss_nll_kl_wd_deltanorm=s.history,
                              init_norm=float(s.init.norm()), z_norm=float(s.z.norm()), snapshots=[step for step, *_ in s.snapshots]) for s in found]
        print(tag, "last loss", [round(s.history[-1][0], 3) for s in found], "steps", [len(s.history) for s in found], flush=True)

    C_layer = C[layer].double()
    for i in range(len(facts)):      # ROME, each fact alone
        u = torch.linalg.solve(C_layer, T["keys_flat_mean"][i].double())
        u = u / u.norm()
        right = (z[f"mlp{layer}"][i] - T["cur_mlp_out"][i]).double() / (T["key_bare"][i].double() @ u)
        T[f"rome_fact{i}.left"], T[f"rome_fact{i}.right"] = u, right
        record(f"rome_fact{i}", torch.outer(right, u), T["key_bare"][i : i + 1].T, layer)

    K = T["keys"].double().T
    R = (z[f"layer{layer}"] - T["cur_z"]).double().T
    T["resid"] = R.T
    for i in range(len(facts)):
        one = slice(i, i + 1)
        record(f"emmet_E1_fact{i}", editor.solve(R[:, one], K[:, one], C_layer, 0.0), K[:, one], layer)
    record("emmet_E5", editor.solve(R, K, C_layer, EMMET_LAMBDA), K, layer)
    record("memit_E1_fact0", editor.solve(R[:, :1], K[:, :1], C_layer, MEMIT_W), K[:, :1], layer)
    record("memit_E5", editor.solve(R, K, C_layer, MEMIT_W), K, layer)

    for method, slack in (("memit", MEMIT_W), ("emmet", EMMET_LAMBDA)):
        name, last = f"{method}_{len(layers)}layers", layers[-1]
        wanted = z[f"layer{last}"]

        def on_layer(l, K, R, D, short):
            record(name, D, K, l)
            T[f"{name}.layer{l}.keys"], T[f"{name}.layer{l}.resid"] = K.T.float(), R.T
            cases[name][f"layer{l}"]["z_error_before"] = float(short.norm(dim=1).mean())

        editor.edit(facts, wanted, layers, C, slack, on_layer)
        cases[name]["z_error_after"] = float((wanted - editor.bare(facts, last)[f"out.{last}"]).norm(dim=1).mean())
        for l in layers:
            editor.weight(l).data.copy_(W0[l])

    save_file({name: t.contiguous() for name, t in T.items()}, out / "sample_edits.safetensors")
    dump(out / "sample_edits.json", dict(
        note="Facts CASES of SamplePatches/facts.json. C.layerL.lower: float32, the lower triangle of layer L's own second moment by rows; every case uses this float32 matrix, and in the "
             "distributed cases each layer uses its own. lambda: ROME and EMMET at E = 1: 0; EMMET: emmet_lambda; MEMIT: mom2_update_weight (on the unweighted C). "
             "ROME as published: u = C^-1 flat-mean key (solved in float64), normalised, divided by bare key . u; residual from cur_mlp_out. "
             "snap grad: of the whole loss, but step 0's leaves out weight decay (its norm has no gradient at zero). "
             "Distributed: after each layer is solved, the weight used onward is float32(W0) + float32(D); residual = (z - current) / (layers left). "
             "z_error: mean over facts of norm(z - current output of the last layer), before that layer's update. prompt_ids: prompts with the target without its last token, then '{} is a'.",
        model="SamplePatches/model", hparams=dict(layer=layer, layers=layers, emmet_lambda=EMMET_LAMBDA, mom2_update_weight=MEMIT_W, **as_dict(editor.settings)),
        corpus_tokens=count, context_templates=templates, case_ids=CASES, facts=facts, cases=cases, z=searches))
    for name, case in cases.items():
        print(name, {k: (round(v["rel_fro"], 4) if isinstance(v, dict) else round(v, 5)) for k, v in case.items()})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=Path, default=HERE.parent.parent / "SamplePatches")
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--layer", type=int, default=1)
    parser.add_argument("--layers", default="0,1,2")
    options = parser.parse_args()
    torch.set_num_threads(1)
    sys.path.insert(0, str(options.sample / "training"))
    from check_edits import sampled_templates
    from reference_editor import ReferenceEditor

    model = AutoModelForCausalLM.from_pretrained(options.sample / "model", dtype=torch.float32, attn_implementation="eager")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(options.sample / "model")
    templates = sampled_templates(model, tokenizer)
    editor = ReferenceEditor(model, tokenizer, templates)
    tokenizer_numbers(options.sample, options.out)
    forward_numbers(editor, options.out)
    edit_numbers(editor, options.sample, options.out, options.layer, [int(x) for x in options.layers.split(",")], templates)
    for path in sorted(options.out.glob("sample_*")):
        print(f"{path.name:28} {path.stat().st_size:9}")


if __name__ == "__main__":
    main()
