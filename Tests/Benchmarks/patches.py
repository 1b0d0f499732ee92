"""How fast patches get into checkpoints of real sizes and out again, and how much memory that takes; beside it, in turn and
on the same disk, the obvious Python script (apply_patch.py) and `cp -r`.

    patches.py TOOLS PYTHON SCRATCH [--model NAME] [--runs N] [--cold]

TOOLS: the folder with errata and synthetic-checkpoint.  PYTHON: an interpreter with torch and safetensors.
SCRATCH: a folder on a disk with room for two copies of a checkpoint (12.5 GB for gpt2-xl-bf16, and 27 GB for
llama-2-7b); what is made there is removed again.

A checkpoint of random weights, in it five layers' down-projections edited at rank 100. Every time is the best of the runs
and ends when the bytes are on disk (after `sync`, which Errata does by itself); CPU is the processors' time in that process,
which other work on the machine hardly changes. Page cache: warm as the runs leave it, or,
with --cold, the checkpoint's files are dropped from it before each run.
"""
import argparse
import os
import shutil
import subprocess
import sys
import time

MODELS = {
    # name: configuration, dtype, edited layers (those of the published hyperparameters)
    "gpt2-xl": ("gpt2-xl", "F32", "13,14,15,16,17"),
    # Its shapes in bfloat16, with as many layers as make 6 GB.
    "gpt2-xl-bf16": ("gpt2-xl-96", "BF16", "13,14,15,16,17"),
    "llama-2-7b": ("llama-2-7b", "BF16", "4,5,6,7,8"),
}
# The rank at which float16 factors of all down-projections make a patch of about 100 MB.
HUNDRED_MEGABYTES = {"gpt2-xl": "145", "gpt2-xl-96": "72", "llama-2-7b": "115"}
here = os.path.dirname(os.path.abspath(__file__))


def files(folder):
    return [os.path.join(root, name) for root, _, names in os.walk(folder) for name in names]


def size(folder):
    return sum(os.path.getsize(path) for path in files(folder))


def drop(folder):
    """Drops a folder's files from the page cache."""
    for path in files(folder):
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


class Run:
    """Runs a command and measures it: seconds until its bytes are on disk, and peaks of its memory in bytes."""

    def __init__(self, *command, sync=False):
        os.sync()
        start = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.anonymous = self.resident = 0
        while True:
            self.sample(process.pid)
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            time.sleep(0.002)
        self.command_seconds = time.monotonic() - start
        if sync:
            os.sync()
        self.seconds = time.monotonic() - start
        self.resident = max(self.resident, usage.ru_maxrss * 1024)
        self.processor_seconds = usage.ru_utime + usage.ru_stime
        self.output = process.stdout.read()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            sys.exit(f"{' '.join(command)}: exit code {process.returncode}")

    def sample(self, pid):
        try:
            with open(f"/proc/{pid}/status") as file:
                fields = dict(line.split(":", 1) for line in file)
        except (FileNotFoundError, ProcessLookupError):
            return
        if "RssAnon" in fields:
            self.anonymous = max(self.anonymous, int(fields["RssAnon"].split()[0]) * 1024)


class Best:
    """The best of several runs, and the largest memory of any."""

    def __init__(self):
        self.runs = {}

    def add(self, name, run):
        self.runs.setdefault(name, []).append(run)
        return run

    def seconds(self, name):
        return min(run.seconds for run in self.runs[name])

    def report(self):
        print(f"{'':24} {'seconds':>8} {'worst':>8} {'CPU':>8} {'anonymous':>10} {'resident':>9}  (MiB, peak)")
        for name, runs in self.runs.items():
            times = [run.seconds for run in runs]
            anonymous = max(run.anonymous for run in runs) >> 20
            resident = max(run.resident for run in runs) >> 20
            processor = min(run.processor_seconds for run in runs)
            print(
                f"{name:24} {min(times):8.2f} {max(times):8.2f} {processor:8.2f} {anonymous:10d} {resident:9d}")


def benchmark(arguments, name):
    configuration, dtype, layers = MODELS[name]
    tools, scratch = arguments.tools, os.path.join(arguments.scratch, "patches-" + name)
    errata, synthetic = tools + "/errata", tools + "/synthetic-checkpoint"
    os.makedirs(scratch)
    model, output = scratch + "/model", scratch + "/output"
    hundred = scratch + "/hundred.wpatch"
    patch, content = scratch + "/five.wpatch", scratch + "/five.safetensors"
    best = Best()
    try:
        best.add("make the checkpoint", Run(
            synthetic, "checkpoint", f"{here}/Configurations/{configuration}.json", "-o", model, "--dtype", dtype))
        Run(synthetic, "patch", model, "--layers", layers, "--rank", "100", "-o", patch)
        Run(synthetic, "patch", model, "--rank", HUNDRED_MEGABYTES[configuration], "-o", hundred)
        with open(content, "wb") as file:
            subprocess.run(["zstd", "-dcq", patch], stdout=file, check=True)
        before = {path: os.stat(path).st_size for path in files(model)}

        def run(title, *command, sync=False):
            if arguments.cold:
                drop(model)
            return best.add(title, Run(*command, sync=sync))

        def copy():
            Run("cp", "-r", model, output, sync=True)
            shutil.rmtree(output)

        for _ in range(arguments.runs):
            run("apply --in-place", errata, "apply", model, patch, "--in-place", "--quiet")
            run("verify", errata, "verify", model, "--quiet")
            run("revert --in-place", errata, "revert", model, "--in-place", "--quiet")
            assert {path: os.stat(path).st_size for path in files(model)} == before
            # Each of these follows the removal of a copy: memory that the system has just got back is faster to fill, most of
            # all in a virtual machine.
            copy()
            run("apply --output", errata, "apply", model, patch, "-o", output, "--quiet")
            run("verify --base", errata, "verify", output, "--base", model, "--quiet")
            shutil.rmtree(output)
            copy()
            run("cp -r", "cp", "-r", model, output, sync=True)
            shutil.rmtree(output)
            if arguments.python:
                copy()
                run("Python script", arguments.python, here + "/apply_patch.py", model, content, output, sync=True)
                shutil.rmtree(output)
        cache = "dropped from the page cache before each run" if arguments.cold else "in the page cache as the runs leave it"
        print(f"\n{name}: {size(model) / 1e9:.2f} GB in {len(before)} files, {cache}; best of {arguments.runs}")
        best.report()
        show = min(Run(errata, "show", hundred).command_seconds for _ in range(20))
        print(f"show of a patch of {os.path.getsize(hundred) / 1e6:.0f} MB: {1000 * show:.0f} ms")
        print(f"apply --output at {best.seconds('cp -r') / best.seconds('apply --output'):.2f} of the speed of cp -r")
        if arguments.python:
            ratio = best.seconds("Python script") / best.seconds("apply --in-place")
            print(f"apply --in-place {ratio:.1f} times faster than the Python script")
    finally:
        shutil.rmtree(scratch)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tools")
    parser.add_argument("python", help="'' leaves the Python script out")
    parser.add_argument("scratch")
    parser.add_argument("--model", action="append", choices=list(MODELS), help="gpt2-xl-bf16 and llama-2-7b if none is named")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--cold", action="store_true")
    arguments = parser.parse_args()
    for name in arguments.model or ["gpt2-xl-bf16", "llama-2-7b"]:
        benchmark(arguments, name)


if __name__ == "__main__":
    main()
