"""How an edit's cost grows with facts, layers and the model's size: a table, and a plot (growth.svg), with the time that the
same operations take at the machine's rate of float32 products (the roofline) beside the measured one.

    growth.py TOOLS MODEL FACTS.json TEXT SCRATCH [--series facts,layers,size] [--steps N] [--svg FILE]

Needs no PyTorch. Value searches are cut off after a few steps, the same number everywhere. Operations are those of the
products that were done, as `--profile` counts them.
"""
import argparse
import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

from benchmark import LAYER, LAYERS, TEMPLATES, Measured, child_environment

PARTS = ["value search", "keys", "outputs", "factor C", "solve", "probabilities before", "probabilities after"]


class Growth:
    def __init__(self, options):
        self.options = options
        self.scratch = Path(options.scratch)
        self.scratch.mkdir(parents=True, exist_ok=True)
        self.environment = child_environment()
        self.templates = self.scratch / "templates.json"
        self.templates.write_text(json.dumps(TEMPLATES))
        self.facts = self.scratch / "facts.jsonl"
        self.facts.write_text("\n".join(self.variants(json.loads(Path(options.facts).read_bytes()))) + "\n")
        self.stats = self.scratch / "growth-stats.safetensors"

    def variants(self, records):
        """1000 facts: each subject in its own prompt, then in that of the record after it, and so on."""
        edits, asked = [record["requested_rewrite"] for record in records], set()
        for shift in range(len(edits)):
            for edit, other in zip(edits, edits[shift:] + edits[:shift]):
                question = edit["subject"], other["prompt"]
                if question not in asked and len(asked) < 1000:
                    asked.add(question)
                    yield json.dumps({"prompt": other["prompt"], "subject": edit["subject"], "target": other["target_new"]["str"]})

    def run(self, program, *arguments):
        return Measured(Path(self.options.tools) / program, *arguments, environment=self.environment).json

    def rate(self):
        return self.run("benchmark-parts", "machine")["sgemm"]

    def point(self, series, x, label, measure):
        """Measures between two looks at the machine's rate."""
        before = self.rate()
        seconds, operations, parts = measure()
        rate = (before + self.rate()) / 2
        point = {"series": series, "x": x, "label": label, "seconds": seconds, "gflop": operations * 1e-9, "sgemm": rate,
                 "roofline": operations * 1e-9 / rate, "parts": parts}
        print(f"  {label}: {seconds:.2f} s, {point['gflop']:.0f} GFLOP, roofline {point['roofline']:.2f} s at {rate:.0f}",
              file=sys.stderr)
        return point

    def edit(self, count, layers):
        output = self.scratch / "growth.wpatch"
        output.unlink(missing_ok=True)
        answer = self.run(
            "errata", "edit", self.options.model, "--facts", self.facts, "--records", f"0-{count - 1}", "--method", "emmet",
            "--layers", ",".join(map(str, layers)), "--stats", self.stats, "--templates", self.templates, "--steps",
            self.options.steps, "-o", output, "--quiet", "--json", "--profile")["profile"]
        phases = [phase for phase in answer["phases"] if phase["depth"] == 0]
        parts = {name: sum(phase["seconds"] for phase in phases if phase["phase"] == name) for name in PARTS}
        return answer["seconds"], sum(phase["operations"] for phase in phases), parts

    def series_facts(self):
        for count in (1, 10, 100, 1000):
            yield self.point("facts", count, f"{count} fact{'s' if count > 1 else ''}, 1 layer",
                             lambda: self.edit(count, [LAYER]))

    def series_layers(self):
        for count in range(1, 6):
            yield self.point("layers", count, f"32 facts, {count} layer{'s' if count > 1 else ''}",
                             lambda: self.edit(32, LAYERS[-count:]))

    def series_size(self):
        """Random weights in shapes of the Llama family; the tokenizer is MODEL's. The value search of 8 facts alone."""
        for hidden, layers in ((192, 12), (384, 20), (576, 30), (960, 32)):
            checkpoint = self.scratch / f"synthetic-{hidden}"
            if not checkpoint.exists():
                configuration = json.loads((Path(self.options.model) / "config.json").read_bytes())
                configuration |= {"hidden_size": hidden, "intermediate_size": hidden * 8 // 3, "num_hidden_layers": layers,
                                  "num_attention_heads": hidden // 64, "num_key_value_heads": hidden // 64 // 3 or 1,
                                  "initializer_range": 0.02}
                if configuration["num_attention_heads"] % configuration["num_key_value_heads"]:
                    configuration["num_key_value_heads"] = configuration["num_attention_heads"]
                configuration.pop("head_dim", None)
                shapes = self.scratch / "config.json"
                shapes.write_text(json.dumps(configuration))
                subprocess.run([Path(self.options.tools) / "synthetic-checkpoint", "checkpoint", shapes, "-o", checkpoint],
                               check=True, stdout=subprocess.DEVNULL)
                for name in ("tokenizer.json", "tokenizer_config.json"):
                    shutil.copy(Path(self.options.model) / name, checkpoint)
            parameters = (checkpoint / "model.safetensors").stat().st_size / 2e6

            def search():
                found = self.run(
                    "benchmark-parts", "values", checkpoint, "--facts", self.facts, "--records", "0-7", "--templates",
                    self.templates, "--layer", LAYER, "--steps", self.options.steps, "-o", self.scratch / "growth-z")
                return found["seconds"], found["operations"], {"value search": found["seconds"]}

            yield self.point("size", parameters, f"{parameters:.0f} M weights, 8 facts, search alone", search)
            shutil.rmtree(checkpoint)

    def collect(self, series):
        if series != "size" and not self.stats.exists():
            self.run("errata", "stats", self.options.model, "--text", self.options.text, "--layers", ",".join(map(str, LAYERS)),
                     "--tokens", 20_480, "-o", self.stats, "--quiet", "--json")
        return list(getattr(self, f"series_{series}")())


