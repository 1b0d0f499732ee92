"""What Errata exports, loaded by the programs that serve it, and what PEFT makes, imported.

    interop.py TOOLS REPOSITORY SMOLLM2 SCRATCH [PART...]

Every row of the table is a comparison with the patches applied to a float32 copy of the base, where apply rounds next to
nothing, computed by transformers: the KL divergence, its mean over the prompts, which has the limit, as in llama.cpp's own
measurements, and its largest; and whether the most likely token is always the same. A row over its limit fails.
"""

import json
import os
import shutil
import subprocess
import sys
import warnings

import numpy as np
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, AutoTokenizer, BitsAndBytesConfig
from transformers.utils import logging

import llama_file

TOOLS, ROOT, SMOLLM2, SCRATCH = (os.path.abspath(path) for path in sys.argv[1:5])
SAMPLE = f"{ROOT}/SamplePatches/model"
FEW, MANY = (f"{ROOT}/SamplePatches/{name}-facts.wpatch" for name in ("five", "twenty"))
FAILURES = []
torch.set_grad_enabled(False)
warnings.simplefilter("ignore")
logging.disable_progress_bar()


def errata(*arguments):
    result = subprocess.run([f"{TOOLS}/errata", *arguments], capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"errata {' '.join(arguments)}: {result.stderr}")
    return result.stdout


def place(name):
    return f"{SCRATCH}/{name}"


def export(patches, name, *options, base=SAMPLE):
    errata("export", *patches, "--base", base, "-o", place(name), *options)
    return place(name)


def applied(patches, name, base=SAMPLE):
    errata("apply", base, *patches, "-o", place(name), "--quiet")
    return place(name)


def exactly(patches, name, base=SAMPLE):
    """Applied to the base's values in float32: another base by its digests alone."""
    copy = place("float32-" + os.path.basename(base))
    if not os.path.exists(copy):
        shutil.copytree(base, copy)
        weights = {key: value.float() for key, value in load_file(f"{base}/model.safetensors").items()}
        save_file(weights, f"{copy}/model.safetensors", {"format": "pt"})
    errata("apply", copy, *patches, "-o", place(name), "--quiet", "--force")
    return place(name)


def note(what, figure, limit, *, largest=None, same=True):
    fits = figure <= limit and same
    row = (what, f"{figure:.1e}", "" if largest is None else f"{largest:.1e}", f"{limit:.0e}", "yes" if same else "NO")
    print(f"{row[0]:56} {row[1]:>8} {row[2]:>8} {row[3]:>8} {row[4]:>13} {'' if fits else 'FAILS'}".rstrip(), flush=True)
    if not fits:
        FAILURES.append(what)


def compare(what, reference, found, limit, *, needs_same=True):
    """The distributions of the next token, rows of log-probabilities."""
    divergence = (reference.exp() * (reference - found)).sum(-1).clamp(min=0)
    same = bool((reference.argmax(-1) == found.argmax(-1)).all())
    note(what, divergence.mean().item(), limit, largest=divergence.max().item(), same=same or not needs_same)


def load(folder, kind=AutoModelForCausalLM, **options):
    return kind.from_pretrained(folder, dtype=torch.float32, **options).eval()


def answers(model, prompts):
    return torch.stack([model(input_ids=torch.tensor([ids])).logits[0, -1].double().log_softmax(-1) for ids in prompts])


def fact_prompts(model, facts, *others):
    tokenizer = AutoTokenizer.from_pretrained(model)
    rewrites = [record["requested_rewrite"] for record in json.load(open(facts))[:20]]
    texts = [rewrite["prompt"].format(rewrite["subject"]) for rewrite in rewrites]
    return [tokenizer(text)["input_ids"] for text in texts + list(others)]


# PEFT


