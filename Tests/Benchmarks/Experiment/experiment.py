"""The experiment of "A Unified Framework for Model Editing" (Gupta et al. 2024), run with Errata's tools: ROME, EMMET and
MEMIT fact by fact, EMMET against MEMIT in batches, in one layer and spread over several, what the slack lambda does, and
what edits do to the rest of the model.

    experiment.py TOOLS MODEL FACTS STATS OUTPUT [--templates FILE] [--text FILE] [--downstream FOLDER]

TOOLS: the folder with errata.  MODEL, FACTS, STATS: a checkpoint, CounterFact records and the model's second moments.
OUTPUT: a folder for patches and raw results. Steps whose result is there are skipped, so that an interrupted run goes on.

It writes scores.csv, checks.csv and tradeoff.csv into OUTPUT, after each part with what there is so far. Standard library only.
"""
import argparse
import csv
import json
import os
import subprocess
import tempfile
import time

from edits import Edits
from scores import Scores, paired_difference

# Both at the weights of the SmolLM2 preset: lambda = 0.1 (0 for one fact) and 100.
METHODS = {"emmet": ("--method", "emmet", "--alpha", "0.1", "-w", "1"), "memit": ("--method", "memit", "-w", "100")}
FACTS, EVALUATED, SINGLE = 256, 64, 40
SLACKS = ("300", "1000", "3000", "10000", "100000")


