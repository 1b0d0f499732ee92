"""Errata beside the PyTorch reference (reference.py), in one run: the same model, facts, contexts, settings and second
moments, two threads each, in turn; whether both come to the same numbers; and the ratios, against their targets.

    benchmark.py TOOLS PYTHON MODEL FACTS.json TEXT SCRATCH [--rows NAME,...] [--quick] [--rounds N] [--json FILE]

TOOLS: the folder with errata, its verbs and benchmark-parts.  PYTHON: an interpreter with torch, transformers and
safetensors.  MODEL: SmolLM2-135M.  FACTS: CounterFact records.  TEXT: ordinary text.

Before and after each measurement the rate of float32 products is taken (benchmark-parts machine: OpenBLAS, both threads):
on a shared machine it may halve from one minute to the next. A round whose rates differ by more than a fifth is repeated
once. Where the reference would take very long it works on fewer facts, and its time is scaled by their number: "(10 of 100)".
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LAYER, LAYERS = 5, [3, 4, 5, 6, 7]
HERE = Path(__file__).parent
TEMPLATES = [
    "{}", "The first thing that you should know is. {}", "Therefore, it is important to remember this. {}",
    "Because of the weather, we stayed inside. {}", "I have always wanted to learn more about. {}",
    "You can find more information on this page. {}",
]


class Measured:
    """A command that was run: its JSON, its wall-clock seconds and the peaks of its memory in bytes."""

    def __init__(self, *command, environment):
        start = time.monotonic()
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            process = subprocess.Popen([str(part) for part in command], stdout=output, stderr=errors, env=environment)
            self.anonymous = self.resident = 0
            while process.poll() is None:
                self.sample(process.pid)
                time.sleep(0.01)
            self.seconds = time.monotonic() - start
            output.seek(0), errors.seek(0)
            if process.returncode:
                raise SystemExit(f"benchmark: {command[0]} {command[1]} failed: {errors.read().decode().strip()[-400:]}")
            self.json = json.loads(output.read() or "{}")

    def sample(self, pid):
        try:
            with open(f"/proc/{pid}/status") as status:
                fields = dict(line.split(":", 1) for line in status if line.startswith(("RssAnon", "VmHWM")))
        except OSError:
            return
        if fields:
            self.anonymous = max(self.anonymous, 1024 * int(fields["RssAnon"].split()[0]))
            self.resident = max(self.resident, 1024 * int(fields["VmHWM"].split()[0]))


def child_environment():
    """Two threads. Kernels are chosen by the processor, as they are where nobody has set anything."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENBLAS_", "MKL_", "OMP_"))}
    return dict(kept, OMP_NUM_THREADS="2", MKL_NUM_THREADS="2", ERRATA_THREADS="2", TOKENIZERS_PARALLELISM="false",
                HF_HUB_OFFLINE="1")


class Row:
    """One line of the table."""

    def __init__(self, name, work, target):
        self.name, self.work, self.target, self.rounds, self.notes, self.failures = name, work, target, [], [], []

    def agree(self, what, difference, tolerance):
        self.notes.append(f"{what} {difference:.1g}")
        if not difference <= tolerance:
            self.failures.append(f"{what} differ by {difference:.2g}, more than {tolerance:.0e}")

    @property
    def ratio(self):
        return statistics.median(reference / ours for ours, reference, _ in self.rounds)

    def json(self):
        return {
            "row": self.name, "work": self.work, "target": self.target, "ratio": self.ratio,
            "rounds": [{"errata": o, "reference": r, "sgemm": s} for o, r, s in self.rounds],
            "ok": self.ratio >= self.target and not self.failures, "agreement": self.notes, "failures": self.failures,
        }


