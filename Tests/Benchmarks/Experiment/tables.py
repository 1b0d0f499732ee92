"""Prints the tables of EXPERIMENT.md, in Markdown, from the tables that experiment.py wrote.

    tables.py [FOLDER]
"""
import csv
import math
import os
import sys

folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
SCORES = ["ES", "PS", "NS", "S", "EM", "PM", "NM"]
NAMES = {
    "none": "not edited", "rome": "ROME", "emmet": "EMMET", "memit": "MEMIT",
    "emmet - memit": "EMMET - MEMIT", "resolve": "solved again",
}


def read(name):
    with open(os.path.join(folder, name), newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def cell(row, digits=1):
    if not row:
        return "-"
    error = f" ± {float(row['standard_error']):.{digits}f}" if row["standard_error"] else ""
    return f"{float(row['value']):.{digits}f}{error}"


def figures(found):
    """Columns that are not percent of facts: preservation and shortfall in percent, and perplexity."""
    share, short, nats = (found.get(name) for name in ("preservation_share", "short_mean", "nats per token"))
    return [
        f"{100 * float(share['value']):.3g}" if share else "-", f"{100 * float(short['value']):.3g}" if short else "-",
        f"{math.exp(float(nats['value'])):.2f}" if nats else "-",
    ]


def table(part, rows, first):
    """A line for each setting in the order of the rows; `first`: the columns that name it."""
    print(f"\n{part}\n")
    print("| " + " | ".join([*first, "facts", *SCORES, "disturbance", "short", "perplexity"]) + " |")
    print("|" + "---|" * (len(first) + len(SCORES) + 4))
    settings = {}
    for row in rows:
        if row["part"] == part or (row["part"] == "base" and part != "single"):
            settings.setdefault(tuple(row[name] for name in first) + (row["facts"],), {})[row["metric"]] = row
    for setting, found in sorted(settings.items(), key=lambda entry: int(entry[0][0]) if first[0] == "batch" else 0):
        names = [NAMES.get(name, name) for name in setting]
        print("| " + " | ".join([*names, *(cell(found.get(score)) for score in SCORES), *figures(found)]) + " |")


def sections(part, rows):
    methods = list(dict.fromkeys(row["method"] for row in rows if row["part"] == part))
    print(f"\n{part}\n")
    print("| metric | " + " | ".join(NAMES[method] for method in methods) + " |")
    print("|" + "---|" * (len(methods) + 1))
    found = {(row["metric"], row["method"]): row for row in rows if row["part"] == part}
    for metric in dict.fromkeys(metric for metric, _ in found):
        print(f"| {metric} | " + " | ".join(cell(found.get((metric, method))) for method in methods) + " |")


if __name__ == "__main__":
    scores = read("scores.csv")
    table("single", scores, ["method"])
    for part in ("batches", "distributed"):
        table(part, scores, ["batch", "method"])
    table("slack", scores, ["batch", "lambda"])
    for part in ("side effects", "generation"):
        if any(row["part"] == part for row in scores):
            sections(part, scores)
    print()
    for row in read("checks.csv"):
        print(f"| {row['check']} | {row['facts']} | {float(row['relative_difference']):.2g} |")
