"""Scores over facts that were edited in several batches: means and standard errors over facts, from what `errata eval --json`
says of each fact."""
import csv
from statistics import fmean, stdev

COLUMNS = ("part", "method", "layers", "batch", "lambda", "edits", "facts", "metric", "value", "standard_error")
NEW, TRUE = "probability_new", "probability_true"


def wins(prompts, winner, loser):
    return 100 * fmean(prompt[winner] > prompt[loser] for prompt in prompts)


def margin(prompts, winner, loser):
    return 100 * fmean(prompt[winner] - prompt[loser] for prompt in prompts)


def fact_scores(case):
    """A fact's part in every score, in percent: the mean over its prompts."""
    rewrite, paraphrases, neighborhood = case["rewrite"], case["paraphrases"], case["neighborhood"]
    return {
        "ES": wins(rewrite, NEW, TRUE), "PS": wins(paraphrases, NEW, TRUE), "NS": wins(neighborhood, TRUE, NEW),
        "EM": margin(rewrite, NEW, TRUE), "PM": margin(paraphrases, NEW, TRUE), "NM": margin(neighborhood, TRUE, NEW),
    }


def harmonic_mean(values):
    return 3 / sum(1 / value for value in values) if all(values) else 0.0


def mean_and_error(values):
    return fmean(values), stdev(values) / len(values) ** 0.5 if len(values) > 1 else None


def overall(facts):
    """S, the harmonic mean of the mean ES, PS and NS; its standard error is the jackknife's, leaving out one fact at a time."""
    def value(chosen):
        return harmonic_mean([fmean(fact[name] for fact in chosen) for name in ("ES", "PS", "NS")])

    count = len(facts)
    if count < 2:
        return value(facts), None
    left_out = [value(facts[:i] + facts[i + 1:]) for i in range(count)]
    center = fmean(left_out)
    return value(facts), ((count - 1) / count * sum((x - center) ** 2 for x in left_out)) ** 0.5


def paired_difference(first, second):
    """Of the same facts' scores; the standard error is that of the mean of the differences."""
    return {
        name: mean_and_error([first[fact][name] - second[fact][name] for fact in first])
        for name in ("ES", "PS", "NS", "EM", "PM", "NM")
    } | {"facts": len(first)}


class Scores:
    def __init__(self):
        self.rows = []

    def add(self, part, method, layers, batch, runs, only=None):
        """The scores of facts over runs, one for each batch. Answers each fact's scores, by the fact's ID."""
        facts = {}
        for run in runs:
            own = {case["fact"]: fact_scores(case) for case in run["eval"]["cases"]}
            summary = run["eval"]["summary"]
            for name in ("ES", "PS", "NS", "EM", "PM", "NM"):
                assert abs(fmean(fact[name] for fact in own.values()) - summary[name]) < 1e-6, "not as errata eval says"
            facts |= own
        facts = dict(list(facts.items())[:only])
        values = list(facts.values())
        figures = [run["figures"] for run in runs if "figures" in run]
        labels = (part, method, layers, batch, figures[0]["lambda"] if figures else "", len(runs), len(values))
        for name in values[0]:
            self.rows.append((*labels, name, *mean_and_error([fact[name] for fact in values])))
        self.rows.append((*labels, "S", *overall(values)))
        for name in ("preservation", "preservation_share", "short_mean"):
            if figures and name in figures[0]:
                self.rows.append((*labels, name, *mean_and_error([figure[name] for figure in figures])))
        nats = [
            metric for run in runs for section in run["eval"]["sections"] for metric in section["metrics"]
            if metric["metric"] == "nats per token"
        ]
        if len(nats) == 1:  # Of one checkpoint, with the error over the text's windows.
            self.rows.append((*labels, "nats per token", nats[0]["value"], nats[0]["standard_error"]))
        return facts

    def add_difference(self, part, layers, batch, differences):
        for name, pair in differences.items():
            if name != "facts":
                self.rows.append((part, "emmet - memit", layers, batch, "", "", differences["facts"], name, *pair))

    def add_sections(self, part, method, layers, batch, run):
        """Every metric of `errata eval`, as it says it."""
        for section in run["eval"]["sections"]:
            for metric in section["metrics"]:
                name = f"{section['section']}: {metric['metric']}"
                slack = run["figures"]["lambda"] if "figures" in run else ""
                self.rows.append((
                    part, method, layers, batch, slack, 1 if batch else 0, metric["count"], name, metric["value"],
                    metric["standard_error"]))

    def write(self, path):
        with open(path, "w", newline="", encoding="utf-8") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(COLUMNS)
            for row in self.rows:
                table.writerow([f"{x:.6g}" if isinstance(x, float) else "" if x is None else x for x in row])