class Benchmark:
    def __init__(self, options):
        self.options = options
        self.scratch = Path(options.scratch)
        self.scratch.mkdir(parents=True, exist_ok=True)
        self.environment = child_environment()
        self.templates = self.scratch / "templates.json"
        self.templates.write_text(json.dumps(TEMPLATES))
        self.groups = self.scratch / "template-groups.json"
        self.groups.write_text(json.dumps([TEMPLATES[:1], TEMPLATES[1:]]))
        self.rows = []
        self.rates = []

    # -- running

    def tool(self, *arguments):
        return Measured(Path(self.options.tools) / "errata", *arguments, environment=self.environment)

    def parts(self, *arguments):
        return Measured(Path(self.options.tools) / "benchmark-parts", *arguments, environment=self.environment)

    def reference(self, *arguments):
        return Measured(self.options.python, HERE / "reference.py", *arguments, environment=self.environment)

    def reference_parts(self, *arguments):
        return Measured(self.options.python, HERE / "reference_parts.py", *arguments, environment=self.environment)

    def rate(self):
        self.machine = self.parts("machine").json
        self.rates.append(self.machine["sgemm"])
        return self.rates[-1]

    def rounds(self, row, ours, reference, count):
        """Runs both in turn; each returns its seconds. Keeps, for each round, seconds of both and the machine's rate."""
        for _ in range(1 if self.options.quick else self.options.rounds or count):
            for attempt in range(2):
                rates = [self.rate()]
                mine = ours()
                rates.append(self.rate())
                theirs = reference()
                rates.append(self.rate())
                if max(rates) < 1.2 * min(rates) or self.options.quick or self.options.rounds:
                    break
            row.rounds.append((mine, theirs, statistics.mean(rates)))
            print(f"  {row.name}: errata {mine:.3g}, reference {theirs:.3g}, ratio {theirs / mine:.2f}, sgemm "
                  f"{', '.join(f'{rate:.0f}' for rate in rates)} GFLOP/s", file=sys.stderr)
        self.rows.append(row)
        return row

    def facts(self, count, colon=False):
        return ["--facts", self.options.facts, "--records", f"0:{count}" if colon else f"0-{count - 1}" if count > 1 else "0"]

    def path(self, name):
        path = self.scratch / name
        if path.is_dir():
            subprocess.run(["rm", "-rf", path], check=True)
        else:
            path.unlink(missing_ok=True)
        return path

    # -- rows

    def values(self, name, count, reference_count, target, rounds):
        """The search alone, models loaded."""
        result = {}

        def ours():
            result["ours"] = self.parts(
                "values", self.options.model, *self.facts(count), "--templates", self.templates, "--layer", LAYER, "--steps",
                self.options.steps, "-o", self.path("z-errata")).json
            return result["ours"]["seconds"] / count

        def reference():
            result["reference"] = self.reference_parts(
                "values", self.options.model, *self.facts(reference_count, colon=True), "--templates", self.groups,
                "--layer", LAYER, "--steps", self.options.steps, "-o", self.path("z-reference")).json
            return result["reference"]["seconds"]["value_search"] / reference_count

        scale = "" if count == reference_count else f" ({reference_count} of {count})"
        row = self.rounds(Row(name, f"value search, {count} fact{'s' if count > 1 else ''}{scale}: seconds per fact", target),
                          ours, reference, rounds)
        pairs = list(zip(result["ours"]["losses"], result["reference"]["losses"]))
        row.agree("first losses", max(abs(a[0] - b[0]) / b[0] for a, b in pairs), 1e-4)
        row.agree("all losses", max(abs(x - y) / max(y, 0.05) for a, b in pairs for x, y in zip(a, b)), 0.1)
        row.agree("z", self.difference("z-errata", "z-reference", reference_count), 0.05)
        steps = [len(a) for a, _ in pairs], [len(b) for _, b in pairs]
        row.notes.append("steps the same" if steps[0] == steps[1] else f"steps {steps[0]} and {steps[1]}")
        return row, result["ours"]

    def row_values(self):
        row, found = self.values("values", 32, 2 if self.options.quick else 6, 8, 2)
        machine = row.rounds[-1][2]
        achieved = found["operations_of_steps"] / found["seconds_of_steps"] * 1e-9
        whole = found["operations"] / found["seconds"] * 1e-9
        share = Row("rate", f"its steps' GFLOP/s ({achieved:.0f}) of sgemm's ({machine:.0f})", 0.6)
        share.rounds.append((machine, achieved, machine))
        share.notes.append(f"with the constant rows and the weights' conversion {whole / machine:.2f}")
        self.rows.append(share)

    def row_value(self):
        self.values("value", 1, 1, 4, 3)

    def moments(self, name, layers, target):
        tokens = 512 * (20 if self.options.quick else 40)

        def ours():
            found = self.tool(
                "stats", self.options.model, "--text", self.options.text, "--layers", ",".join(map(str, layers)), "--tokens",
                tokens, "-o", self.path("c-errata"), "--quiet", "--json", "--profile").json
            return phase(found, "passes")

        def reference():
            return self.reference(
                "second-moments", self.options.model, "--text", self.options.text, "--layers", *layers, "--tokens", tokens,
                "--one-article", "-o", self.path("c-reference")).json["seconds"]["passes"]

        many = f"{len(layers)} layer{'s' if len(layers) > 1 else ''}"
        row = self.rounds(Row(name, f"second moments, {many}, {tokens} tokens: seconds of the passes", target), ours, reference, 2)
        from safetensors.torch import load_file
        mine, theirs = load_file(self.scratch / "c-errata"), load_file(self.scratch / "c-reference")
        row.agree("C", max(float((mine[f"second_moment.{l}"] - theirs[f"C.layer{l}"]).norm() / theirs[f"C.layer{l}"].norm())
                           for l in layers), 1e-4)

    def row_moments5(self):
        self.moments("moments5", LAYERS, 5)

    def row_moments1(self):
        self.moments("moments1", [LAYER], 1.5)

    def row_keys(self):
        def ours():
            return self.parts("keys", self.options.model, *self.facts(100), "--templates", self.templates, "--layer", LAYER,
                              "-o", self.path("k-errata")).json["seconds"]

        def reference():
            return self.reference_parts("keys", self.options.model, *self.facts(100, colon=True), "--templates", self.groups,
                                  "--layer", LAYER, "-o", self.path("k-reference")).json["seconds"]["keys"]

        row = self.rounds(Row("keys", f"keys of 100 facts at layer {LAYER}: seconds", 5), ours, reference, 3)
        row.agree("keys", self.difference("k-errata", "k-reference", 100), 1e-4)

    def solve(self, size, outputs, count):
        if self.options.quick:
            size, outputs, count = size // 4, outputs // 4, count // 4
        problem = self.path("problem")
        self.reference_parts("problem", "--size", size, "--count", count, "--outputs", outputs, "-o", problem)
        for method, slack, target in (("emmet", 0.1, 4), ("memit", 100.0, 2)):
            memory = {}

            def ours():
                found = self.parts("solve", problem, "--lambda", slack, "-o", self.path("d-errata"))
                memory["errata"] = found.anonymous
                return found.json["seconds"]

            def reference():
                found = self.reference_parts("solve", problem, "--method", method)
                memory["reference"] = found.anonymous
                return found.json["seconds"]["solve"]

            row = self.rounds(Row(f"solve-{method}-{size}", f"solve, {method.upper()}, d_in {size}, {count} facts: seconds", target),
                              ours, reference, 1)
            self.reference_parts("solve", problem, "--method", method, "-o", self.path("d-reference"))
            row.agree("D", self.update_difference(), 1e-5)
            share = Row(f"memory-{method}-{size}", "peak anonymous memory of that: MB", 2)
            share.rounds.append((memory["errata"] * 1e-6, memory["reference"] * 1e-6, row.rounds[-1][2]))
            self.rows.append(share)
        for name in ("problem", "d-errata", "d-reference"):
            self.path(name)

    def row_solve6400(self):
        self.solve(6400, 1600, 1000)

    def row_solve11008(self):
        self.solve(11008, 4096, 1000)

    def row_job(self):
        """From checkpoint to .wpatch, everything included; the reference writes a checkpoint."""
        count, fewer = (10, 2) if self.options.quick else (100, 5)
        stats = self.statistics()
        memory, patch, edited = {}, self.scratch / "job.wpatch", self.scratch / "edited"

        def ours():
            found = self.tool(
                "edit", self.options.model, *self.facts(count), "--method", "emmet", "--layers", LAYER, "--stats", stats[0],
                "--templates", self.templates, "--steps", self.options.steps, "-o", self.path(patch.name), "--force", "--quiet",
                "--json")
            memory["errata"] = found.anonymous, found.resident
            self.outcomes = found.json["facts"]
            return found.seconds

        def reference():
            found = self.reference(
                "edit", self.options.model, *self.facts(fewer, colon=True), "--method", "emmet", "--layers", LAYER, "--stats",
                stats[1], "--templates", self.groups, "--steps", self.options.steps, "--mom2-weight", 1, "-o",
                self.path(edited.name))
            memory["reference"] = found.anonymous, found.resident
            self.reference_outcomes = found.json["facts"]
            seconds = found.json["seconds"]
            per_fact = seconds["value_search"] + seconds["keys"]
            return found.seconds + per_fact * (count / fewer - 1)

        row = self.rounds(Row("job", f"whole job, {count} facts ({fewer} of {count}), checkpoint to .wpatch: seconds", 6), ours,
                          reference, 1)
        pairs = list(zip(self.outcomes, self.reference_outcomes))
        row.agree("last losses", max(abs(a["loss"] - b["losses"][-1]) / max(b["losses"][-1], 0.05) for a, b in pairs), 0.1)
        for index, kind in enumerate(("anonymous", "resident")):
            share = Row(f"memory-job-{kind}", f"peak {kind} memory of that: MB", 2)
            share.rounds.append((memory["errata"][index] * 1e-6, memory["reference"][index] * 1e-6, row.rounds[-1][2]))
            self.rows.append(share)

    def row_scores(self):
        count, fewer = (20, 5) if self.options.quick else (100, 25)
        result = {}

        def ours():
            found = self.tool("eval", self.options.model, *self.facts(count), "--quiet", "--json", "--profile").json
            result["seconds"] = phase(found, "scores")
            return result["seconds"]

        def reference():
            found = self.reference("evaluate", self.options.model, *self.facts(fewer, colon=True)).json
            result["reference"] = found
            return found["seconds"]["evaluate"] * count / fewer

        row = self.rounds(Row("scores", f"ES, PS, NS of {count} facts ({fewer} of {count}): seconds", 4), ours, reference, 2)
        same = self.tool("eval", self.options.model, *self.facts(fewer), "--quiet", "--json").json["summary"]
        row.agree("ES, PS, NS", max(abs(same[s] - result["reference"][s]) for s in ("ES", "PS", "NS")), 1e-6)

    # -- helpers

    def statistics(self):
        """Second moments for both: collected by Errata, and with the names that the reference reads."""
        from safetensors.torch import load_file, save_file
        mine, theirs = self.scratch / "stats.safetensors", self.scratch / "stats-reference.safetensors"
        if not theirs.exists():
            self.tool("stats", self.options.model, "--text", self.options.text, "--layers", ",".join(map(str, LAYERS)), "--tokens",
                      20_480, "-o", mine, "--quiet", "--json")
            save_file({name.replace("second_moment.", "C.layer"): tensor for name, tensor in load_file(mine).items()}, theirs)
        return mine, theirs

    def difference(self, mine, theirs, count):
        """The largest relative difference of a row of two files."""
        from safetensors.torch import load_file
        a, b = (load_file(self.scratch / name)["rows"][:count].double() for name in (mine, theirs))
        return float(((a - b).norm(dim=1) / b.norm(dim=1)).max())

    def update_difference(self):
        from safetensors.torch import load_file
        factors, update = load_file(self.scratch / "d-errata"), load_file(self.scratch / "d-reference")["update"]
        return float((factors["left"] @ factors["right"] - update).norm() / update.norm())


