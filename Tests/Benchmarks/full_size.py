"""The whole job on checkpoints of real models' shapes, with random weights: second moments, an edit, apply, verify, revert.

    full_size.py TOOLS TOKENIZER FACTS TEXT SCRATCH [--model NAME] [--facts-count N] [--closed-form N]

TOOLS: the folder with errata, synthetic-checkpoint and benchmark-parts.  TOKENIZER: a tokenizer.json whose ids fit every
model (the sample model's).  FACTS, TEXT: of the sample model too.  SCRATCH: a folder on a disk with 30 GB of room; what is
made there is removed again.

The time of 100 real facts is projected from the measured rates: all of the edit but opening the model grows with facts and
steps, and a real search takes some 20 steps. GFLOP/s are operations that were counted from shapes, by wall-clock time;
beside them what square products reach on the same machine.
"""
import argparse
import hashlib
import json
import os
import shutil
import subprocess

from patches import Run, files, size

MODELS = {  # name: configuration, edited layers (those of the published hyperparameters), the last one's down-projection
    "gpt2-xl": ("13,14,15,16,17", "h.17.mlp.c_proj.weight"),
    "gpt-j-6b": ("3,4,5,6,7,8", "transformer.h.8.mlp.fc_out.weight"),
    "gemma-3-1b": ("4", "model.layers.4.mlp.down_proj.weight"),
    "llama-2-7b": ("4,5,6,7,8", "model.layers.8.mlp.down_proj.weight"),
}
STEPS, REAL_FACTS, REAL_STEPS = 3, 100, 20
here = os.path.dirname(os.path.abspath(__file__))


def digest(folder):
    total = hashlib.sha256()
    for path in sorted(files(folder)):
        with open(path, "rb") as file:
            while block := file.read(1 << 24):
                total.update(block)
    return total.hexdigest()


def rate(answer):
    phases = [p for p in answer["profile"]["phases"] if p["depth"] == 0]
    return sum(p["operations"] for p in phases) / answer["profile"]["seconds"] / 1e9


def line(what, run, note=""):
    print(f"  {what:28} {run.seconds:8.1f} s {run.anonymous / 2**30:7.2f} GiB  {note}", flush=True)


def whole_job(options, name, scratch):
    layers, _ = MODELS[name]
    errata, model = options.tools + "/errata", scratch + "/model"
    statistics, patch = scratch + "/stats.safetensors", scratch + "/edit.wpatch"
    before = digest(model)
    run = Run(errata, "stats", model, "--text", options.text, "--layers", layers, "--tokens", str(options.tokens),
              "-o", statistics, "--json", "--profile", "--quiet")
    answer = json.loads(run.output)
    line("second moments", run, f"{options.tokens / run.seconds:.0f} tokens/s, {rate(answer):.0f} GFLOP/s")
    run = Run(errata, "edit", model, "--facts", options.facts, "--records", f"0-{options.facts_count - 1}", "--stats",
              statistics, "--method", "emmet", "--layers", layers, "--ridge", "0.01", "--steps", str(STEPS), "-o", patch,
              "--json", "--profile", "--quiet")
    answer = json.loads(run.output)
    phases = {p["phase"]: p["seconds"] for p in answer["profile"]["phases"] if p["depth"] == 0}
    search = phases.pop("value search")
    once = sum(phases.pop(p, 0) for p in ("open the model", "context templates", "factor C"))
    per_fact = (search * REAL_STEPS / STEPS + sum(phases.values())) / options.facts_count
    line(f"edit of {options.facts_count} facts, {STEPS} steps", run, f"{rate(answer):.0f} GFLOP/s; value search {search:.1f} s")
    print(f"  {'projected: ' + str(REAL_FACTS) + ' facts, ' + str(REAL_STEPS) + ' steps':36} "
          f"{(once + REAL_FACTS * per_fact) / 3600:.2f} h")
    change(options, model, patch, before)


def change(options, model, patch, before):
    errata = options.tools + "/errata"
    line("apply --in-place", Run(errata, "apply", model, patch, "--in-place", "--quiet"), f"patch of {os.path.getsize(patch) / 1e6:.1f} MB")
    line("verify", Run(errata, "verify", model, "--quiet"))
    line("revert --in-place", Run(errata, "revert", model, "--all", "--in-place", "--quiet"))
    assert digest(model) == before, "the revert did not give the base"


def closed_form(options, name, scratch):
    """The closed form at the papers' largest batch, for one layer."""
    _, tensor = MODELS[name]
    model, patch = scratch + "/model", scratch + "/large.wpatch"
    before = digest(model)
    run = Run(options.tools + "/benchmark-parts", "closed-form", model, "--tensor", tensor, "--facts",
              str(options.closed_form), "-o", patch)
    answer = json.loads(run.output)
    line(f"closed form, {options.closed_form} facts", run, f"d_in {answer['d_in']}, stored as {answer['factor_types']}, "
         f"worst key off by {100 * answer['storage_error']:.2f}%")
    for phase in answer["phases"]:
        speed = f"{phase['operations'] / phase['seconds'] / 1e9:8.0f} GFLOP/s" if phase["operations"] else ""
        print(f"    {phase['phase']:26} {phase['seconds']:8.1f} s {speed}")
    change(options, model, patch, before)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("tools", "tokenizer", "facts", "text", "scratch"):
        parser.add_argument(name)
    parser.add_argument("--model", action="append", choices=list(MODELS), help="all of them if none is named")
    parser.add_argument("--facts-count", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--closed-form", type=int, default=0, metavar="FACTS", help="besides, solve so many random facts at once")
    options = parser.parse_args()
    machine = json.loads(subprocess.run([options.tools + "/benchmark-parts", "machine"], capture_output=True, check=True).stdout)
    print(f"sgemm {machine['sgemm']:.0f} GFLOP/s, dgemm {machine['dgemm']:.0f} GFLOP/s, {machine['threads']} threads")
    for name in options.model or MODELS:
        scratch = os.path.join(options.scratch, "full-size-" + name)
        os.makedirs(scratch)
        try:
            Run(options.tools + "/synthetic-checkpoint", "checkpoint", f"{here}/Configurations/{name}.json", "-o",
                scratch + "/model")
            shutil.copy(options.tokenizer, scratch + "/model/tokenizer.json")
            print(f"{name}: {size(scratch + '/model') / 1e9:.1f} GB, bfloat16{'':12} peak anonymous memory", flush=True)
            whole_job(options, name, scratch)
            if options.closed_form:
                closed_form(options, name, scratch)
        finally:
            shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