class Experiment(Edits):
    def __init__(self, arguments):
        super().__init__(arguments, FACTS, METHODS["emmet"])
        os.makedirs(self.path("runs"), exist_ok=True)

    def step(self, name, compute):
        """The result of `compute`, from its file if it was computed before."""
        path = self.path("runs", name + ".json")
        if not os.path.exists(path):
            start = time.monotonic()
            result = compute()
            with open(path + ".new", "w", encoding="utf-8") as file:
                json.dump(result, file)
            os.replace(path + ".new", path)
            print(f"{name}: {time.monotonic() - start:.0f} s", flush=True)
        with open(path, encoding="utf-8") as file:
            return json.load(file)

    def first_facts(self, count):
        with open(self.arguments.facts, encoding="utf-8") as file:
            return json.load(file)[:count]

    # Measurements

    def evaluate(self, patch, *options):
        """What `errata eval` says of the checkpoint with the patch (or of the base), with the patch's own figures."""
        options = ("--quiet", "--json", *options)
        if not patch:
            return {"eval": json.loads(self.errata("eval", self.arguments.model, *options))}
        with tempfile.TemporaryDirectory(dir=self.arguments.output) as scratch:
            checkpoint = os.path.join(scratch, "checkpoint")
            self.errata("apply", self.arguments.model, patch, "-o", checkpoint, "--quiet")
            evaluation = json.loads(self.errata("eval", checkpoint, *options))
        slack = json.loads(self.errata("show", patch, "--json"))["manifest"]["batches"][0]["method"]["lambda"]
        curve = json.loads(self.errata("resolve", patch, "--tradeoff", "--json"))["total"]
        return {"eval": evaluation, "figures": next(point for point in curve if point["lambda"] == slack)}

    def score(self, name, make_patch, records, perplexity=False):
        options = ["--facts", self.arguments.facts, "--records", records]
        if perplexity and self.arguments.text:
            options += ["--perplexity", self.arguments.text, "--perplexity-tokens", "8192", "--stride", "1024"]
        return self.step(name, lambda: self.evaluate(make_patch(), *options))

    # The parts

    def base(self, scores):
        scores.add("base", "none", "-", 0, [self.score("base", lambda: None, f"0-{EVALUATED - 1}", True)])

    def single(self, scores):
        base = self.score("base", lambda: None, f"0-{EVALUATED - 1}", True)
        scores.add("single", "none", "5", 0, [base], only=SINGLE)
        for name, settings in {"rome": ("--method", "rome"), **METHODS}.items():
            runs = [
                self.score(f"{name}_5_1_{i}", lambda: self.edit(f"{i}-{i}", "5", *settings), f"{i}-{i}") for i in range(SINGLE)
            ]
            scores.add("single", name, "5", 1, runs)

    def batches(self, scores, part="batches", layers="5", sizes=(1, 4, 16, 64, 256)):
        for size in sizes:
            both = {}
            for method, settings in METHODS.items():
                runs = []
                evaluated = SINGLE if size == 1 else EVALUATED
                for start in range(0, evaluated, size):
                    records = f"{start}-{start + size - 1}"
                    runs.append(self.score(
                        f"{method}_{layers}_{size}_{start}", lambda: self.edit(records, layers, *settings),
                        f"{start}-{min(start + size, evaluated) - 1}", size >= 64))
                both[method] = scores.add(part, method, layers, size, runs)
            scores.add_difference(part, layers, size, paired_difference(both["emmet"], both["memit"]))

    def distributed(self, scores):
        self.batches(scores, "distributed", "3-5", (1, 16, 64, 256))

    def tradeoff(self, patches):
        """What other lambdas would cost and bring, from the patches alone."""
        curves = {
            size: json.loads(self.errata("resolve", patch, "--tradeoff", "--json"))["total"] for size, patch in patches.items()
        }
        with open(self.path("tradeoff.csv"), "w", newline="", encoding="utf-8") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(["batch", *next(iter(curves.values()))[0]])
            table.writerows([size, *point.values()] for size, points in curves.items() for point in points)

    def slack(self, scores):
        patches = {size: self.edit(f"0-{size - 1}", "5", *METHODS["emmet"]) for size in (64, 256)}
        self.tradeoff(patches)
        for size, patch in patches.items():
            runs = [
                self.score(
                    f"slack_{size}_{slack}",
                    lambda: self.derive("resolve", f"slack_{size}_{slack}", patch, "--lambda", slack),
                    f"0-{EVALUATED - 1}", True)
                for slack in SLACKS
            ]
            # EMMET and MEMIT are two of the lambdas, and scored already.
            runs += [self.score(f"{method}_5_{size}_0", lambda: None, "") for method in METHODS]
            for run in sorted(runs, key=lambda run: run["figures"]["lambda"]):
                scores.add("slack", "resolve", "5", size, [run])

    def side_effects(self, scores):
        if not self.arguments.downstream:
            return
        options = ["--downstream", self.arguments.downstream, "--limit", "100"]
        for method in ("none", *METHODS):
            make = lambda: method != "none" and self.edit(f"0-{FACTS - 1}", "5", *METHODS[method])
            tasks = self.step(f"downstream_{method}", lambda: self.evaluate(make(), *options))
            scores.add_sections("side effects", method, "5", FACTS if make() else 0, tasks)

    def generation(self, scores):
        for method in ("none", *METHODS):
            make = lambda: method != "none" and self.edit(f"0-{FACTS - 1}", "5", *METHODS[method])
            texts = self.step(f"generation_{method}", lambda: self.evaluate(
                make(), "--facts", self.arguments.facts, "--records", "0-15", "--generate"))
            scores.add_sections("generation", method, "5", FACTS if make() else 0, texts)

    def checks(self, _):
        """What is solved again without the model, against fresh edits: |A - B| / |A|, tensor by tensor the worst."""
        emmet, memit = METHODS["emmet"], METHODS["memit"]
        whole, part = self.edit("0-63", "5", *emmet), self.edit("0-15", "5", *emmet)
        # A subject is enough to name a fact here: those of the first facts differ.
        dropped = [x for fact in self.first_facts(64)[16:] for x in ("--fact", fact["requested_rewrite"]["subject"])]
        pairs = {
            "resolve emmet into memit, and memit edited": (
                self.derive("resolve", "check_memit", whole, *memit), self.edit("0-63", "5", *memit)),
            "drop 48 of 64 facts, and 16 edited": (self.derive("drop", "check_drop", whole, *dropped), part),
            "emmet with alpha 0.1 and w 1000, and memit with w 100": (
                self.edit("0-63", "5", "--method", "emmet", "--alpha", "0.1", "-w", "1000"), self.edit("0-63", "5", *memit)),
            "layers 3-5 with values of layer 5, and with its own": (
                self.edit("0-0", "3-5", *emmet), self.path("values", "own.wpatch")),
        }
        with open(self.path("checks.csv"), "w", newline="", encoding="utf-8") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(["check", "facts", "relative_difference"])
            for name, (first, second) in pairs.items():
                found = subprocess.run(self.command("diff", first, second, "--json"), stdout=subprocess.PIPE, text=True).stdout
                difference = json.loads(found)
                worst = max((x["norm_difference"] / x["norm_first"] for x in difference["tensors"]), default=0)
                table.writerow([name, difference["facts"]["shared"], worst])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("tools", "model", "facts", "stats", "output"):
        parser.add_argument(name)
    for name in ("--templates", "--text", "--downstream"):
        parser.add_argument(name)
    arguments = parser.parse_args()
    experiment = Experiment(arguments)
    scores = Scores()
    for part in (
        experiment.base, experiment.batches, experiment.checks, experiment.single, experiment.slack,
        experiment.side_effects, experiment.distributed, experiment.generation,
    ):
        part(scores)
        scores.write(experiment.path("scores.csv"))


if __name__ == "__main__":
    main()
