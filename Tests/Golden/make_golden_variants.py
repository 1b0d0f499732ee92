"""Logits of the tiny models with changed configurations: what a field of config.json does, by Hugging Face transformers.

    python make_golden_variants.py

Reads tiny/<family>, writes variants.json (family, changed fields; null removes nothing, it is a value) and
variants.safetensors ("N", float32 [T, vocabulary]: the logits of sequence 2 of variant N). Made with transformers 5.23.
"""
import json
import os
import tempfile

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

HERE = os.path.dirname(os.path.abspath(__file__))


def rope(kind, theta=10000.0, **rest):
    return {"rope_parameters": {"rope_type": kind, "rope_theta": theta, **rest}}


factors = [1.0 + 0.25 * i for i in range(8)]
VARIANTS = [
    ("mistral", {"sliding_window": 4}),
    ("phi3", {"sliding_window": 3}),
    ("qwen2", {"use_sliding_window": True, "sliding_window": 3, "max_window_layers": 2, "layer_types": None}),
    ("qwen3", {"use_sliding_window": True, "sliding_window": 2,
               "layer_types": ["sliding_attention", "full_attention", "full_attention", "sliding_attention"]}),
    ("gemma2", {"attn_logit_softcapping": None, "final_logit_softcapping": None}),
    ("gemma2", {"attn_logit_softcapping": 0.5, "final_logit_softcapping": 2.0, "query_pre_attn_scalar": 10}),
    ("gemma2", {"layer_types": None, "sliding_window": 3}),
    ("gemma", {"hidden_act": "gelu"}),
    ("llama_tied", rope("linear", factor=3.0)),
    ("llama_tied", rope("dynamic", factor=4.0)),
    ("llama_tied", rope("yarn", factor=4.0, original_max_position_embeddings=64)),
    ("qwen2", rope("yarn", 1000000.0, factor=8.0, original_max_position_embeddings=32, beta_fast=16.0, beta_slow=2.0,
                   truncate=False, attention_factor=1.5)),
    ("llama_tied", rope("yarn", factor=4.0, original_max_position_embeddings=64, mscale=0.7, mscale_all_dim=1.3)),
    ("gptneox", rope("linear", factor=2.0, partial_rotary_factor=0.5)),
    ("phi3", {"original_max_position_embeddings": 64,
              **rope("longrope", short_factor=factors, long_factor=[4.0 * f for f in factors])}),
    ("phi3", rope("default", partial_rotary_factor=0.75)),
    ("gptj", {"rotary_dim": 16, "layer_norm_epsilon": 0.1}),
    ("gptneox", {"hidden_act": "gelu_fast", "use_parallel_residual": False}),
]

tensors = {}
for number, (family, changes) in enumerate(VARIANTS):
    folder = os.path.join(HERE, "tiny", family)
    with tempfile.TemporaryDirectory() as scratch:
        configuration = {**json.load(open(os.path.join(folder, "config.json"))), **changes}
        json.dump(configuration, open(os.path.join(scratch, "config.json"), "w"))
        os.symlink(os.path.join(folder, "model.safetensors"), os.path.join(scratch, "model.safetensors"))
        model = AutoModelForCausalLM.from_pretrained(scratch, attn_implementation="eager", dtype=torch.float32).eval()
    ids = load_file(os.path.join(folder, "golden.safetensors"))["seq2.ids"].long()[None]
    with torch.no_grad():
        tensors[str(number)] = model(input_ids=ids, use_cache=False).logits[0].contiguous()
    plain = load_file(os.path.join(folder, "golden.safetensors"))["seq2.logits"]
    change = ((tensors[str(number)] - plain).norm() / plain.norm()).item()
    print(number, family, changes, "relative change of the logits", round(change, 4))
save_file(tensors, os.path.join(HERE, "variants.safetensors"))
json.dump([{"family": family, "changes": changes} for family, changes in VARIANTS],
          open(os.path.join(HERE, "variants.json"), "w"), indent=1)
