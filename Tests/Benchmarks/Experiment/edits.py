"""Edits with Errata's tools, whose values are searched for once."""
import json
import os
import shutil
import subprocess
import time


class Edits:
    def __init__(self, arguments, fact_count, any_method):
        """`any_method`: settings for the edits that only serve to find values."""
        self.arguments, self.fact_count, self.any_method = arguments, fact_count, any_method
        for folder in ("patches", "values"):
            os.makedirs(self.path(folder), exist_ok=True)

    def path(self, *names):
        return os.path.join(self.arguments.output, *names)

    def command(self, verb, *arguments):
        return [os.path.join(self.arguments.tools, "errata"), verb, *map(str, arguments)]

    def errata(self, verb, *arguments):
        return subprocess.run(self.command(verb, *arguments), check=True, stdout=subprocess.PIPE, text=True).stdout

    def edit_command(self, output, records, layers, *settings):
        options = ["--templates", self.arguments.templates] if self.arguments.templates else []
        return self.command(
            "edit", self.arguments.model, "--facts", self.arguments.facts, "--records", records, "--stats",
            self.arguments.stats, "--layers", layers, *options, *settings, "--quiet", "-o", output)

    def keep_values(self, archive, records, layers):
        """Edits the records, and keeps the values that were found on the way.

        A value depends on the fact, the model and the settings of the search, and not on method, slack or the other facts.
        errata keeps values beside an unfinished patch, and takes those it finds there."""
        output = archive.replace(".safetensors", ".wpatch")
        if os.path.exists(archive):
            shutil.copy(archive, output + ".partial")
        process = subprocess.Popen(
            self.edit_command(output, records, layers, *self.any_method), stdout=subprocess.DEVNULL)
        while process.poll() is None:
            if os.path.exists(output + ".partial"):
                try:
                    os.link(output + ".partial", archive + ".new")
                    os.replace(archive + ".new", archive)
                except FileNotFoundError:
                    pass  # The edit was done in this instant.
                if os.path.exists(archive + ".new"):  # Replacing a file by itself does nothing.
                    os.remove(archive + ".new")
            time.sleep(0.05)
        if process.returncode:
            raise SystemExit("errata edit failed")

    @staticmethod
    def archived(archive):
        """The identity of the run that an archive's values are of, and how many there are."""
        with open(archive, "rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        metadata = json.loads(header["__metadata__"]["errata.values"])
        return metadata["identity"].encode(), len(metadata["steps"])

    def values(self, layers):
        """An archive of the values of all facts.

        Values are of the last layer, so that those for layer 5 serve layers 3-5: only the identity of the run, which names
        the edited tensors, is another."""
        archive = self.path("values", f"{layers}.safetensors")
        last = layers.split("-")[-1]
        if layers == last:
            while not os.path.exists(archive) or self.archived(archive)[1] < self.fact_count:
                self.keep_values(archive, f"0-{self.fact_count - 1}", layers)
        elif not os.path.exists(archive):
            own = self.path("values", "own.safetensors")
            while not os.path.exists(own):
                self.keep_values(own, "0-0", layers)
            shared = self.values(last)
            with open(shared, "rb") as source, open(archive, "wb") as target:
                target.write(source.read().replace(self.archived(shared)[0], self.archived(own)[0]))
        return archive

    def edit(self, records, layers, *settings):
        """A patch of these records, with values found before (ROME's are its own)."""
        name = "_".join(["edit", layers, records, *(setting.lstrip("-") for setting in settings)])
        patch = self.path("patches", name + ".wpatch")
        if not os.path.exists(patch):
            if "rome" not in settings:
                shutil.copy(self.values(layers), patch + ".partial")
            subprocess.run(self.edit_command(patch, records, layers, *settings), check=True, stdout=subprocess.DEVNULL)
        return patch

    def derive(self, verb, name, patch, *arguments):
        """A patch that `errata resolve` or `errata drop` makes of another."""
        output = self.path("patches", name + ".wpatch")
        if not os.path.exists(output):
            self.errata(verb, patch, *arguments, "-o", output)
        return output