def peft(prompts):
    base = answers(load(SAMPLE), prompts)
    few, many = (answers(load(exactly([patch], name)), prompts) for patch, name in ((FEW, "few"), (MANY, "many")))
    both = answers(load(exactly([FEW, MANY], "both")), prompts)
    few_folder, many_folder = export([FEW], "few-lora", "--to", "peft"), export([MANY], "many-lora", "--to", "peft")
    model = PeftModel.from_pretrained(load(SAMPLE), few_folder, adapter_name="few")
    found = answers(model, prompts)
    compare("PEFT, float32", few, found, 1e-5)
    compare("PEFT, against weights rounded to bfloat16", answers(load(applied([FEW], "few16")), prompts), found, 1e-4)
    model.load_adapter(many_folder, adapter_name="many")
    model.set_adapter("many")
    compare("PEFT, load_adapter, rank 20", many, answers(model, prompts), 1e-5)
    model.base_model.set_adapter(["few", "many"])
    compare("PEFT, two at once", both, answers(model, prompts), 1e-5)
    merged = answers(model.merge_and_unload(adapter_names=["few", "many"]), prompts)
    compare("PEFT, merged", both, merged, 1e-5)
    model = PeftModel.from_pretrained(load(SAMPLE), few_folder)
    compare("PEFT, unloaded", base, answers(model.unload(), prompts), 0)
    live = load(SAMPLE)
    live.load_adapter(few_folder, adapter_name="few")
    compare("transformers, load_adapter", few, answers(live, prompts), 1e-5)
    for kind in ("f16", "bf16"):
        folder = export([MANY], f"many-{kind}", "--to", "peft", "--type", kind)
        compare(f"PEFT, {kind} factors", many, answers(PeftModel.from_pretrained(load(SAMPLE), folder), prompts), 1e-4)
    folder = export([MANY], "many-all", "--to", "peft", "--all-modules")
    compare("PEFT, --all-modules", many, answers(PeftModel.from_pretrained(load(SAMPLE), folder), prompts), 1e-5)


def quantized(prompts):
    reference = answers(load(exactly([FEW], "few-quantized")), prompts)
    folder = export([FEW], "few-lora-quantized", "--to", "peft")

    four_bits = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.float32)
    for name, config, limit in (("NF4", four_bits, 1e-2), ("int8", BitsAndBytesConfig(load_in_8bit=True), 1e-3)):
        model = load(SAMPLE, quantization_config=config, device_map="cpu")
        # Only the edited answers are asked for: the base itself is another model at four bits.
        found = answers(PeftModel.from_pretrained(model, folder), prompts[:5])
        compare(f"bitsandbytes {name}, edited answers", reference[:5], found, limit)


# llama.cpp


def llama_answers(model, adapters, prompts, vocabulary):
    """In a process of its own, which ends with the server."""
    if os.fork() == 0:
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = model
        params.n_ctx, params.n_parallel, params.warmup = 256, 1, False
        params.cpuparams.n_threads, params.verbosity = 2, 0
        # Its own roundings are not what is measured.
        params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
        params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(path, 1.0) for path in adapters]
        server = xllamacpp.Server(params)
        rows = []
        for ids in prompts:
            answer = server.handle_completions(
                {"prompt": ids, "n_predict": 1, "n_probs": vocabulary, "temperature": 0.0, "cache_prompt": False})
            row = np.full(vocabulary, -40.0)
            for entry in answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]:
                row[entry["id"]] = max(entry["logprob"], -40)
            rows.append(row)
        np.save(place("rows.npy"), np.array(rows))
        os._exit(0)
    _, status = os.wait()
    if status:
        sys.exit(f"llama.cpp does not load {model} with {adapters}")
    # Its probabilities add up to one but for 1e-5.
    return torch.tensor(np.load(place("rows.npy"))).log_softmax(-1)


