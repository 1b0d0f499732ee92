"""Draws the figures of EXPERIMENT.md from the tables that experiment.py wrote.

    plots.py [FOLDER]

FOLDER: with scores.csv and tradeoff.csv, and where the SVG files go (default: this script's). Bars are standard errors.
"""
import csv
import math
import os
import sys

from svg import Axis, Panel, write

folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
# Okabe and Ito's colours, which the colour-blind can tell apart; shapes differ as well.
LOOKS = {
    "none": ("not edited", "#6b6b6b", "ring"), "emmet": ("EMMET", "#0072B2", "circle"), "memit": ("MEMIT", "#D55E00", "square"),
    "rome": ("ROME", "#009E73", "diamond"),
}
BATCHES = {"64": "#B0578D", "256": "#333333"}
SCORES = {"ES": "#0072B2", "PS": "#D55E00", "NS": "#009E73"}
PERCENT = [(value, str(value)) for value in range(0, 101, 20)]
# Where lambda = 0 stands on a logarithmic axis.
ZERO = 0.01


def read(name):
    with open(os.path.join(folder, name), newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def number(text):
    return float(text) if text else None


rows = read("scores.csv")


def chosen(**wanted):
    """Rows with these values as (x, value, standard error), where x is the batch or, for a sweep, lambda."""
    x = "lambda" if wanted["part"] == "slack" else "batch"
    return sorted(
        (max(float(row[x]), ZERO) if x == "lambda" else int(row[x]), float(row["value"]), number(row["standard_error"]))
        for row in rows if all(row[key] == value for key, value in wanted.items())
    )


def unedited(metric, part="base"):
    return chosen(part=part, method="none", metric=metric)[0][1]


def single():
    """Facts edited one at a time."""
    metrics = ["ES", "PS", "NS", "S", "EM", "PM", "NM"]
    panels = []
    for left, names, low, title in ((70, metrics[:4], 0, "Scores"), (490, metrics[4:], -20, "Magnitudes")):
        x = Axis("", -0.5, len(names) - 0.5, list(enumerate(names)))
        y = Axis("percent", low, 100, [(v, str(v)) for v in range(low, 101, 20)])
        panel = Panel(f"{title}, one fact at a time", x, y, left, 40, 330, 260)
        methods = ["none", "rome", "emmet", "memit"]
        for position, method in enumerate(methods):
            points = [
                (i, *chosen(part="single", method=method, metric=name)[0][1:]) for i, name in enumerate(names)
            ]
            _, color, shape = LOOKS[method]
            panel.series(points, color, shape=shape, joined=False, shift=14 * (position - 1.5))
        panels.append(panel)
    for position, (name, color, shape) in enumerate(LOOKS[m] for m in ("none", "rome", "emmet", "memit")):
        panel.series([(2.55, 90 - 10 * position, None)], color, name, shape, joined=False, shift=14)
    write(os.path.join(folder, "single.svg"), 980, 360, panels)


def batches(name, part, layers, title):
    """EMMET against MEMIT at growing batch sizes."""
    sizes = sorted({row["batch"] for row in rows if row["part"] == part}, key=int)
    panels = []
    for position, metric in enumerate(("ES", "PS", "NS", "S", "EM", "PM")):
        x = Axis("facts in a batch", 0.8, 320, [(int(size), size) for size in sizes], logarithmic=True)
        low, step = {"NS": (50, 10), "EM": (-20, 20), "PM": (-20, 20)}.get(metric, (0, 20))
        y = Axis("percent", low, 100, [(v, str(v)) for v in range(low, 101, step)])
        panel = Panel(f"{metric}, {title}", x, y, 70 + 460 * (position % 2), 40 + 330 * (position // 2), 300, 240)
        panel.level(unedited(metric), "not edited", LOOKS["none"][1])
        for method, shift in (("emmet", -2.5), ("memit", 2.5)):
            label, color, shape = LOOKS[method]
            panel.series(chosen(part=part, method=method, metric=metric), color, label, shape, shift=shift)
        panels.append(panel)
    write(os.path.join(folder, name), 940, 1020, panels)


def objective(left):
    """The trade-off curves, read off the patches without the model; dots are the lambdas that `--tradeoff` lists."""
    table = [
        (row["batch"], float(row["lambda"]), 100 * float(row["preservation_share"]), 100 * float(row["short_mean"]))
        for row in read("tradeoff.csv")
    ]
    x = Axis("disturbance of ordinary text, % of the mean squared output", 0.01, 300, [
        (10.0**power, f"{10.0**power:g}") for power in range(-2, 3)], logarithmic=True)
    y = Axis("mean shortfall of facts, percent", 0, 100, PERCENT)
    panel = Panel("The objective, from the patches alone", x, y, left, 40, 300, 260)
    for batch, color in BATCHES.items():
        points = sorted(point[1:] for point in table if point[0] == batch and point[2] >= x.low)
        panel.series([(share, short, None) for _, share, short in points], color, dot=2.5)
        for slack, share, short in points:
            if batch == "256" and slack in (1000, 10000, 100000):
                name = f"{batch} facts, lambda" if slack == 100000 else "lambda"
                panel.text(panel.along(share) + 9, panel.down(short) - 5, f"{name} {slack:,.0f}", color)
            elif slack == 10000:
                panel.text(panel.along(share) - 9, panel.down(short) + 14, f"{batch} facts", color, "end")
            look = {0.1: "emmet", 100: "memit"}.get(slack)
            if look:
                name, tint, shape = LOOKS[look]
                panel.series([(share, short, None)], tint, name if batch == "256" else None, shape, joined=False)
    return panel


def slack():
    """What lambda does: to the objective, read off the patch, and to scores and perplexity, measured."""
    powers = [(ZERO, "0")] + [(10.0**power, f"1e{power}") for power in range(0, 6)]
    panels = [objective(70)]
    lines = {batch: chosen(part="slack", batch=batch, metric="nats per token") for batch in BATCHES}
    lines = {batch: [(x, math.exp(value), None) for x, value, _ in points] for batch, points in lines.items()}
    before = math.exp(unedited("nats per token"))
    values = [before] + [y for points in lines.values() for _, y, _ in points]
    low, high = 2 * math.floor(min(values) / 2), 2 * math.ceil(max(values) / 2)
    y = Axis("perplexity", low, high, [(v, str(v)) for v in range(low, high + 1, 2)])
    panel = Panel("Perplexity of other text", Axis("lambda", ZERO, 3e5, powers, True), y, 530, 40, 300, 260)
    panel.level(before, "not edited", LOOKS["none"][1])
    for batch, points in lines.items():
        panel.series(points, BATCHES[batch], f"{batch} facts")
    panels.append(panel)
    for position, batch in enumerate(BATCHES):
        x, y = Axis("lambda", ZERO, 3e5, powers, True), Axis("percent", 0, 100, PERCENT)
        panel = Panel(f"Scores of the first 64 of {batch} facts", x, y, 70 + 460 * position, 390, 300, 260)
        for metric, color in SCORES.items():
            panel.series(chosen(part="slack", batch=batch, metric=metric), color, metric)
        panels.append(panel)
    write(os.path.join(folder, "slack.svg"), 940, 710, panels)


def side_effects():
    """Downstream tasks before and after 256 edits."""
    if not any(row["part"] == "side effects" for row in rows):
        return
    tasks = ["sst2", "mrpc", "cola", "rte", "nli"]
    panels = []
    for position, (metric, title) in enumerate((("F1", "weighted F1"), ("MCC", "Matthews' correlation"))):
        low = 0 if metric == "F1" else -20
        x = Axis("", -0.5, len(tasks) - 0.5, list(enumerate(tasks)))
        y = Axis("percent", low, 100, [(v, str(v)) for v in range(low, 101, 20)])
        panel = Panel(f"Downstream tasks, {title}", x, y, 70 + 420 * position, 40, 330, 260)
        for shift, method in ((-12, "none"), (0, "emmet"), (12, "memit")):
            label, color, shape = LOOKS[method]
            points = []
            for i, task in enumerate(tasks):
                (_, value, error), = chosen(part="side effects", method=method, metric=f"{task}: {metric}")
                points.append((i, value, error))
            panel.series(points, color, label if position else None, shape, joined=False, shift=shift)
        panels.append(panel)
    write(os.path.join(folder, "downstream.svg"), 960, 350, panels)


if __name__ == "__main__":
    single()
    batches("batches.svg", "batches", "5", "layer 5")
    batches("distributed.svg", "distributed", "3-5", "layers 3-5")
    slack()
    side_effects()