def table(points):
    yield "| | seconds | GFLOP | sgemm GFLOP/s | roofline, seconds | share | value search | keys | solve | scores |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for p in points:
        part = lambda *names: f"{sum(p['parts'].get(name, 0) for name in names):.2f}" if len(p["parts"]) > 1 or "value search" in names else ""
        yield (f"| {p['label']} | {p['seconds']:.2f} | {p['gflop']:.0f} | {p['sgemm']:.0f} | {p['roofline']:.2f} | "
               f"{p['roofline'] / p['seconds']:.0%} | {part('value search')} | {part('keys', 'outputs')} | "
               f"{part('factor C', 'solve')} | {part('probabilities before', 'probabilities after')} |")


def plot(points, titles):
    """An SVG with one panel per series: measured seconds and the roofline, on logarithmic axes."""
    width, height, left, top = 300, 260, 56, 30
    panels = [(name, [p for p in points if p["series"] == name]) for name in titles]
    panels = [(name, series) for name, series in panels if series]
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{(width + 40) * len(panels) + 20}" height="{height + 90}" '
             'font-family="sans-serif" font-size="11">', '<rect width="100%" height="100%" fill="white"/>']
    for index, (name, series) in enumerate(panels):
        x0, y0 = left + index * (width + 40), top
        inner = width - left + 20
        values = [v for p in series for v in (p["seconds"], p["roofline"])]
        low, high = (10 ** rounding(math.log10(value)) for rounding, value in ((math.floor, min(values)), (math.ceil, max(values))))
        first, last = series[0]["x"], series[-1]["x"]

        def at(x, y):
            across = math.log(x / first) / math.log(last / first) if last > first else 0.5
            up = math.log(y / low) / math.log(high / low)
            return f"{x0 + across * inner:.1f},{y0 + (1 - up) * height:.1f}"

        lines.append(f'<text x="{x0}" y="18" font-weight="bold">{titles[name]}</text>')
        for power in range(round(math.log10(low)), round(math.log10(high)) + 1):
            start, end = at(first, 10.0**power), at(last, 10.0**power)
            (xa, ya), (xb, yb) = start.split(","), end.split(",")
            lines.append(f'<line x1="{xa}" y1="{ya}" x2="{xb}" y2="{yb}" stroke="#ddd"/>')
            lines.append(f'<text x="{x0 - 6}" y="{float(ya) + 4:.1f}" text-anchor="end">{10.0**power:g} s</text>')
        for p in series:
            x = at(p["x"], low).split(",")[0]
            lines.append(f'<text x="{x}" y="{y0 + height + 16}" text-anchor="middle">{p["x"]:.0f}</text>')
        for key, colour, dash in (("seconds", "#1a5fb4", ""), ("roofline", "#c01c28", ' stroke-dasharray="5 4"')):
            path = " ".join(at(p["x"], p[key]) for p in series)
            lines.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
            for p in series:
                x, y = at(p["x"], p[key]).split(",")
                lines.append(f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>')
    y = top + height + 44
    for x, colour, dash, text in ((left, "#1a5fb4", "", "measured"),
                                  (left + 110, "#c01c28", ' stroke-dasharray="5 4"', "operations / sgemm rate (roofline)")):
        lines.append(f'<line x1="{x}" y1="{y}" x2="{x + 26}" y2="{y}" stroke="{colour}" stroke-width="2"{dash}/>')
        lines.append(f'<text x="{x + 32}" y="{y + 4}">{text}</text>')
    return "\n".join(lines + ["</svg>"]) + "\n"


def main():
    titles = {"facts": "seconds by facts (one layer)", "layers": "seconds by edited layers (32 facts)",
              "size": "seconds by millions of weights"}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("tools", "model", "facts", "text", "scratch"):
        parser.add_argument(name)
    parser.add_argument("--series", default=",".join(titles), help="which of facts, layers, size")
    parser.add_argument("--steps", type=int, default=3, help="of each value search, at most")
    parser.add_argument("--svg", help="a file for the plot")
    parser.add_argument("--json", help="a file for the figures; points of other series in it are kept")
    options = parser.parse_args()
    if unknown := set(options.series.split(",")) - set(titles):
        parser.error(f"--series: no series {', '.join(sorted(unknown))}")
    growth = Growth(options)
    asked = options.series.split(",")
    points = []
    if options.json and Path(options.json).exists():
        points = [point for point in json.loads(Path(options.json).read_text()) if point["series"] not in asked]
    for series in asked:
        points += growth.collect(series)
    print("\n".join(table(points)))
    if options.json:
        Path(options.json).write_text(json.dumps(points, indent=1))
    if options.svg:
        Path(options.svg).write_text(plot(points, titles))


if __name__ == "__main__":
    main()