def llama(prompts):
    vocabulary = json.load(open(f"{SAMPLE}/config.json"))["vocab_size"]
    sets = {"few": [FEW], "many": [MANY], "both": [FEW, MANY]}
    folders = {name: exactly(sets[name], f"llama-{name}") for name in sets}
    references = {name: answers(load(folder), prompts) for name, folder in folders.items()}
    few, many = export([FEW], "few.gguf", "--to", "gguf"), export([MANY], "many.gguf", "--to", "gguf")
    half = export([FEW, MANY], "both.gguf", "--to", "gguf", "--type", "f16")
    adapters = {"few": [few], "many": [many], "both": [half]}
    labels = {"few": "rank 5", "many": "rank 20", "both": "two patches, f16 factors"}

    def found(folder, kind, name, adapters):
        model = place(f"{name}-{kind}.gguf")
        llama_file.write(folder, model, kind)
        return llama_answers(model, adapters, prompts, vocabulary)

    for kind in ("F32", "F16"):
        for name in sets:
            compare(
                f"llama.cpp, {kind}, {labels[name]}", references[name], found(SAMPLE, kind, "base", adapters[name]), 1e-5)
    compare(
        "llama.cpp, F16, two adapters", references["both"], found(SAMPLE, "F16", "base", [few, many]), 1e-5)
    # Few bits change every answer, so here the applied checkpoint is stored in as few: where the edited matrices are
    # rounded with the edit in them, and the others the same.
    for kind, limit in {"Q8_0": 1e-3, "Q5_1": 1e-2, "Q4_0": 1e-1}.items():
        for name in sets:
            same = found(folders[name], kind, name, [])
            served = found(SAMPLE, kind, "base", adapters[name])
            compare(f"llama.cpp, {kind}, {labels[name]}", same, served, limit, needs_same=kind == "Q8_0")
            compare("  against float32", references[name], served, limit, needs_same=False)


def smollm2(_):
    """Ten CounterFact facts on SmolLM2-135M-Instruct."""
    facts, stats = f"{ROOT}/SamplePatches/smollm2/facts.json", f"{SMOLLM2}/stats.safetensors"
    if not os.path.exists(stats):
        errata("stats", SMOLLM2, "--text", f"{ROOT}/SamplePatches/corpus.txt", "--layers", "5", "-o", stats, "--quiet")
    patch = place("smollm2.wpatch")
    errata("edit", SMOLLM2, "--facts", facts, "--stats", stats, "-o", patch, "--quiet")
    prompts = fact_prompts(SMOLLM2, facts)
    folder = exactly([patch], "smollm2", SMOLLM2)
    reference = answers(load(folder), prompts)
    lora = export([patch], "smollm2-lora", "--to", "peft", base=SMOLLM2)
    compare("SmolLM2, PEFT, float32", reference, answers(PeftModel.from_pretrained(load(SMOLLM2), lora), prompts), 1e-5)
    adapter = export([patch], "smollm2.gguf", "--to", "gguf", base=SMOLLM2)
    vocabulary = json.load(open(f"{SMOLLM2}/config.json"))["vocab_size"]
    for kind in ("F16", "Q8_0"):
        model, edited = place(f"smollm2-{kind}.gguf"), place(f"smollm2-edited-{kind}.gguf")
        llama_file.write(SMOLLM2, model, kind)
        served = llama_answers(model, [adapter], prompts, vocabulary)
        if kind == "F16":
            compare("SmolLM2, llama.cpp, F16", reference, served, 1e-5)
            continue
        # Eight bits change the unedited model, too.
        llama_file.write(folder, edited, kind)
        compare(f"SmolLM2, llama.cpp, {kind}", llama_answers(edited, [], prompts, vocabulary), served, 1e-3)
        compare("  against float32", reference, served, 1e-2)


# Other shapes


def tuned(folder, target):
    """A copy with a change of rank two in the middle of two down-projections."""
    shutil.copytree(folder, target)
    weights = load_file(f"{target}/model.safetensors")
    generator = torch.Generator().manual_seed(7)
    names = [name for name in weights if name.endswith(("down_proj.weight", "mlp.c_proj.weight", "fc2.weight"))]
    for name in [name for name in names if ".1." in name or ".0." in name and "vis" not in name]:
        change = sum(
            torch.outer(torch.randn(rows, generator=generator), torch.randn(columns, generator=generator))
            for rows, columns in [weights[name].shape] * 2)
        old = weights[name].float()
        weights[name] = (old + 0.5 * change / change.norm() * old.norm()).to(weights[name].dtype)
    save_file(weights, f"{target}/model.safetensors", {"format": "pt"})


