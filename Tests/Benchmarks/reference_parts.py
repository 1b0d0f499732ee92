#!/usr/bin/env python3
"""Single parts of an edit as reference.py does it, for benchmark.py: PyTorch's side of benchmark-parts.

    reference_parts.py values | keys MODEL --facts FILE --records A:B --templates FILE --layer N -o FILE
    reference_parts.py problem --size N --count N --outputs N -o FILE
    reference_parts.py solve FILE --method emmet
    reference_parts.py machine
"""
from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import torch
from reference import LanguageModel, Options, keys, measured, read_facts, read_templates, run, solve, value_search
from safetensors.torch import load_file, save_file


def search_values(options: Options) -> dict[str, Any]:
    """The value search alone."""
    facts, options.templates = read_facts(options), read_templates(options.templates)
    lm = LanguageModel(options.model)
    found = []
    for fact in facts:
        with measured("value_search"):
            found.append(value_search(lm, fact, lm.layers[options.layer], options))
    save_file({"rows": torch.stack([value for value, _ in found])}, options.output)
    return {"losses": [losses for _, losses in found]}


def measure_keys(options: Options) -> dict[str, Any]:
    """The keys alone."""
    facts, templates = read_facts(options), read_templates(options.templates)
    lm = LanguageModel(options.model)
    with measured("keys"):
        found = keys(lm, facts, options.layer, templates, mean_of_means=True)
    save_file({"rows": found}, options.output)
    return {}


def make_problem(options: Options) -> dict[str, Any]:
    """A closed form to solve: C of a wide spectrum, keys that have C as their second moment but for a common part."""
    generator = torch.Generator().manual_seed(0)
    normal = lambda *shape: torch.randn(*shape, generator=generator)
    scale = torch.logspace(0, -2, options.size)
    common = normal(options.size, 256) / 16
    moment = common @ common.T
    moment.diagonal().add_(scale)
    save_file({"moment": moment, "keys": common @ normal(256, options.count) + scale.sqrt()[:, None] * normal(options.size, options.count),
               "residual": normal(options.outputs, options.count)}, options.output)
    return {}


def solve_problem(options: Options) -> dict[str, Any]:
    """The closed form alone, from matrices as they are stored and measured, in binary32, to D in binary64."""
    problem = load_file(options.problem)
    moment, key, residual = (problem.pop(name) for name in ("moment", "keys", "residual"))
    with measured("solve"):
        update = solve(options.method, residual.double(), key.double(), moment.double(), options)
    if options.output:
        save_file({"update": update}, options.output)
    return {}


def measure_machine(_: Options) -> dict[str, Any]:
    """GFLOP/s of PyTorch's float32 products, the best of five, and the instructions that its own kernels use."""
    factor = torch.full((2048, 2048), 0.5)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        factor @ factor
        seconds.append(time.perf_counter() - start)
    return {"sgemm": 2e-9 * 2048**3 / min(seconds), "kernels": torch.backends.cpu.get_cpu_capability()}


def arguments() -> Options:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)

    def command(name: str, work: Any, summary: str) -> Any:
        added = commands.add_parser(name, help=summary, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
        added.set_defaults(run=work)
        added.add_argument("--threads", type=int, default=2, help="of PyTorch")
        return added.add_argument

    values = command("values", search_values, "the value search alone")
    key = command("keys", measure_keys, "the keys alone")
    problem = command("problem", make_problem, "makes a closed form to solve")
    solving = command("solve", solve_problem, "the closed form alone")
    command("machine", measure_machine, "the rate of products")
    for add in (values, key):
        add("model", type=Path, help="checkpoint directory")
        add("--facts", type=Path, required=True, help="CounterFact records")
        add("--records", default=":", help="A:B, the records A to B - 1")
        add("--layer", type=int, required=True, help="counted from 0")
        add("--templates", type=Path, required=True, help="groups of context templates")
        add("-o", "--output", type=Path, required=True, help="a safetensors file for what was found")
    problem("--size", type=int, required=True, help="of keys")
    problem("--count", type=int, required=True, help="of keys")
    problem("--outputs", type=int, required=True, help="size of residuals")
    problem("-o", "--output", type=Path, required=True, help="what to write")
    solving("problem", type=Path, help="what problem wrote")
    solving("--method", choices=("memit", "emmet"), required=True, help="which solve")
    solving("-o", "--output", type=Path, help="a safetensors file for D")
    solving("--emmet-lambda", type=float, default=0.1, help="EMMET's slack")
    solving("--mom2-weight", type=float, default=100.0, help="MEMIT's slack")
    for name, kind, default in (("steps", int, 25), ("lr", float, 0.5), ("clamp", float, 4.0), ("weight-decay", float, 1e-3),
                                ("kl-factor", float, 0.0625)):
        values(f"--{name}", type=kind, default=default, help="hyperparameter")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(run(arguments()))