def phase(answer, name):
    return sum(p["seconds"] for p in answer["profile"]["phases"] if p["phase"] == name and p["depth"] == 0)


def table(benchmark):
    header = ["work", "Errata", "reference", "ratio", "target", "", "sgemm", "both agree to"]
    lines = [header]
    for row in benchmark.rows:
        ours, theirs, rate = (statistics.median(column) for column in zip(*row.rounds))
        verdict = "DIFFERS" if row.failures else "ok" if row.ratio >= row.target else "miss"
        if row.name == "rate":
            ours, theirs = theirs, ours
        lines.append([row.work, f"{ours:.3g}", f"{theirs:.3g}", f"{row.ratio:.2f}", f"{row.target:g}", verdict, f"{rate:.0f}",
                      ", ".join(row.notes)])
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [name.removeprefix("row_") for name in vars(Benchmark) if name.startswith("row_")]
    for name in ("tools", "python", "model", "facts", "text", "scratch"):
        parser.add_argument(name)
    parser.add_argument("--rows", default=",".join(names), help=f"which of {', '.join(names)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="one round, fewer facts, smaller solves")
    parser.add_argument("--rounds", type=int, help="how often each row is measured (default: 1 to 3, by row)")
    parser.add_argument("--steps", type=int, default=25, help="of a value search, at most")
    parser.add_argument("--json", help="a file for the figures")
    options = parser.parse_args()
    if unknown := set(options.rows.split(",")) - set(names):
        parser.error(f"--rows: no row {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    benchmark = Benchmark(options)
    for name in options.rows.split(","):
        getattr(benchmark, f"row_{name}")()

    lines = table(benchmark)
    print("| " + " | ".join(lines[0]) + " |")
    print("|---|---|---|---|---|---|---|---|")
    for line in lines[1:]:
        print("| " + " | ".join(line) + " |")
    with open("/proc/cpuinfo") as cpuinfo:
        processor = next((line.split(":")[1].strip() for line in cpuinfo if line.startswith("model name")), "?")
    low, high = min(benchmark.rates), max(benchmark.rates)
    torch = benchmark.reference_parts("machine").json
    print(f"\n{processor}, {os.cpu_count()} processors, 2 threads each; kernels that ran: Errata's {benchmark.machine['own_kernels']}, "
          f"OpenBLAS's {benchmark.machine['kernels']}, PyTorch's {torch['kernels']}; sgemm {low:.0f} to {high:.0f} GFLOP/s, dgemm "
          f"{benchmark.machine['dgemm']:.0f}; PyTorch's sgemm {torch['sgemm']:.0f}; load {os.getloadavg()[0]:.1f}")
    failures = [f"{row.name}: {failure}" for row in benchmark.rows for failure in row.failures]
    for failure in failures:
        print(failure)
    if options.json:
        machine = benchmark.machine | {"processor": processor, "torch_kernels": torch["kernels"], "sgemm_lowest": low, "sgemm_highest": high}
        Path(options.json).write_text(json.dumps({"machine": machine, "rows": [row.json() for row in benchmark.rows]}, indent=1))
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