def shapes(_):
    for name in ("gpt2", "qwen2_5_vl", "gemma3", "gemma3_text", "llama_untied", "opt"):
        folder = next(path for path in (f"{ROOT}/Tests/Golden/{kind}/{name}" for kind in ("tiny", "families"))
                      if os.path.exists(path))
        config = json.load(open(f"{folder}/config.json"))
        kind = AutoModelForImageTextToText if "text_config" in config else AutoModelForCausalLM
        tuned(folder, place(name))
        patch = place(f"{name}.wpatch")
        errata("diff", folder, place(name), "-o", patch, "--no-correction", "--quiet")
        generator = torch.Generator().manual_seed(1)
        vocabulary = config.get("text_config", config)["vocab_size"]
        prompts = [torch.randint(3, vocabulary, (8,), generator=generator).tolist() for _ in range(8)]
        reference = answers(load(applied([patch], f"{name}-applied", base=folder), kind), prompts)
        lora = export([patch], f"{name}-lora", "--to", "peft", base=folder)
        before = answers(load(folder, kind), prompts)
        found = answers(PeftModel.from_pretrained(load(folder, kind), lora), prompts)
        if (reference.exp() * (reference - before)).sum(-1).max() < 1e-4:
            sys.exit(f"{name}: the change changes nothing")
        compare(f"PEFT, {name}", reference, found, 1e-5)


# Import


def imports(_):
    linear = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    kinds = {
        "alpha 8, r 4": LoraConfig(r=4, lora_alpha=8, target_modules=linear),
        "rsLoRA": LoraConfig(r=3, lora_alpha=6, use_rslora=True, target_modules=["up_proj", "down_proj"]),
        "patterns": LoraConfig(
            r=8, lora_alpha=8, target_modules=["q_proj", "v_proj", "o_proj"], rank_pattern={"v_proj": 2},
            alpha_pattern={"v_proj": 3, "layers.1.self_attn.o_proj": 12}),
    }
    for number, (name, config) in enumerate(kinds.items()):
        torch.manual_seed(number)
        config.init_lora_weights = False
        model = get_peft_model(load(SAMPLE), config)
        folder, patch = place(f"lora{number}"), place(f"lora{number}.wpatch")
        model.save_pretrained(folder)
        errata("import", folder, "--base", SAMPLE, "-o", patch)
        merged = load_file(applied([patch], f"lora{number}-applied") + "/model.safetensors")
        differing, unexplained, count = 0, 0, 0
        for module_name, module in model.base_model.model.named_modules():
            if not hasattr(module, "lora_A"):
                continue
            base = module.base_layer.weight
            once = (base + module.get_delta_weight("default")).to(torch.bfloat16)
            ours = merged[module_name + ".weight"]
            a, b = (getattr(module, part)["default"].weight.double() for part in ("lora_A", "lora_B"))
            scale = module.scaling["default"]
            exact = base.double() + scale * (b @ a)
            error = 2.0**-23 * (base.abs().double() + (abs(scale) * (b.abs() @ a.abs())) * (a.shape[0] + 2))
            differs = once != ours
            near = (exact - error).to(torch.bfloat16) != (exact + error).to(torch.bfloat16)
            differing += int(differs.sum())
            unexplained += int((differs & ~near).sum())
            count += ours.numel()
        note(f"import, {name}: {differing} of {count} at a boundary, others", unexplained, 0)
        errata("verify", place(f"lora{number}-applied"), "--base", SAMPLE, "--quiet")


def main():
    shutil.rmtree(SCRATCH, ignore_errors=True)
    os.makedirs(SCRATCH)
    prompts = fact_prompts(SAMPLE, f"{ROOT}/SamplePatches/facts.json", "The city of Lyon is located in", "Water is")
    print(f"{'':56} {'mean KL':>8} {'largest':>8} {'limit':>8} {'same answers':>13}")
    parts = {"peft": peft, "quantized": quantized, "shapes": shapes, "imports": imports, "llama": llama,
             "smollm2": smollm2}
    for name in sys.argv[5:] or parts:
        parts[name](prompts)
    sys.exit(f"{len(FAILURES)} over their limit" if FAILURES else 0)


main()
