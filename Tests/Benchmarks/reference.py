#!/usr/bin/env python3
"""The published way to edit a model, in PyTorch: the yardstick that Errata's benchmarks are measured against.

    reference.py second-moments MODEL --text FILE --layers 3 4 5 --tokens 100000 -o covs.safetensors
    reference.py edit MODEL --facts FILE --records 0:10 --method emmet --layers 5 --stats covs.safetensors --templates FILE -o DIR
    reference.py evaluate DIR --facts FILE --records 0:10

Single parts of an edit: reference_parts.py.

It does the same work in the same places as kmeng01/rome, kmeng01/memit and unified-model-editing: every step of a value
search runs the whole model over all padded prompts, second moments take one pass over the text per layer, and the solves
use `torch.inverse` and `torch.linalg.solve`. In two places it is cheaper than those programs, so that a speed ratio
against it is not flattered: the loss reads the logits of the pass itself, instead of computing them a second time from
the last layer's output, and texts are batched with others of their length. Models run in float32 on the CPU, solves in
binary64. Models need `model.layers[i].mlp.down_proj` (Llama, Mistral, Qwen, ...). Results are JSON on standard output.
"""
from __future__ import annotations

import argparse
import itertools
import json
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

Options = argparse.Namespace
Moments = dict[int, Tensor]
Templates = list[list[str]]  # in groups, for MEMIT's mean of means
PROMPTS_PER_BATCH = 64
TOKENS_PER_BATCH = 4096
SECONDS: dict[str, float] = {}  # spent in each phase of the run


class Failure(Exception):
    """An error that is reported as one line."""


class Reached(Exception):
    """Raised by a hook after which the rest of the model need not run."""


class Fact(NamedTuple):
    case_id: int
    prompt: str
    subject: str
    target_new: str
    target_true: str
    paraphrases: list[str]
    neighbours: list[str]


