"""A Llama-shaped checkpoint as a GGUF file, for llama.cpp: what its converter does for this one architecture."""

import json

import gguf
import numpy as np
from gguf.quants import quantize
from safetensors.torch import load_file

NAMES = {
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}


def rotated(weights, heads):
    """llama.cpp rotates neighbours, transformers halves."""
    return weights.reshape(heads, 2, -1, weights.shape[1]).swapaxes(1, 2).reshape(weights.shape)


def write(folder, path, kind):
    """kind: a name of gguf.GGMLQuantizationType; matrices are stored so, norms in F32."""
    config = json.load(open(f"{folder}/config.json"))
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    model = json.load(open(f"{folder}/tokenizer.json"))["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    tokens += [f"[unused{index}]" for index in range(len(tokens), config["vocab_size"])]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.CONTROL] + [gguf.TokenType.NORMAL] * (len(tokens) - 1))
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]])
    writer.add_eos_token_id(0)
    quantization = gguf.GGMLQuantizationType[kind]
    for name, tensor in load_file(f"{folder}/model.safetensors").items():
        weights = tensor.float().numpy()
        stem = name.removesuffix(".weight")
        for part, heads in (("q_proj", "num_attention_heads"), ("k_proj", "num_key_value_heads")):
            if stem.endswith(part):
                weights = rotated(weights, config[heads])
        block = stem.removeprefix("model.layers.").partition(".")
        target = NAMES[stem] if stem in NAMES else f"blk.{block[0]}.{NAMES[block[2]]}"
        if weights.ndim == 1 or kind == "F32":
            writer.add_tensor(target + ".weight", np.ascontiguousarray(weights))
        else:
            writer.add_tensor(
                target + ".weight", quantize(np.ascontiguousarray(weights), quantization), raw_dtype=quantization)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