@contextmanager
def measured(phase: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    SECONDS[phase] = SECONDS.get(phase, 0.0) + time.perf_counter() - start


class LanguageModel:
    @measured("load")
    def __init__(self, path: Path):
        if not (path / "config.json").is_file() or not (path / "tokenizer.json").is_file():
            raise Failure(f"{path}: not a checkpoint directory with config.json and tokenizer.json")
        self.tokenizer = AutoTokenizer.from_pretrained(path, padding_side="right")
        self.tokenizer.pad_token = self.tokenizer.pad_token or self.tokenizer.eos_token
        self.model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval().requires_grad_(False)
        self.layers = getattr(getattr(self.model, "model", None), "layers", None)
        if not self.layers or not hasattr(getattr(self.layers[0], "mlp", None), "down_proj"):
            raise Failure(f"{path}: a {self.model.config.model_type} has no model.layers[i].mlp.down_proj")

    def down_projection(self, layer: int) -> nn.Module:
        if not 0 <= layer < len(self.layers):
            raise Failure(f"layer {layer}: the model has layers 0 to {len(self.layers) - 1}")
        return self.layers[layer].mlp.down_proj

    def pad(self, texts: list[str]) -> Any:
        return self.tokenizer(texts, padding=True, return_tensors="pt")

    def token_count(self, text: str) -> int:
        return len(self.tokenizer(text)["input_ids"])

    def target_ids(self, target: str) -> list[int]:
        ids = self.tokenizer(target if target.startswith(" ") else " " + target, add_special_tokens=False)["input_ids"]
        # Tokenizers that mark a word's start themselves may put the given space into a piece of its own.
        return ids[1:] if len(ids) > 1 and self.tokenizer.decode(ids[:1]) in ("", " ") else ids

    def fill(self, template: str, subject: str) -> tuple[str, int]:
        """The prompt with its subject, and the position of the subject's last token."""
        return template.replace("{}", subject), self.token_count(template.split("{}")[0] + subject) - 1

    @torch.no_grad()
    def observe(self, prompts: list[tuple[str, int]], module: nn.Module) -> tuple[Tensor, Tensor]:
        """A module's input and output at each prompt's position. As published, the whole model runs."""
        rows: list[tuple[Tensor, Tensor]] = []
        for start in range(0, len(prompts), PROMPTS_PER_BATCH):
            texts, positions = zip(*prompts[start : start + PROMPTS_PER_BATCH])
            at = torch.arange(len(texts)), torch.tensor(positions)
            record = lambda _, arguments, output: rows.append((arguments[0][at].clone(), output[at].clone()))
            with module.register_forward_hook(record):
                self.model(**self.pad(list(texts)), use_cache=False)
        inputs, outputs = zip(*rows)
        return torch.cat(inputs), torch.cat(outputs)


def keys(lm: LanguageModel, facts: list[Fact], layer: int, templates: Templates, mean_of_means: bool) -> Tensor:
    """[facts, d_in]. MEMIT and EMMET average over the means of the template groups, ROME over all templates."""
    flat = [t for group in templates for t in group]
    prompts = [lm.fill(t.replace("{}", fact.prompt), fact.subject) for fact in facts for t in flat]
    each = lm.observe(prompts, lm.down_projection(layer))[0].view(len(facts), len(flat), -1)
    groups = each.split([len(group) for group in templates], dim=1) if mean_of_means else [each]
    return torch.stack([group.mean(1) for group in groups]).mean(0)


def value_search(lm: LanguageModel, fact: Fact, site: nn.Module, options: Options) -> tuple[Tensor, list[float]]:
    """The output of `site` at the subject's last token that makes the model say the new target; the loss of each step."""
    target = lm.target_ids(fact.target_new)
    started = fact.prompt + lm.tokenizer.decode(target[:-1])
    rewriting = [t.replace("{}", started) for group in options.templates for t in group]
    texts, positions = zip(*(lm.fill(template, fact.subject) for template in (*rewriting, "{} is a")))
    batch = lm.pad(list(texts))
    at = torch.arange(len(texts)), torch.tensor(positions)
    targets = torch.full((len(rewriting), batch.input_ids.shape[1]), -100)
    for row, length in enumerate(batch.attention_mask.sum(1)[:-1].tolist()):
        targets[row, length - len(target) : length] = torch.tensor(target)
    mask = targets != -100
    delta = torch.zeros(lm.model.config.hidden_size, requires_grad=True)
    optimizer = torch.optim.Adam([delta], lr=options.lr)
    losses: list[float] = []
    seen: dict[str, Tensor] = {}  # at the first step

    def add_delta(_: nn.Module, __: tuple, output: Tensor) -> Tensor:
        seen.setdefault("value", output[0, positions[0]].detach().clone())
        return output.index_put(at, delta.expand(len(texts), -1), accumulate=True)

    with site.register_forward_hook(add_delta):
        for step in range(options.steps):
            optimizer.zero_grad()
            logits = lm.model(**batch, use_cache=False).logits
            distribution = torch.log_softmax(logits[-1, positions[-1]], dim=-1)
            initial_distribution = seen.setdefault("distribution", distribution.detach().clone())
            chosen = torch.log_softmax(logits[:-1], dim=-1).gather(2, targets.where(mask, 0).unsqueeze(2)).squeeze(2)
            nll = (-(chosen * mask).sum(1) / len(target)).mean()
            # As published, with the initial distribution as the input of kl_div: KL(current || initial).
            divergence = nn.functional.kl_div(initial_distribution, distribution, log_target=True, reduction="sum")
            size = seen["value"].norm()
            loss = nll + options.kl_factor * divergence + options.weight_decay * delta.norm() / size**2
            losses.append(loss.item())
            if losses[-1] < 5e-2 or step == options.steps - 1:
                break
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                delta.mul_((options.clamp * size / delta.norm()).clamp(max=1))
    return seen["value"] + delta.detach(), losses


def solve(method: str, residual: Tensor, key: Tensor, moment: Tensor, options: Options) -> Tensor:
    """D [d_out, d_in] from R [d_out, E], K [d_in, E] and C [d_in, d_in], all binary64."""
    if method == "memit":
        return residual @ torch.linalg.solve(options.mom2_weight * moment + key @ key.T, key).T
    inverse = torch.inverse(moment)
    gram = key.T @ inverse @ key
    if key.shape[1] > 1:  # one equality constraint can always be met: nothing to regularise
        gram = gram + options.emmet_lambda * torch.eye(key.shape[1], dtype=gram.dtype)
    return residual @ torch.inverse(gram) @ key.T @ inverse


def rome(lm: LanguageModel, facts: list[Fact], moments: Moments, options: Options) -> list[list[float]]:
    """One fact after another, each on the weights that the ones before it left."""
    layer = options.layers[0]
    projection = lm.down_projection(layer)  # its output is the MLP's
    with measured("solve"):
        inverse = torch.inverse(moments[layer])
    histories = []
    for fact in facts:
        with measured("keys"):
            left = nn.functional.normalize(inverse @ keys(lm, [fact], layer, options.templates, mean_of_means=False)[0], dim=0)
        with measured("value_search"):
            value, losses = value_search(lm, fact, projection, options)
        with measured("keys"):
            bare_key, output = lm.observe([lm.fill(fact.prompt, fact.subject)], projection)
        with measured("solve"):
            projection.weight.data += torch.outer((value - output[0]) / (bare_key[0] @ left), left)
        histories.append(losses)
    return histories


def memit(lm: LanguageModel, facts: list[Fact], moments: Moments, options: Options) -> list[list[float]]:
    """All values first, then the layers in order, each on the weights that the ones before it left. EMMET solves otherwise."""
    last = options.layers[-1]
    with measured("value_search"):
        found = [value_search(lm, fact, lm.layers[last], options) for fact in facts]
    for index, layer in enumerate(options.layers):
        with measured("keys"):
            key = keys(lm, facts, layer, options.templates, mean_of_means=True)
            current = lm.observe([lm.fill(fact.prompt, fact.subject) for fact in facts], lm.layers[last])[1]
        with measured("solve"):
            residual = (torch.stack([value for value, _ in found]) - current) / (len(options.layers) - index)
            update = solve(options.method, residual.double().T, key.double().T, moments[layer].double(), options)
            lm.down_projection(layer).weight.data += update.float()
    return [losses for _, losses in found]


def edit(options: Options) -> dict[str, Any]:
    if options.output.exists() or not options.output.parent.is_dir():
        raise Failure(f"{options.output}: exists already, or cannot be made there")
    if options.steps < 1 or options.layers != sorted(set(options.layers)) or options.method == "rome" and len(options.layers) > 1:
        raise Failure("--steps has to be at least 1, --layers has to ascend, and rome edits one layer")
    facts, stats, options.templates = read_facts(options), load_file(options.stats), read_templates(options.templates)
    lm = LanguageModel(options.model)
    before = {layer: lm.down_projection(layer).weight.data.clone() for layer in options.layers}
    moments = {layer: stats.get(f"C.layer{layer}", torch.empty(0)) for layer in options.layers}
    for layer, moment in moments.items():
        if moment.shape != (before[layer].shape[1],) * 2:
            raise Failure(f"{options.stats}: no C.layer{layer} for keys of width {before[layer].shape[1]}")
    histories = (rome if options.method == "rome" else memit)(lm, facts, moments, options)
    with measured("write"):
        write_checkpoint(lm, options)
    steps = sum(map(len, histories))
    return {
        "method": options.method, "layers": options.layers, "value_search_steps": steps,
        "seconds_per_value_search_step": SECONDS["value_search"] / steps,
        "facts": [{"case_id": fact.case_id, "steps": len(losses), "losses": losses} for fact, losses in zip(facts, histories)],
        "relative_norm": {l: float((lm.down_projection(l).weight - w).norm() / w.norm()) for l, w in before.items()},
    }


def write_checkpoint(lm: LanguageModel, options: Options) -> None:
    """The checkpoint as it was, but for the edited tensors, which are rounded to bfloat16."""
    edited = {f"model.layers.{l}.mlp.down_proj.weight": lm.down_projection(l).weight.data.bfloat16() for l in options.layers}
    options.output.mkdir()
    for path in options.model.iterdir():
        if path.suffix == ".safetensors":
            tensors = load_file(path)
            tensors.update({name: edited.pop(name) for name in tensors.keys() & edited.keys()})
            save_file(tensors, options.output / path.name, metadata={"format": "pt"})
        elif path.suffix in (".json", ".jinja", ".model", ".txt"):
            shutil.copy(path, options.output)
    if edited:
        raise Failure(f"{options.model}: no .safetensors file there holds {min(edited)}")


def pack(lm: LanguageModel, options: Options) -> list[list[list[int]]]:
    """The text's first tokens as sequences of one article each (or a piece of one), batched with others of their length."""
    sequences, left = [], options.tokens
    text = options.text.read_text("utf-8")
    articles = [text] if options.one_article else text.split("\n\n")
    for article in itertools.takewhile(lambda _: left, filter(str.strip, articles)):
        ids = lm.tokenizer(article)["input_ids"][:left]
        left -= len(ids)
        sequences += [ids[i : i + options.length] for i in range(0, len(ids), options.length)]
    if left:
        raise Failure(f"{options.text} has {options.tokens - left} tokens; --tokens asks for {options.tokens}")
    batches: list[list[list[int]]] = []
    for ids in sorted(sequences, key=len):
        if not batches or (len(batches[-1]) + 1) * len(ids) > TOKENS_PER_BATCH:
            batches.append([])
        batches[-1].append(ids)
    return batches


@torch.no_grad()
def second_moments(options: Options) -> dict[str, Any]:
    lm = LanguageModel(options.model)
    with measured("tokenize"):
        batches = [lm.tokenizer.pad({"input_ids": batch}, return_tensors="pt") for batch in pack(lm, options)]
    result = {}
    for layer in options.layers:
        width = lm.down_projection(layer).in_features
        moment, mask = torch.zeros(width, width), torch.zeros(0)

        def add(_: nn.Module, arguments: tuple) -> None:
            rows = arguments[0][mask.bool()]
            moment.add_(rows.T @ rows)
            raise Reached

        with measured("passes"), lm.down_projection(layer).register_forward_pre_hook(add):
            for batch in batches:
                mask = batch.attention_mask
                with suppress(Reached):
                    lm.model(**batch, use_cache=False)
        result[f"C.layer{layer}"] = moment / options.tokens
    save_file(result, options.output, metadata={"tokens": str(options.tokens)})
    return {"layers": options.layers, "tokens": options.tokens, "tokens_per_second": options.tokens / SECONDS["passes"]}


@torch.no_grad()
def target_losses(lm: LanguageModel, prompts: list[str], targets: list[str]) -> Tensor:
    """[prompts, targets]: the mean over a target's tokens of their negative log-probability after the prompt."""
    batch = lm.pad([f"{prompt} {target.strip()}" for prompt in prompts for target in targets])
    logits = lm.model(**batch, use_cache=False).logits
    each = []
    for row, (prompt, target) in enumerate(itertools.product(prompts, targets)):
        ids, begin = lm.target_ids(target), lm.token_count(prompt) - 1
        log_probabilities = torch.log_softmax(logits[row, begin : begin + len(ids)], dim=-1)
        each.append(-log_probabilities[range(len(ids)), ids].mean())
    return torch.stack(each).view(len(prompts), len(targets))


def evaluate(options: Options) -> dict[str, Any]:
    facts = read_facts(options)
    lm = LanguageModel(options.model)
    scores: dict[str, list[float]] = {"ES": [], "PS": [], "NS": []}
    probabilities = []
    with measured("evaluate"):
        for fact in facts:
            prompts = [fact.prompt.replace("{}", fact.subject), *fact.paraphrases, *fact.neighbours]
            new, true = target_losses(lm, prompts, [fact.target_new, fact.target_true]).unbind(1)
            probabilities.append(float(torch.exp(-new[0])))
            split = 1 + len(fact.paraphrases)
            for name, hits in (("ES", (new < true)[:1]), ("PS", (new < true)[1:split]), ("NS", (true < new)[split:])):
                if len(hits):
                    scores[name].append(100 * float(hits.double().mean()))
    mean = {name: sum(each) / len(each) for name, each in scores.items() if each}
    harmonic = len(mean) / sum(1 / m for m in mean.values()) if all(mean.values()) else 0.0
    return mean | {"S": harmonic, "mean_probability_of_target_new": sum(probabilities) / len(facts), "facts": len(facts)}


def read_facts(options: Options) -> list[Fact]:
    facts = []
    try:
        begin, end = options.records.split(":")
        for record in json.loads(options.facts.read_bytes())[int(begin or 0) : int(end) if end else None]:
            edit = record["requested_rewrite"]
            facts.append(Fact(record["case_id"], edit["prompt"], edit["subject"], edit["target_new"]["str"],
                              edit["target_true"]["str"], record["paraphrase_prompts"], record["neighborhood_prompts"]))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise Failure(f"{options.facts}: not a list of CounterFact records, or --records is not A:B ({error!r})") from None
    if not facts:
        raise Failure(f"{options.facts}: --records chooses no record")
    return facts


def read_templates(path: Path) -> Templates:
    """Groups of templates, alone in the file or as its `context_templates`."""
    value = json.loads(path.read_bytes())
    groups = value.get("context_templates") if isinstance(value, dict) else value
    if not groups or not all(isinstance(group, list) and group and all("{}" in t for t in group) for group in groups):
        raise Failure(f'{path}: expected groups of templates, such as [["{{}}"], ["It is so. {{}}"]]')
    return groups


def arguments() -> Options:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)

    def command(name: str, run: Callable[[Options], dict[str, Any]], summary: str) -> Callable[..., Any]:
        added = commands.add_parser(name, help=summary, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
        added.set_defaults(run=run)
        added.add_argument("model", type=Path, help="checkpoint directory")
        added.add_argument("--threads", type=int, default=2, help="of PyTorch")
        return added.add_argument

    moments = command("second-moments", second_moments, "C of each layer over a text")
    moments("--text", type=Path, required=True, help="articles separated by blank lines")
    moments("--tokens", type=int, default=100_000, help="how much of the text")
    moments("--one-article", action="store_true", help="take blank lines for text too")
    moments("--length", type=int, default=512, help="longest sequence, in tokens")
    editing = command("edit", edit, "edit facts into a checkpoint")
    scoring = command("evaluate", evaluate, "ES, PS, NS and S of a checkpoint")
    for add in (editing, scoring):
        add("--facts", type=Path, required=True, help="CounterFact records")
        add("--records", default=":", help="A:B, the records A to B - 1")
    for add in (moments, editing):
        add("--layers", type=int, nargs="+", required=True, help="counted from 0")
        add("-o", "--output", type=Path, required=True, help="what to write")
    editing("--method", choices=("rome", "memit", "emmet"), required=True, help="which update")
    editing("--stats", type=Path, required=True, help="safetensors with C.layerN")
    editing("--templates", type=Path, required=True, help="groups of context templates")
    for name, kind, default in (("steps", int, 25), ("lr", float, 0.5), ("clamp", float, 4.0), ("weight-decay", float, 1e-3),
                                ("kl-factor", float, 0.0625), ("emmet-lambda", float, 0.1), ("mom2-weight", float, 100.0)):
        editing(f"--{name}", type=kind, default=default, help="hyperparameter")
    return parser.parse_args()


def run(options: Options) -> int:
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(options.threads)
    try:
        with measured("total"):
            result = options.run(options)
    except (Failure, OSError, ValueError, SafetensorError, torch.linalg.LinAlgError) as error:
        print(f"reference.py: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    result |= {"seconds": SECONDS, "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
    print(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(run(arguments()))
